from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks.metrics_vs_people import agreement, measure, table

LIMITS = Path(__file__).resolve().parents[2] / "docs" / "limits.md"


def ratings(seed, *, documents=20, answers=6, slope=0.0, shared=0.0):
    """Scores and ratings that agree by `slope` within documents and by `shared` through the document."""
    rng = np.random.default_rng(seed)
    names = np.repeat(np.arange(documents), answers)
    score, common = rng.normal(size=names.size), rng.normal(size=documents)[names]
    rating = slope * score + shared * common + rng.normal(size=names.size)
    return pd.DataFrame({"document": names, "score": score + shared * common, "rating": rating})


def test_agreement_has_its_sign_and_its_interval_holds_it():
    found = agreement("made", "metric", "rating", ratings(1, slope=1.0))
    assert 0 < found.low < found.rho < found.high < 1
    assert found.tau < found.rho
    assert (found.answers, found.documents, found.word) == (120, 20, "good")


def test_no_agreement_is_said_not_to_be_shown():
    assert agreement("made", "metric", "rating", ratings(2)).word == "not shown"


def test_agreement_that_is_between_documents_only_is_told_apart():
    found = agreement("made", "metric", "rating", ratings(3, shared=2.0))
    assert found.rho > 0.5 > 0.2 > abs(found.within)


def test_answers_that_share_a_document_make_the_interval_wider():
    rows = ratings(4, shared=2.0, documents=12, answers=10)
    clustered = agreement("made", "metric", "rating", rows)
    apart = agreement("made", "metric", "rating", rows.assign(document=range(len(rows))))
    assert clustered.high - clustered.low > 1.3 * (apart.high - apart.low)


@pytest.mark.slow
def test_the_interval_covers_the_truth_as_often_as_it_says():
    held = [agreement("made", "metric", "rating", ratings(seed)) for seed in range(200)]
    assert 0.9 <= np.mean([one.low <= 0 <= one.high for one in held]) <= 0.99


@pytest.mark.slow
@pytest.mark.shared_data
def test_the_agreement_with_people_is_what_the_limits_say(shared_data):
    found = measure(shared_data)
    rho = {(one.metric, one.data): one.rho for one in found}
    assert 0.3 < rho["groundedness", "MTRAG"] < 0.6
    assert 0.3 < rho["groundedness", "RefChecker"] < 0.65
    assert abs(rho["groundedness", "SummEdits"]) < 0.1
    assert all(
        0.1 < rho[metric, data] < 0.4 for metric in ("correctness", "completeness") for data in ("MTRAG", "SummEval")
    )
    published = [line.strip() for line in LIMITS.read_text(encoding="utf-8").splitlines()]
    assert [line for line in table(found).splitlines() if line not in published] == []

"""Recorded runs of a real RAG application over HR documents: what the scorers and the gate say of them."""

import re
from datetime import date

import pandas as pd
import pytest
from scipy.stats import spearmanr

from flows.evaluate.cases import Passage
from flows.evaluate.correctness import f_measure
from flows.evaluate.decide import decide
from flows.evaluate.groundedness import best_support
from flows.evaluate.params import EvaluateParams
from flows.evaluate.words import claims

pytestmark = [pytest.mark.shared_data, pytest.mark.slow]
PARAMS = EvaluateParams(gated_metrics=("correctness", "groundedness"), guardrails={})


def without_sources(text):
    return re.sub(r"\[[^\]]*\.(?:pdf|md)[^\]]*\]", "", text or "")


def grounded(answer, context):
    passages = [Passage("d", "v", 0, 1, line) for line in str(context).split("\n") if line.strip()]
    found = [best_support(sentence, passages) for sentence in claims(without_sources(answer))]
    return sum(found) / len(found) if found else 1.0


@pytest.fixture(scope="module")
def runs(shared_data):
    rows = pd.read_parquet(shared_data / "01_rag_northwind" / "rag_runs.parquet")
    pairs = zip(rows["question"], rows["truth"], rows["answer"], strict=True)
    rows["correctness"] = [f_measure(q, without_sources(t), without_sources(a), PARAMS) for q, t, a in pairs]
    rows["groundedness"] = [grounded(a, c) for a, c in zip(rows["answer"], rows["context"], strict=True)]
    return rows


def scores(runs, run_id):
    """Scores of one run; a page of the documents is the cluster."""
    rows = runs[runs["run_id"] == run_id].drop_duplicates("qid")
    wide = pd.DataFrame({
        "question_id": rows["qid"].astype(str), "document_id": rows["gold_sources"].map(lambda pages: str(list(pages))),
        "correctness": rows["correctness"], "groundedness": rows["groundedness"],
    })  # fmt: skip
    long = wide.melt(["question_id", "document_id"], var_name="metric", value_name="score")
    return long.assign(sample=0, unscored_reason=None, question_type="simple", release_id=run_id)


def verdict(runs, candidate, baseline):
    today = date(2026, 11, 2)
    return decide(scores(runs, candidate), scores(runs, baseline), PARAMS, today=today).result.verdict


def test_the_same_system_run_twice_never_fails(runs):
    for pair in (("A1_baseline_1", "A1_baseline_2"), ("A1_baseline_2", "A1_baseline_1")):
        assert verdict(runs, *pair) in {"pass", "inconclusive"}


@pytest.mark.parametrize("baseline", ["A1_baseline_1", "A1_baseline_2", "A2_baseline"])
def test_the_prompt_that_ignores_its_sources_fails(runs, baseline):
    assert verdict(runs, "A1_badprompt_ignoresources_1", baseline) == "fail"


def test_correctness_agrees_with_a_judge_of_similarity(runs):
    judged = runs.dropna(subset=["judge_similarity"])
    assert len(judged) > 500
    assert spearmanr(judged["correctness"], judged["judge_similarity"]).statistic > 0.5

"""Early looks: a fixed random order of documents, stricter levels, and nothing asked that need not be."""

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

from flows.evaluate.looks import Samples, alpha_total, at_look, levels, planned_looks, stages
from flows.evaluate.params import EvaluateParams
from flows.stats.sequential import look_levels

PARAMS = EvaluateParams(early_looks=True, gated_metrics=("correctness",), guardrails={})


def questions(documents=40, per_document=3, stale=()):
    names = [f"{i:032x}" for i in range(documents * per_document)]
    owners = [f"d{i // per_document}" for i in range(len(names))]
    return pd.DataFrame({"question_id": names, "document_id": owners, "stale": [i in stale for i in range(len(names))]})


def test_looks_grow_by_whole_documents_until_everything_is_asked():
    every = questions(stale=(0, 7))
    looks = list(planned_looks(every, PARAMS))

    assert [look.number for look in looks] == [1, 2, 3, 4]
    assert [look.alpha for look in looks] == list(look_levels())
    parts = [look.part(every) for look in looks]
    assert [part["document_id"].nunique() for part in parts] == [10, 20, 30, 40]
    assert all(set(a["question_id"]) < set(b["question_id"]) for a, b in pairwise(parts))
    assert set(looks[-1].question_ids) == set(every.loc[~every["stale"], "question_id"])


def test_the_order_is_fixed_by_the_seed_and_not_by_the_rows():
    every = questions()
    first, again, other = (
        next(planned_looks(rows, params)).question_ids
        for rows, params in (
            (every, PARAMS),
            (every.sample(frac=1, random_state=1), PARAMS),
            (every, PARAMS.model_copy(update={"looks_seed": 2})),
        )
    )

    assert first == again != other


def test_questions_about_no_document_stand_alone():
    every = questions().assign(document_id=None)

    assert len(next(planned_looks(every, PARAMS)).question_ids) == 30


def test_looks_without_a_question_are_left_out():
    assert list(planned_looks(questions(1, 2), PARAMS))[-1].number == 4
    assert all(look.question_ids for look in planned_looks(questions(1, 2), PARAMS))
    assert list(planned_looks(questions(1, 1, stale=(0,)), PARAMS)) == []


def test_a_look_is_judged_at_its_own_level():
    look = next(planned_looks(questions(), PARAMS))

    assert at_look(PARAMS, look).alpha == pytest.approx(0.003125)
    assert at_look(PARAMS, None) is PARAMS


# -- looks that are bought ---------------------------------------------------------------------------


def test_further_looks_double_the_answers_and_are_marked():
    found = stages(PARAMS.model_copy(update={"early_looks": False}), Samples(1, 4))

    assert [(one.share, one.candidate_samples, one.baseline_samples, one.extra) for one in found] == [
        (1.0, 1, 4, False), (1.0, 2, 4, True), (1.0, 4, 4, True),
    ]  # fmt: skip


def test_a_reserve_is_bought_before_repeats_and_a_release_that_repeats_itself_is_not_repeated():
    reserve = stages(PARAMS, Samples(1, 1, candidate_repeats=True), first=0.3)

    assert [one.share for one in reserve] == [0.3, 0.6, 1.0]
    assert stages(PARAMS, Samples(1, 1, candidate_repeats=True)) == reserve[:0] + stages(PARAMS, Samples(1, 1))[:1]


def test_a_baseline_is_repeated_when_the_candidate_overtakes_it():
    found = stages(PARAMS.model_copy(update={"evidence_rounds": 3}), Samples(1, 4))

    assert [one.baseline_samples for one in found] == [4, 4, 4, 8]
    fixed = stages(PARAMS.model_copy(update={"evidence_rounds": 3}), Samples(1, 1, baseline_repeats=True))
    assert {one.baseline_samples for one in fixed} == {1}


def test_levels_spend_alpha_and_no_more_than_they_say():
    """The chance that a Brownian motion crosses any of the boundaries is what all looks together may spend."""
    for buying in ("never", "planned", "afterwards"):
        planned = stages(PARAMS, Samples(1, 4), early=True)
        found = np.array(levels(planned, PARAMS, buying))
        share = np.array([one.answers for one in planned])[: len(found)] / planned[len(found) - 1].answers
        steps = np.random.default_rng(1).normal(size=(200_000, len(found))) * np.sqrt(np.diff([0, *share]))
        crossed = np.cumsum(steps, axis=1) / np.sqrt(share) > norm.isf(found)
        assert crossed.any(axis=1).mean() == pytest.approx(alpha_total(PARAMS, buying), abs=0.0025)


def test_one_look_alone_has_the_whole_alpha():
    plain = PARAMS.model_copy(update={"early_looks": False})

    assert levels(stages(plain, Samples(1, 4)), plain, "never") == [0.05]
    assert levels(stages(plain, Samples(1, 4)), plain, "afterwards")[0] == pytest.approx(0.05)
    assert levels(stages(plain, Samples(1, 4)), plain, "planned")[0] == pytest.approx(0.035)


def test_a_reserve_is_not_asked_at_first():
    every = questions()
    reserve = PARAMS.model_copy(update={"questions_max": 60, "early_looks": False})
    first, *rest = planned_looks(every, reserve, Samples(1, 1, candidate_repeats=True), buying="planned")

    assert len(first.question_ids) == 60
    assert not first.extra
    assert [(len(one.question_ids), one.extra) for one in rest] == [(120, True)]

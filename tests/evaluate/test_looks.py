"""Early looks: a fixed random order of documents, stricter levels, and nothing asked that need not be."""

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

from flows.core.contracts import SCORES
from flows.core.tables import check
from flows.evaluate.looks import at_look, is_clear, planned_looks
from flows.evaluate.params import EvaluateParams
from flows.stats.sequential import look_levels

PARAMS = EvaluateParams(early_looks=True, gated_metrics=("correctness",), guardrails={})


def questions(documents=40, per_document=3, stale=()):
    names = [f"{i:032x}" for i in range(documents * per_document)]
    owners = [f"d{i // per_document}" for i in range(len(names))]
    return pd.DataFrame({"question_id": names, "document_id": owners, "stale": [i in stale for i in range(len(names))]})


def table(values, rows):
    frame = pd.DataFrame({
        "release_id": "a" * 32, "question_id": rows["question_id"], "document_id": rows["document_id"],
        "question_type": "simple", "sample": 0, "metric": "correctness", "score": values, "unscored_reason": None,
    })  # fmt: skip
    return check(frame, SCORES)


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


def test_a_clear_loss_is_clear_and_a_close_call_is_not():
    every = questions()
    right = np.ones(len(every))
    close = np.where(np.arange(len(every)) % 30 == 0, 0.0, 1.0)

    assert is_clear(table(0 * right, every), table(right, every), PARAMS)
    assert is_clear(table(right, every), table(right, every), PARAMS)
    assert not is_clear(table(close, every), table(right, every), PARAMS.model_copy(update={"alpha": 0.003}))


def test_what_is_saved_is_said():
    every = questions(stale=(0,))
    look = next(planned_looks(every, PARAMS))

    said = look.saved(every, samples=2)

    assert said.startswith("Look 1 of 4 was clear: ")
    assert f"saves {2 * (119 - len(look.question_ids))} answers" in said

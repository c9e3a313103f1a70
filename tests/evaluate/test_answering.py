import json

import pandas as pd
import pytest

from flows.core.contracts import ANSWERS
from flows.core.errors import ContractError
from flows.core.tables import write_table
from flows.evaluate.answering import known_answers, stored_answers, turn_of, wanted, work_file
from flows.evaluate.params import EvaluateParams
from flows.evaluate.registry import METRICS
from flows.evaluate.scoring import join, score_cases

RELEASE = "a" * 32
QUESTIONS = pd.DataFrame(
    {
        "question_id": ["2" * 32, "1" * 32, "3" * 32], "question": ["What is b?", "What is a?", "What is c?"],
        "question_type": "simple", "reference_answer": "It is a letter.", "answerable": True, "document_id": "d",
        "reference_spans": json.dumps([{"document_id": "d", "document_version": "v", "start": 0, "end": 15,
                                        "quote": "It is a letter."}]),
        "stale": [False, False, True],
    }
)  # fmt: skip


def answer_row(item, **changes):
    row = {
        "answer_id": item.answer_id(RELEASE), "release_id": RELEASE, "question_id": item.question_id,
        "sample": item.sample, "answer": "It is a letter.", "refused": False, "format_valid": True, "citations": "[]",
        "retrieved": "[]", "call_ids": "[]", "input_tokens": 1, "output_tokens": 1, "latency_ms": 1.0, "cost_usd": 0.0,
        "error": None,
    }  # fmt: skip
    return row | changes


def test_stale_questions_are_not_asked_and_samples_are_separate_answers():
    todo = wanted(QUESTIONS, 2)
    assert [(item.question, item.sample) for item in todo] == [
        ("What is a?", 0), ("What is b?", 0), ("What is a?", 1), ("What is b?", 1),
    ]  # fmt: skip
    assert len({item.answer_id(RELEASE) for item in todo}) == 4


def test_earlier_turns_of_a_conversation_reach_the_chain_as_history():
    said = QUESTIONS.replace("What is a?", "user: This is about a.\nassistant: Go ahead.\nuser: What is it?")
    turn, other = (turn_of(item) for item in wanted(said, 1))
    assert [(item.role, item.content) for item in turn.history] == [
        ("user", "This is about a."),
        ("assistant", "Go ahead."),
    ]
    assert (turn.question, other.question, other.history) == ("What is it?", "What is b?", ())


def test_a_question_in_new_words_is_a_new_answer():
    (item, *_) = wanted(QUESTIONS, 1)
    (other, *_) = wanted(QUESTIONS.replace("What is a?", "What exactly is a?"), 1)
    assert item.answer_id(RELEASE) != other.answer_id(RELEASE)


def test_outages_are_asked_again_and_faults_of_the_model_are_not(project):
    todo = wanted(QUESTIONS, 2)
    errors = [None, "unavailable", "schema_mismatch", "unknown_outcome"]
    rows = [answer_row(item, error=error) for item, error in zip(todo, errors, strict=True)]
    write_table(work_file(project, RELEASE), pd.DataFrame(rows), ANSWERS)
    known = known_answers(project, RELEASE)
    assert set(known["answer_id"]) == {todo[0].answer_id(RELEASE), todo[2].answer_id(RELEASE)}
    assert len(stored_answers(project, RELEASE, todo)) == 4  # what failed is still shown, and counted


def test_answers_of_earlier_runs_and_of_the_frozen_baseline_are_found(project):
    one, two = wanted(QUESTIONS, 1)
    write_table(project.data("evaluate", "answers.parquet"), pd.DataFrame([answer_row(one)]), ANSWERS)
    frozen = project.data("evaluate", "baseline", RELEASE, "answers.parquet")
    write_table(frozen, pd.DataFrame([answer_row(two)]), ANSWERS)
    assert len(known_answers(project, RELEASE)) == 2
    assert known_answers(project, "b" * 32).empty


def test_every_answer_gets_a_row_per_metric_and_stale_questions_none():
    rows = pd.DataFrame([answer_row(item) for item in wanted(QUESTIONS.assign(stale=False), 1)])
    scores = score_cases(RELEASE, join(QUESTIONS, rows), EvaluateParams())
    assert scores.groupby("question_id").size().to_dict() == {"1" * 32: len(METRICS), "2" * 32: len(METRICS)}
    assert scores["score"].isna().equals(scores["unscored_reason"].notna())


def test_an_answer_given_twice_is_refused():
    rows = [answer_row(item) for item in wanted(QUESTIONS, 1)] * 2
    with pytest.raises(ContractError, match="2 \\(question, sample\\) have two answers"):
        score_cases(RELEASE, join(QUESTIONS, pd.DataFrame(rows)), EvaluateParams())


def test_a_second_sample_is_held_against_the_first_of_its_question():
    rows = [answer_row(item) for item in wanted(QUESTIONS, 2)]
    rows[3] |= {"answer": "It is a number."}
    scores = score_cases(RELEASE, join(QUESTIONS, pd.DataFrame(rows)), EvaluateParams())
    agreed = scores[scores["metric"] == "self_consistency"].set_index(["question_id", "sample"])["score"]
    assert agreed["1" * 32].tolist() == [1, 1]
    assert agreed["2" * 32].tolist() == [0, 0]

"""Sections on quality: verdict, guardrails, worst questions, and which metric was not measured where."""

import pandas as pd

from flows.report import quality
from flows.report.collect import Facts
from flows.report.params import ReportParams

SIDE = {"center": 0.1, "lower": 0.05, "upper": 0.15, "verdict": "pass"}
RAIL = {"mean": 0.5, "low": 0.4, "high": None, "verdict": "pass", "review": "in time", "sides": {"at_least": SIDE}}
EFFECT = {"center": -0.01, "lower": -0.03, "upper": 0.01, "margin": 0.05, "verdict": "pass"}
VERDICT = {
    "verdict": "inconclusive",
    "release_id": "a" * 32,
    "baseline_release_id": "b" * 32,
    "paragraph": "The data cannot decide.",
    "n_questions": 3,
    "n_documents": 2,
    "metrics": {"correctness": EFFECT, "cost_usd": EFFECT | {"lower": None}},
    "guardrails": {"correctness": RAIL},
}
SCORES = pd.DataFrame(
    {
        "metric": ["correctness", "correctness", "mrr", "mrr"],
        "question_type": ["simple", "unanswerable"] * 2,
        "score": [0.5, None, 1.0, None],
    }
)


def facts(**known):
    tables = {"scores": None, "answers": None} | known.pop("tables", {})
    return Facts(json={"verdict": None, "worst": None} | known, tables=tables, runs={}, baseline_answers=None)


def test_the_verdict_is_said_in_words_and_drawn():
    body = quality.verdict(facts(verdict=VERDICT), ReportParams()).body

    assert "neither shown worse nor shown good enough" in body
    assert "The data cannot decide." in body
    assert body.count("<svg") == 2


def test_without_an_evaluation_nothing_is_claimed():
    for section in (quality.verdict, quality.metrics, quality.worst):
        assert "Not measured" in section(facts(), ReportParams()).body


def test_unscored_answers_are_counted_and_not_averaged():
    table = quality.metric_table(SCORES).set_index("metric")

    assert table.loc["correctness", "all"] == 0.5
    assert table.loc["correctness", ["answers", "unscored"]].tolist() == [2, 1]
    assert "not measured" in quality.metrics(facts(verdict=VERDICT, tables={"scores": SCORES}), ReportParams()).body


def test_challenges_are_told_by_kind_in_a_table_of_their_own():
    hostile = pd.DataFrame({"metric": ["bias_gap"], "question_type": ["challenge:bias"], "score": [0.25]})

    body = quality.metrics(facts(tables={"scores": pd.concat([SCORES, hostile])}), ReportParams()).body

    assert "Challenges" in body
    assert "challenge:" not in body
    assert "Challenges" not in quality.metrics(facts(tables={"scores": SCORES}), ReportParams()).body


def test_the_worst_questions_show_the_answer_and_that_there_is_no_baseline():
    worst = [
        {
            "question_id": "q",
            "question": "Why?",
            "question_type": "simple",
            "candidate_mean": 0.1,
            "baseline_mean": None,
        }
    ]
    answers = pd.DataFrame({"question_id": ["q"], "answer": ["Because."]})

    body = quality.worst(facts(worst=worst, tables={"answers": answers}), ReportParams()).body

    assert "Because." in body
    assert "no baseline" in body

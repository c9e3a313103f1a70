"""Sections on quality: verdict, guardrails, worst questions, and which metric was not measured where."""

import pandas as pd

from flows.report import evidence, quality
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


# -- evidence ----------------------------------------------------------------------------------------

GROUP = {"name": "all", "mean": 0.7, "lower": 0.6, "upper": 0.8, "questions": 40, "documents": 20, "note": ""}
FEW = GROUP | {"name": "gate", "mean": 0.1, "lower": None, "upper": None, "note": "too few"}
PART = {"name": "retriever", "score": GROUP, "metrics": [GROUP | {"name": "mrr"}],
        "topics": [GROUP | {"name": "costs", "mean": 0.5}, FEW], "types": [GROUP]}  # fmt: skip
ABSENT = {"name": "router", "score": FEW | {"mean": None, "note": "not measured: no router"}, "metrics": [],
          "topics": [], "types": []}  # fmt: skip


def test_overdue_guardrails_are_yellow_and_expired_ones_say_what_they_do():
    for state, said in (("overdue", "before the gate is invalid"), ("expired", "the gate is invalid until")):
        late = VERDICT | {"guardrails": {"correctness": RAIL | {"review": state, "owner": "ann"}}}
        body = quality.verdict(facts(verdict=late), ReportParams()).body
        assert '<p class="notice">' in body
        assert said in body
    assert "notice" not in quality.verdict(facts(verdict=VERDICT), ReportParams()).body


def test_looks_and_what_would_decide_are_shown():
    step = {"number": 1, "of": 3, "share": 1.0, "questions": 40, "candidate_samples": 1, "alpha": 0.035,
            "verdict": "inconclusive", "answers": 200}  # fmt: skip
    option = {"more": 2, "of": "repeats", "calls": 80, "cost_usd": 0.4, "alpha": 0.02, "p_decide_at_least": 0.66}
    known = VERDICT | {"looks": {"taken": [step, step | {"number": 2}]}, "evidence": {"options": [option]}}
    body = quality.verdict(facts(verdict=known), ReportParams()).body
    assert "2 of 3" in body
    assert "66% or more" in body
    assert "Looks</h3>" not in quality.verdict(facts(verdict=VERDICT), ReportParams()).body


def test_parts_are_shown_with_intervals_and_small_groups_are_not_called_worst():
    body = evidence.parts(facts(components=[PART, ABSENT]), ReportParams()).body
    assert "0.60 to 0.80" in body
    assert "costs: 0.50" in body
    assert "not measured: no router" in body
    assert "Not measured: run" in evidence.parts(facts(), ReportParams()).body


def test_a_drawn_interval_ends_where_the_metrics_range_ends():
    rail = RAIL | {"low": 0.9, "likely_between": [0.95, 1.0], "sides": {"at_least": SIDE | {"upper": 0.3}}}
    (bar,) = quality._beyond_limit("correctness", rail)
    assert bar.upper == 1.0 - 0.9

"""The gate: four verdicts, fail closed, and a JSON other tools rely on."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.core.errors import ContractError, ParamsError
from flows.stats.effects import Effect, MetricSpec
from flows.stats.gate import GatePolicy, MetricVerdict, combine, gate, holm, judge

SHARE = MetricSpec(kind="bounded", low=0.0, high=1.0, margin=0.05)
POLICY = GatePolicy()
SOUND = Effect(100, 20, 0, 100, 0.8, 0.8, 0.0, 0.0, 0.02, 21, -0.03, 0.03, 0.5, 0.01)


def decide(rows, before, after, spec=SHARE, policy=POLICY):
    return gate({"m": rows(before)}, {"m": rows(after)}, {"m": spec}, policy)


def documents(n, scores):
    return {f"d{i}": list(scores) for i in range(n)}


def test_identical_outputs_pass_with_a_finite_interval(rows):
    result = decide(rows, documents(50, [1.0, 0.0, 1.0, 1.0]), documents(50, [1.0, 0.0, 1.0, 1.0]))
    assert result.verdict == "pass"
    assert -0.02 < result.metrics["m"].effect.lower < 0


def test_a_broken_release_fails(rows):
    result = decide(rows, documents(20, [1.0, 1.0]), documents(20, [1.0, 0.0]))
    assert result.verdict == result.metrics["m"].verdict == "fail"


def test_too_little_data_to_tell_is_inconclusive_not_a_pass(rows):
    result = decide(rows, documents(10, [1.0]), documents(10, [1.0]))
    assert result.verdict == "inconclusive"
    assert result.metrics["m"].flags == ()


def test_fewer_documents_than_the_minimum_never_decide(rows):
    result = decide(rows, documents(7, [1.0] * 50), documents(7, [0.0] * 50))
    assert result.verdict == "inconclusive"
    assert result.metrics["m"].flags == ("few_documents",)
    policy = GatePolicy(documents_min=7)
    assert decide(rows, documents(7, [1.0] * 50), documents(7, [0.0] * 50), policy=policy).verdict == "fail"


def test_one_question_is_inconclusive(rows):
    assert decide(rows, {"a": [1.0]}, {"a": [1.0]}).verdict == "inconclusive"


@pytest.mark.parametrize(("lost", "verdict"), [(5, "pass"), (6, "invalid")])
def test_up_to_five_percent_missing_count_as_worst_and_more_is_invalid(rows, lost, verdict):
    lenient = replace(SHARE, margin=0.5)
    after = {f"d{i}": [None if i < lost else 1.0] for i in range(100)}
    result = decide(rows, documents(100, [1.0]), after, lenient)
    assert result.verdict == verdict
    assert result.metrics["m"].effect.n_missing == lost


def test_missing_answers_of_an_unbounded_metric_are_dropped_counted_and_limited(rows):
    seconds = MetricSpec(kind="unbounded", higher_is_better=False, margin=0.5)
    after = {f"d{i}": [None if i < 6 else 1.0] for i in range(100)}
    verdict = decide(rows, documents(100, [1.0]), after, seconds).metrics["m"]
    assert (verdict.effect.n_questions, verdict.effect.n_missing) == (94, 6)
    assert (verdict.verdict, verdict.flags) == ("invalid", ("too_many_missing",))


def test_a_small_drop_that_is_shown_passes_with_a_flag(rows):
    seconds = MetricSpec(kind="unbounded", higher_is_better=False, margin=0.5)
    result = decide(rows, documents(20, [1.0]), documents(20, [1.25]), seconds)
    assert (result.verdict, result.metrics["m"].flags) == ("pass", ("small_drop_shown",))


@pytest.mark.parametrize(
    ("before", "after", "kind", "flag"),
    [
        ({"a": [1.0]}, {"b": [1.0]}, "unbounded", "no_common_questions"),
        ({"a": [1.0, 2.0]}, {"a": [1.0, 2.0]}, "unbounded", "one_document"),
        ({"a": [1.0], "b": [1.0]}, {"a": [0.0], "b": [0.0]}, "ratio", "non_positive_total"),
        ({"a": [1.0], "b": [1.0]}, {"a": [None], "b": [None]}, "unbounded", "no_common_questions"),
        ({}, {}, "ratio", "no_common_questions"),
    ],
)
def test_what_cannot_be_evaluated_is_invalid_and_says_why(rows, before, after, kind, flag):
    result = decide(rows, before, after, MetricSpec(kind=kind, margin=0.1))
    assert result.verdict == "invalid"
    assert result.metrics["m"].flags == (flag,)


def test_no_metric_at_all_is_invalid():
    assert gate({}, {}, {}, POLICY).verdict == "invalid"


def test_a_metric_scored_on_one_side_only_is_invalid(rows):
    result = gate({"m": rows(documents(9, [1.0]))}, {}, {"m": SHARE}, POLICY)
    assert (result.verdict, result.metrics["m"].flags) == ("invalid", ("not_evaluated",))


def test_a_misspelt_metric_is_named_with_a_suggestion(rows):
    scores = {"correctness": rows({"a": [1.0]})}
    with pytest.raises(ContractError, match=r"'corectness'.* Did you mean 'correctness'\?"):
        gate(scores, scores, {"corectness": SHARE}, POLICY)


def verdict_of(p, verdict):
    return MetricVerdict(replace(SOUND, p_worse=p), verdict)


def test_a_fail_that_does_not_survive_holm_is_inconclusive():
    metrics = {"bad": verdict_of(0.02, "fail")} | {f"m{i}": verdict_of(0.5, "pass") for i in range(2)}
    result = combine(metrics, POLICY)
    assert result.verdict == "inconclusive"
    assert result.metrics["bad"].flags == ("fail_not_confirmed",)
    assert combine({"bad": metrics["bad"], "m0": metrics["m0"]}, POLICY).verdict == "fail"


def test_holm_steps_down_so_a_clear_fail_helps_the_next_one():
    result = combine({"a": verdict_of(0.001, "fail"), "b": verdict_of(0.04, "fail")}, POLICY)
    assert [m.verdict for m in result.metrics.values()] == ["fail", "fail"]


def test_the_worst_verdict_wins():
    pass_, fail = verdict_of(0.5, "pass"), verdict_of(0.001, "fail")
    unsure, invalid = verdict_of(0.2, "inconclusive"), MetricVerdict(Effect(0, 0, 0, 0), "invalid")
    assert combine({"a": pass_, "b": pass_}, POLICY).verdict == "pass"
    assert combine({"a": pass_, "b": unsure}, POLICY).verdict == "inconclusive"
    assert combine({"a": unsure, "b": fail}, POLICY).verdict == "fail"
    assert combine({"a": fail, "b": invalid}, POLICY).verdict == "invalid"


def test_passing_needs_no_correction_for_many_metrics():
    metrics = {f"m{i}": judge(SOUND, 0.05, POLICY) for i in range(50)}
    assert combine(metrics, POLICY).verdict == "pass"


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([]) == []


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_lies_between_no_correction_and_bonferroni_and_keeps_the_order(p_values):
    adjusted = holm(p_values)
    assert all(p <= a <= min(1.0, p * len(p_values)) + 1e-12 for p, a in zip(p_values, adjusted, strict=True))
    assert [adjusted[i] for i in np.argsort(p_values)] == sorted(adjusted)


def test_json_has_exactly_the_fixed_names_and_is_strict_json(rows):
    specs = {"good": SHARE, "empty": SHARE}
    side = {"good": rows(documents(50, [1.0, 0.0])), "empty": rows({})}
    found = json.loads(json.dumps(gate(side, side, specs, POLICY).to_json(), allow_nan=False))
    assert list(found) == ["verdict", "metrics"]
    assert list(found["metrics"]["good"]) == [
        "n_questions", "n_documents", "n_missing", "baseline_mean", "candidate_mean", "effect", "center", "se", "df",
        "lower", "upper", "p_worse", "p_noninferior", "verdict", "flags",
    ]  # fmt: skip
    assert found["metrics"]["empty"]["effect"] is None
    assert found["metrics"]["empty"]["flags"] == ["no_common_questions"]
    assert found["metrics"]["good"]["df"] == 51


@pytest.mark.parametrize("wrong", [{"alpha": 0.0}, {"alpha": 0.5}, {"documents_min": 1}, {"missing_share_max": 1.5}])
def test_an_impossible_policy_is_refused(wrong):
    with pytest.raises(ParamsError, match=next(iter(wrong))):
        GatePolicy(**wrong)

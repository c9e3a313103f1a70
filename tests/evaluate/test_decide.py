import json
import re
from datetime import date

import numpy as np
import pandas as pd
import pytest

from flows.core.contracts import SCORES
from flows.core.errors import ParamsError
from flows.core.tables import check
from flows.evaluate.decide import by_metric, decide, overdue
from flows.evaluate.evidence import Terms
from flows.evaluate.gateplan import offer
from flows.evaluate.outputs import by_type, flat_metrics, verdict_json, worst_questions
from flows.evaluate.paragraph import Names, paragraph
from flows.evaluate.params import EvaluateParams
from flows.evaluate.undecided import evidence_for

TODAY = date(2026, 12, 1)
RELEASE, PRODUCTION = "a" * 32, "b" * 32
NAMES = Names.of_releases(RELEASE, PRODUCTION)
RAIL = {"owner": "ann", "reason": "because", "decided": "2026-01-01", "review_by": "2027-01-01"}


def params(**values):
    return EvaluateParams.parse({"gated_metrics": ["correctness"], "guardrails": {}} | values, where="test")


def table(values, *, metric="correctness", release=RELEASE, documents=20, reasons=None, kinds=("simple",)):
    """One score per question; question i is about document i modulo `documents`."""
    rows = [
        {
            "release_id": release, "question_id": f"{number:032x}", "document_id": f"d{number % documents}",
            "question_type": kinds[number % len(kinds)], "sample": 0, "metric": metric, "score": value,
            "unscored_reason": reasons[number] if reasons else None,
        }
        for number, value in enumerate(values)
    ]  # fmt: skip
    return check(pd.DataFrame(rows), SCORES)


def noisy(mean, n=200, seed=0):
    return (np.random.default_rng(seed).random(n) < mean).astype(float)


def verdict(candidate, baseline=None, today=TODAY, **values):
    return decide(candidate, baseline, params(**values), today=today)


# -- against production ------------------------------------------------------------------------------


def test_the_same_scores_pass():
    scores = noisy(0.8)
    assert verdict(table(scores), table(scores, release=PRODUCTION)).result.verdict == "pass"


def test_a_clear_loss_fails_and_says_so():
    found = verdict(table(noisy(0.5, seed=1)), table(noisy(0.9, seed=2), release=PRODUCTION))
    assert found.result.verdict == "fail"
    said = paragraph(NAMES, found, params())
    assert "it fails" in said
    assert re.search(r"correctness is shown to be worse: [\d.]+ points worse, likely between", said)
    assert "5.0 points is tolerated" in said


def test_a_small_noisy_difference_is_inconclusive_never_a_pass():
    before = np.tile([1.0, 1.0, 1.0, 0.0], 15)
    after = before.copy()
    after[[0, 1, 2, 4, 5, 6]], after[[3, 7, 11, 15, 19]] = 0.0, 1.0  # six got worse, five better
    found = verdict(table(after), table(before, release=PRODUCTION))
    assert found.result.verdict == "inconclusive"
    assert "cannot decide" in paragraph(NAMES, found, params())


def test_few_documents_never_decide():
    scores = noisy(0.8)
    found = verdict(table(scores, documents=5), table(scores, release=PRODUCTION, documents=5))
    assert found.result.verdict == "inconclusive"
    assert "too few documents" in paragraph(NAMES, found, params())


def test_lost_answers_beyond_the_limit_are_invalid():
    lost = [None if number < 20 else 1.0 for number in range(200)]
    reasons = ["no_answer" if value is None else None for value in lost]
    found = verdict(table(lost, reasons=reasons), table([1.0] * 200, release=PRODUCTION))
    assert found.result.verdict == "invalid"
    assert "too many answers are missing" in paragraph(NAMES, found, params())


def test_questions_a_metric_does_not_apply_to_are_not_missing():
    values = [None if number < 100 else 1.0 for number in range(200)]
    reasons = ["not_applicable" if value is None else None for value in values]
    both = [table(values, reasons=reasons, release=release) for release in (RELEASE, PRODUCTION)]
    found = verdict(*both)
    assert found.result.verdict == "pass"
    assert found.result.metrics["correctness"].effect.n_questions == 100


def test_a_production_without_answers_is_invalid():
    empty = table([1.0], release=PRODUCTION).iloc[:0]
    assert verdict(table([1.0] * 20), empty).result.verdict == "invalid"


def test_a_metric_that_informs_does_not_block():
    bad, good = table(noisy(0.2), metric="mrr"), table(noisy(0.9, seed=5), metric="mrr", release=PRODUCTION)
    same = noisy(0.8)
    candidate = pd.concat([table(same), bad], ignore_index=True)
    baseline = pd.concat([table(same, release=PRODUCTION), good], ignore_index=True)
    found = verdict(candidate, baseline)
    assert found.result.verdict == "pass"
    assert found.informed["mrr"].verdict == "fail"


def test_cost_is_compared_by_ratio_and_left_out_where_both_are_free():
    values = {"gated_metrics": ["cost_usd"]}
    free = [table([0.0] * 200, metric="cost_usd", release=release) for release in (RELEASE, PRODUCTION)]
    found = verdict(*free, **values)
    assert (found.costs_nothing, found.result.verdict) == (("cost_usd",), "invalid")  # nothing was left to judge
    cheap = np.random.default_rng(0).uniform(0.9, 1.1, 200)
    pair = table(cheap * 1.5, metric="cost_usd"), table(cheap, metric="cost_usd", release=PRODUCTION)
    assert verdict(*pair, **values).result.verdict == "fail"
    assert verdict(pair[1], pair[0], **values).result.verdict == "pass"


def test_an_unpriced_cost_is_not_measured_and_does_not_block():
    unpriced = {"reasons": ["unpriced"] * 200, "metric": "cost_usd"}
    same = noisy(0.8)
    both = [
        pd.concat([table(same, release=r), table([None] * 200, release=r, **unpriced)], ignore_index=True)
        for r in (RELEASE, PRODUCTION)
    ]
    found = verdict(*both, gated_metrics=["correctness", "cost_usd"])
    assert found.result.verdict == "pass"
    assert "cost_usd" in found.not_measured
    assert "Not measured:" in paragraph(NAMES, found, params())


# -- guardrails --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("limits", "expected"),
    [({"low": 0.6}, "pass"), ({"low": 0.95}, "fail"), ({"low": 0.8}, "inconclusive"), ({"high": 0.5}, "fail"),
     ({"low": 0.6, "high": 0.95}, "pass")],
)  # fmt: skip
def test_a_guardrail_holds_only_when_it_is_shown_to(limits, expected):
    found = verdict(table(noisy(0.8)), guardrails={"correctness": RAIL | limits})
    assert found.result.verdict == expected


def test_without_production_and_guardrails_nothing_can_be_said():
    found = verdict(table([1.0] * 200))
    assert found.result.verdict == "invalid"
    assert "evaluate.guardrails" in paragraph(Names.of_releases(RELEASE, None), found, params())


def test_a_guardrail_on_what_was_not_measured_blocks():
    found = verdict(table([1.0] * 200), guardrails={"cost_usd": RAIL | {"high": 0.1, "unit": "usd"}})
    assert found.result.verdict == "invalid"


def test_a_release_that_refuses_everything_does_not_slip_through():
    found = verdict(table([0.0] * 200), guardrails={"correctness": RAIL | {"low": 0.4}})
    assert found.result.verdict == "fail"


def test_no_answers_at_all_are_invalid():
    empty = table([1.0]).iloc[:0]
    found = verdict(empty, guardrails={"correctness": RAIL | {"low": 0.4}})
    assert (found.result.verdict, found.n_questions) == ("invalid", 0)


@pytest.mark.parametrize(
    ("today", "state", "expected"),
    [(date(2026, 12, 31), {}, "pass"), (date(2027, 1, 10), {"correctness": "overdue"}, "pass"),
     (date(2027, 3, 1), {"correctness": "expired"}, "invalid")],
)  # fmt: skip
def test_an_overdue_review_is_named_and_blocks_after_the_grace_period(today, state, expected):
    rails = {"correctness": RAIL | {"low": 0.5}}
    assert overdue(params(guardrails=rails), today) == state
    assert verdict(table(noisy(0.9)), today=today, guardrails=rails).result.verdict == expected


# -- params ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"gated_metrics": ["corectness"]}, "Did you mean 'correctness'"),
        ({"gated_metrics": ["mrr", "mrr"]}, "stands twice"),
        ({"margins": {"mrr": -1}}, "below 0"),
        ({"guardrails": {"mrr": RAIL}}, "needs low or high"),
        ({"guardrails": {"mrr": RAIL | {"low": 0.9, "high": 0.1}}}, "not below high"),
        ({"guardrails": {"mrr": RAIL | {"low": 70}}}, "outside the metric's range"),
        ({"guardrails": {"mrr": {"low": 0.5}}}, "owner"),
        ({"guardrails": {"mrr": RAIL | {"low": 0.5, "review_by": "2025-01-01"}}}, "review_by is not after decided"),
    ],
)
def test_wrong_params_are_named(values, message):
    with pytest.raises(ParamsError, match=message):
        EvaluateParams.parse(values, where="params.yaml")


# -- what is written ---------------------------------------------------------------------------------


def test_the_verdict_has_the_gates_fields_and_is_json():
    same, values = noisy(0.8), {"guardrails": {"correctness": RAIL | {"low": 0.5}}}
    found = verdict(table(same), table(same, release=PRODUCTION), **values)
    written = verdict_json(
        RELEASE, PRODUCTION, found, params(**values), cost_usd=0.0, overdue={}, notes=[], evidence=offer({}, Terms())
    )
    assert written["evidence"] is None
    assert json.loads(json.dumps(written, allow_nan=False)) == written
    assert {
        "effect",
        "center",
        "se",
        "df",
        "lower",
        "upper",
        "p_worse",
        "p_noninferior",
        "n_missing",
        "verdict",
    } <= set(written["metrics"]["correctness"])
    rail = written["guardrails"]["correctness"]
    assert (rail["verdict"], rail["owner"], rail["review"]) == ("pass", "ann", "in time")
    assert rail["mean"] == pytest.approx(same.mean())
    assert written["n_questions"] == 200


def undecided():
    """Scores of 60 questions, a few better and a few worse than the baseline's."""
    before = np.tile([1.0, 1.0, 1.0, 0.0], 15)
    after = before.copy()
    after[[0, 1, 2, 4, 5, 6]], after[[3, 7, 11, 15, 19]] = 0.0, 1.0
    return table(after), table(before, release=PRODUCTION)


def test_an_undecided_verdict_says_what_would_decide_it_and_at_what_price():
    scores, baseline = undecided()
    found = verdict(scores, baseline)
    evidence = evidence_for(found, scores, baseline, params(), cost_per_answer=0.01)
    written = verdict_json(RELEASE, PRODUCTION, found, params(), cost_usd=0.6, overdue={}, notes=[], evidence=evidence)
    best = written["evidence"]["best"]
    assert best["cost_usd"] == pytest.approx(0.01 * best["calls"])
    assert best["metrics"]["correctness"]["p_pass"] > 0
    assert "To decide: " in written["paragraph"]
    assert json.loads(json.dumps(written, allow_nan=False)) == written


def test_what_is_offered_after_the_last_look_rests_on_the_level_that_was_used():
    scores, baseline = undecided()
    found = verdict(scores, baseline)
    looks = {"ahead": [], "alpha_total": 0.05, "alpha_ahead": 0.065}
    offered = evidence_for(found, scores, baseline, params(), cost_per_answer=0.01, looks=looks)
    assert "today's look was not planned and had 0.05," in offered.sentence()


def test_an_undecided_guardrail_says_what_would_decide_it_also_with_nothing_in_production():
    scores = table(noisy(0.8))
    values = {"guardrails": {"correctness": RAIL | {"low": 0.8}}}
    found = verdict(scores, **values)
    assert found.result.verdict == "inconclusive"
    offered = evidence_for(found, scores, None, params(**values), cost_per_answer=None)
    assert set(offered.known) == {"correctness:at_least"}
    assert {option.of for option in offered.options} == {"questions"}  # nobody knows what repeats would bring
    few = decide(scores, None, params(documents_min=30, **values), today=TODAY)
    assert not evidence_for(few, scores, None, params(documents_min=30, **values), cost_per_answer=None).known


def test_flat_metrics_and_metrics_by_type_agree():
    scores = table(noisy(0.8), kinds=("simple", "complex"))
    flat, typed = flat_metrics(scores), by_type(scores)
    assert set(flat) == {"correctness", "simple.correctness", "complex.correctness"}
    assert flat["correctness"] == pytest.approx((flat["simple.correctness"] + flat["complex.correctness"]) / 2)
    assert dict(zip(typed["question_type"], typed["mean"], strict=True)) == {
        kind: flat[f"{kind}.correctness"] for kind in ("simple", "complex")
    }


def test_the_worst_questions_are_those_that_lost_most():
    candidate = table([1.0, 0.0, 0.5, 1.0])
    baseline = table([1.0, 1.0, 0.6, 0.0], release=PRODUCTION)
    asked = pd.DataFrame({"question_id": candidate["question_id"], "question": list("abcd"), "question_type": "simple"})
    assert [row["question"] for row in worst_questions(candidate, baseline, asked, params(worst_questions=2))] == [
        "b",
        "c",
    ]
    assert worst_questions(candidate, None, asked, params(worst_questions=1))[0]["question"] == "b"


def test_the_order_of_rows_changes_nothing():
    scores, other = table(noisy(0.8)), table(noisy(0.7, seed=9), release=PRODUCTION)
    one, two = verdict(scores, other), verdict(scores.iloc[::-1], other.sample(frac=1, random_state=1))
    written = [found.result.metrics["correctness"].to_json() for found in (one, two)]
    assert written[0].pop("verdict") == written[1].pop("verdict")
    assert written[0].pop("flags") == written[1].pop("flags")
    assert written[0] == pytest.approx(written[1])
    assert set(by_metric(scores)) == {"correctness"}


def test_a_metric_that_only_informs_changes_no_verdict_even_when_one_side_lacks_it():
    scores, lacking = noisy(0.8), ["one_sample"] * 200
    ours = pd.concat([table(scores), table([None] * 200, metric="self_consistency", reasons=lacking)])
    theirs = pd.concat([table(scores), table(noisy(0.9), metric="self_consistency")])
    found = verdict(ours, theirs.assign(release_id=PRODUCTION))
    assert found.result.verdict == "pass"
    assert "self_consistency" in found.not_measured
    worse = pd.concat([table(scores), table(noisy(0.1), metric="toxicity")])
    assert verdict(worse, table(scores, release=PRODUCTION)).result.verdict == "pass"

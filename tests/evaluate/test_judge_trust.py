"""A judge without a calibration that fits leaves gate and guardrails; means are corrected where labels exist."""

import pandas as pd
import pytest

from flows.evaluate.decide import decide
from flows.evaluate.judge_records import Calibration, Trust, sufficient
from flows.evaluate.judge_trust import Standing, reports, standings, trusted_only
from flows.evaluate.params import EvaluateParams

RAIL = {"low": 0.9, "owner": "a", "reason": "b", "decided": "2026-01-01", "review_by": "2099-01-01"}


@pytest.fixture
def params():
    judges = {"one": {"prompt": "judge_correctness"}, "two": {"prompt": "judge_helpfulness"}}
    return EvaluateParams.parse(
        {"judges": judges, "gated_metrics": ["correctness", "judge_one"], "guardrails": {"judge_two": RAIL}},
        where="the test",
    )


def record(labels=60, kappa=0.6, low=0.3):
    agreement = {"kappa": {"estimate": kappa, "low": low, "high": 0.9}}
    return Calibration("", "one", {}, "", "2026-01-01", agreement, {}, 4, 4, [1.0, 0.0] * (labels // 2),
                       [1.0, 1.0] * (labels // 2))  # fmt: skip


@pytest.mark.parametrize(
    ("known", "may", "why"),
    [(record(), True, "kappa 0.60 on 60 labels"), (record(labels=48), False, "48 of 50 labels"),
     (record(kappa=0.39), False, "below 0.4"), (record(low=-0.1), False, "not shown to be above chance"),
     (record(kappa=None, low=None), False, "undefined")],
)  # fmt: skip
def test_what_suffices_to_decide(params, known, may, why):
    found = sufficient(known, params)
    assert found.may_gate is may
    assert why in found.why


def standing(judge, trust):
    return Standing(judge, trust, wanted=True)


def test_judges_that_may_not_decide_leave_gate_and_guardrails(judge_world, params):
    one, two = standings(judge_world.project, params, "fake-chat")
    assert (one.demoted, two.demoted) == (True, True)
    bare = trusted_only(params, [one, two])
    assert (bare.gated_metrics, bare.guardrails) == (("correctness",), {})
    kept = trusted_only(params, [standing(one.judge, Trust(True, "")), two])
    assert kept.gated_metrics == ("correctness", "judge_one")


def rows(metric, score, n=12):
    return pd.DataFrame(
        [{"release_id": "r", "question_id": f"q{i}", "document_id": f"d{i}", "question_type": "simple", "sample": 0,
          "metric": metric, "score": score, "unscored_reason": None if score is not None else "anchors_failed"}
         for i in range(n)]
    )  # fmt: skip


def test_a_gate_of_untrusted_judges_only_is_invalid_and_never_a_pass(judge_world, params, now):
    alone = params.model_copy(update={"gated_metrics": ("judge_one",)})
    bare = trusted_only(alone, standings(judge_world.project, alone, "fake-chat"))
    found = decide(rows("judge_one", 1.0), rows("judge_one", 0.0), bare, today=now.date())
    assert found.result.verdict == "invalid"
    assert set(found.informed) == {"judge_one"}


def test_a_trusted_judge_without_scores_is_invalid_and_never_a_pass(params, now):
    found = decide(rows("judge_one", None), rows("judge_one", None), params, today=now.date())
    assert found.result.metrics["judge_one"].verdict == "invalid"


def test_the_report_corrects_the_mean_by_labels_where_the_calibration_fits(judge_world, params):
    """The judge says 1 to everything; people agreed with half of it."""
    one, two = standings(judge_world.project, params, "fake-chat")
    known = standing(one.judge, Trust(True, "kappa 0.60 on 60 labels", record()))
    scores = pd.concat([rows("judge_one", 1.0), rows("judge_two", None)])
    found = {item.standing.judge.name: item for item in reports(judge_world.project, [known, two], "r", scores)}
    assert found["one"].mean.estimate == 1.0
    assert found["one"].corrected.estimate == pytest.approx(0.5)
    assert "Its mean is 1.00 (1.00 to 1.00), corrected by labels 0.50" in " ".join(found["one"].sentences())
    assert (found["two"].unscored, found["two"].to_json()["mean"]["estimate"]) == (12, None)
    assert found["two"].sentences() == ["judge_two was to decide and only informs: it is not calibrated."]

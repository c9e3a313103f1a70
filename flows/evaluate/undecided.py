"""What is known of everything that a verdict left open, and what would decide it."""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from flows.evaluate.buying import Ahead
from flows.evaluate.decide import Judgement, by_metric
from flows.evaluate.evidence import Known, Terms, components
from flows.evaluate.gateplan import Offer, offer, undecided
from flows.evaluate.looks import Look
from flows.evaluate.params import EvaluateParams
from flows.evaluate.registry import JUDGED, metric_of
from flows.stats.effects import Effect
from flows.stats.gate import MetricVerdict

if TYPE_CHECKING:
    import pandas as pd


def evidence_for(
    found: Judgement, scores: "pd.DataFrame", baseline: "pd.DataFrame | None", params: EvaluateParams, *,
    cost_per_answer: float | None, look: Look | None = None, looks: Mapping[str, Any] | None = None,
) -> Offer:  # fmt: skip
    """Return what would decide whatever is inconclusive, at the price of today's answers.

    Args:
        found: What was found.
        scores: Of the candidate.
        baseline: Of production; None = there is none.
        params: With the level that was used.
        cost_per_answer: Mean, in USD; None = unknown.
        look: The look that counts.
        looks: Record of the looks; of those ahead the next is offered, without any more than was planned.
    """
    record = looks or {}
    ahead = [Ahead(**item) for item in record.get("ahead", [])]
    known = known_of(found, scores, baseline, params, share=look.share if look else 1.0)
    alpha = record.get("alpha_ahead" if ahead else "alpha_total", params.alpha)
    terms = Terms(alpha, usd_per_call=cost_per_answer, tested=len(found.result.metrics))
    return offer(known, terms, now=look, ahead=ahead)


def known_of(
    found: Judgement, scores: "pd.DataFrame", baseline: "pd.DataFrame | None", params: EvaluateParams, *,
    share: float = 1.0,
) -> dict[str, Known]:  # fmt: skip
    """Return what is known of every metric and guardrail that more answers could decide.

    What all questions together ask about too few documents is left out; `share` of the documents were asked about.
    """
    ours, theirs = by_metric(scores), {} if baseline is None else by_metric(baseline)
    specs = {name: metric_of(name).spec(params.margin(name)) for name in theirs}
    known = undecided(found.result.metrics, specs, theirs, ours)
    for key, verdict in found.result.metrics.items():
        name, _, side = key.partition(":")
        if side and name in ours and verdict.verdict == "inconclusive" and verdict.effect.se > 0:
            within, samples, _ = components(theirs.get(name, ours[name]), ours[name])
            spec = replace(metric_of(name).spec(kind="unbounded"), margin=0.0)
            known[key] = Known(verdict.effect, spec, within, samples, 0.0)
    return {key: item for key, item in known.items() if item.effect.n_documents >= params.documents_min * share}


def without_judges(params: EvaluateParams) -> EvaluateParams:
    """Return the params by which a look is judged whose judges were not asked."""
    rails = {name: rail for name, rail in params.guardrails.items() if not name.startswith(JUDGED)}
    gated = tuple(name for name in params.gated_metrics if not name.startswith(JUDGED))
    return params.model_copy(update={"guardrails": rails, "gated_metrics": gated})


def smoke_verdict(looks: Mapping[str, Any], scores: "pd.DataFrame") -> dict[str, MetricVerdict]:
    """Return the verdict of smoke questions that failed; empty when they did not."""
    if looks.get("stopped") != "smoke":
        return {}
    asked = scores["question_id"].nunique()
    effect = Effect(asked, 0, 0, asked, candidate_mean=float(looks["usable_share"]))
    return {"smoke:usable": MetricVerdict(effect, "fail", ("smoke_failed",))}


def with_verdict(looks: Mapping[str, Any], found: Judgement) -> dict[str, Any]:
    """Return the record of the looks with the final verdict at the last one, which may not have been judged before."""
    taken = looks.get("taken", [])
    return dict(looks) | {"taken": [*taken[:-1], *(step | {"verdict": found.result.verdict} for step in taken[-1:])]}

"""Say in plain words what was found and how sure it is: the paragraph above every verdict.

Differences are told as better or worse, never by sign, because for a cost less is better. Bounds are cut
off at what the metric can be: an interval that ends at 1.02 of 1 would only puzzle its reader.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from math import isfinite

from flows.evaluate.decide import Judgement
from flows.evaluate.params import EvaluateParams
from flows.evaluate.registry import metric_of
from flows.stats.effects import Effect
from flows.stats.gate import MetricVerdict

WHY = {
    "no_common_questions": "no question was answered on both sides",
    "one_document": "all questions are about one document",
    "non_positive_total": "its total is zero on one side",
    "not_evaluated": "it was measured on one side only",
    "not_measured": "it could not be measured, and a guardrail asks for it",
    "too_many_missing": "too many answers are missing",
    "few_documents": "the questions are about too few documents",
    "review_overdue": "its review is long overdue; look at its limits, then set a new review_by in params.yaml",
    "fail_not_confirmed": "it looks worse, but not beyond what many metrics show by chance",
    "smoke_failed": "too few of the first answers could be used, so nothing more was asked",
}


@dataclass(frozen=True)
class Names:
    """How both sides are called."""

    candidate: str
    baseline: str | None
    alone: str = "with nothing to compare it with"  # said where there is no baseline

    @classmethod
    def of_releases(cls, candidate: str, baseline: str | None) -> "Names":
        """Name two releases by the beginnings of their ids."""
        against = f"production {baseline[:8]}" if baseline else None
        return cls(f"Candidate {candidate[:8]}", against, "with nothing in production to compare with")


def paragraph(
    names: Names,
    found: Judgement,
    params: EvaluateParams,
    overdue: Mapping[str, str] | None = None,
    *,
    alpha_total: float | None = None,
) -> str:
    """Return one paragraph: the verdict, its reasons with intervals, how sure that is, what was not measured."""
    paired = {name: verdict for name, verdict in found.result.metrics.items() if ":" not in name}
    rails = {name: verdict for name, verdict in found.result.metrics.items() if ":" in name}
    asked = f"It answered {found.n_questions} questions about {found.n_documents} documents."
    parts = [
        _verdict_words(names, found), asked, _blocking(found, params), _paired(paired, params), _rails(rails, params),
        _how_sure(found, alpha_total or params.alpha), _overdue(overdue or {}, params), _left_out(found),
    ]  # fmt: skip
    return " ".join(part for part in parts if part)


def _verdict_words(names: Names, found: Judgement) -> str:
    against = f"against {names.baseline}" if names.baseline else names.alone
    said = {
        "pass": "it passes, which was shown and not only assumed",
        "fail": "it fails",
        "inconclusive": "the data cannot decide (inconclusive), which is not a pass",
        "invalid": "nothing can be concluded (invalid), which is not a pass",
    }[found.result.verdict]
    return f"{names.candidate} {against}: {said}."


def _blocking(found: Judgement, params: EvaluateParams) -> str:
    """Say what keeps the verdict from being a pass: three in full, the others by name."""
    bad = [(name, v) for name, v in found.result.metrics.items() if v.verdict == found.result.verdict != "pass"]
    if not found.result.metrics:
        return "No metric and no guardrail was there to judge it by: set evaluate.guardrails in params.yaml."
    said = [_reason(name, verdict, params) for name, verdict in bad[:3]]
    more = f"Likewise {', '.join(_called(name) for name, _ in bad[3:])}." if len(bad) > 3 else ""
    return " ".join([*said, more]).strip()


def _reason(name: str, verdict: MetricVerdict, params: EvaluateParams) -> str:
    metric, _, side = name.partition(":")
    explained = next((WHY[flag] for flag in verdict.flags if flag in WHY), "")
    if verdict.verdict == "invalid" or {"few_documents", "smoke_failed"} & set(verdict.flags):
        return f"{_called(name).replace('the ', 'The ', 1)}: {explained}."
    if side:
        known = "shown to be broken" if verdict.verdict == "fail" else "not shown to hold"
        return f"The guardrail of {metric} is {known}: {_beside_limit(name, verdict.effect, params)}."
    known = "is shown to be worse" if verdict.verdict == "fail" else "is not shown to be good enough"
    remark = f" ({explained})" if explained else ""
    tolerated = _size(metric, params.margin(metric))
    return f"{metric} {known}: {change(metric, verdict.effect)}; {tolerated} is tolerated{remark}."


def _beside_limit(name: str, effect: Effect, params: EvaluateParams) -> str:
    metric, _, side = name.partition(":")
    rail = params.guardrails[metric]
    limit = (rail.low if side == "at_least" else rail.high) or 0.0
    low, high = mean_bounds(metric, effect, side, limit)
    seen = f"mean {effect.candidate_mean:.3g}, likely between {low:.3g} and {high:.3g}"
    return f"{seen}, limit {side.replace('_', ' ')} {limit:g}"


def mean_bounds(metric: str, effect: Effect, side: str, limit: float) -> tuple[float, float]:
    """Return between which values a guarded mean lies, in the metric's units and inside its range."""
    sign = 1 if side == "at_least" else -1
    low, high = sorted(limit + sign * bound for bound in (effect.lower, effect.upper))
    smallest, largest = metric_of(metric).bounds
    return max(low, smallest), min(high, largest)


def _paired(paired: dict[str, MetricVerdict], params: EvaluateParams) -> str:
    good = [name for name, verdict in paired.items() if verdict.verdict == "pass"]
    if not good:
        return ""
    lowest = min(good, key=lambda name: _reserve(paired[name].effect, params.margin(name)))
    every = "All" if len(good) == len(paired) else f"{len(good)} of"
    return (
        f"{every} {len(paired)} metrics are shown to lose no more than tolerated; closest is {lowest}, "
        f"{change(lowest, paired[lowest].effect)}."
    )


def _rails(rails: dict[str, MetricVerdict], params: EvaluateParams) -> str:
    rails = {name: verdict for name, verdict in rails.items() if name.partition(":")[2] in {"at_least", "at_most"}}
    held = [name for name, verdict in rails.items() if verdict.verdict == "pass"]
    if not held:
        return f"None of {len(rails)} guardrails is shown to hold." if rails else ""
    lowest = min(held, key=lambda name: _reserve(rails[name].effect, 0.0))
    every = "All" if len(held) == len(rails) else f"{len(held)} of"
    closest = f"{lowest.partition(':')[0]}, {_beside_limit(lowest, rails[lowest].effect, params)}"
    return f"{every} {len(rails)} guardrails are shown to hold; closest is {closest}."


def _reserve(effect: Effect, margin: float) -> float:
    """Return how far a bound is from what is not tolerated, in standard errors: metrics have different units."""
    return (effect.lower + margin) / effect.se if effect.se > 0 else float("inf")


def _how_sure(found: Judgement, alpha: float) -> str:
    if found.result.verdict == "invalid" or not found.result.metrics:
        return ""
    return f"What is called shown is wrong in at most {100 * alpha:.2g} of 100 such evaluations."


def _overdue(overdue: Mapping[str, str], params: EvaluateParams) -> str:
    late = [name for name, state in overdue.items() if state == "overdue"]
    if not late:
        return ""
    last = min(params.guardrails[name].review_by for name in late) + timedelta(days=params.guardrail_grace_days)
    return (
        f"The review of {', '.join(late)} is overdue: after {last} the gate is invalid until somebody has looked at "
        "the guardrail."
    )


def _left_out(found: Judgement) -> str:
    parts = []
    if found.not_measured:
        parts.append(f"Not measured: {', '.join(found.not_measured)}.")
    if found.costs_nothing:
        parts.append(f"Not compared, because it is zero on both sides: {', '.join(found.costs_nothing)}.")
    return " ".join(parts)


def change(metric: str, effect: Effect) -> str:
    """Return `1.2 points worse, likely between 3.0 points worse and 0.6 points better`."""
    low, high = metric_of(metric).bounds
    reach = high - low if metric_of(metric).kind == "bounded" else float("inf")
    mid, lower, upper = (
        _change(metric, min(max(value, -reach), reach)) for value in (effect.effect, effect.lower, effect.upper)
    )
    return f"{mid}, likely between {lower} and {upper}"


def _change(metric: str, value: float) -> str:
    if not isfinite(value):
        return "unknown"
    shown = _size(metric, abs(value))
    if shown == _size(metric, 0.0):
        return "unchanged"
    return f"{shown} {'better' if value > 0 else 'worse'}"


def _size(metric: str, value: float) -> str:
    if metric_of(metric).kind == "ratio":
        return f"{100 * value:.1f}% (log)"
    if metric_of(metric).unit == "share":
        return f"{100 * value:.1f} points"
    return f"{value:.0f} {metric_of(metric).unit}"


def _called(name: str) -> str:
    metric, _, side = name.partition(":")
    if metric == "smoke":
        return "The first look"
    return f"the guardrail of {metric}" if side else metric

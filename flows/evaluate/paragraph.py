"""Say in plain words what was found and how sure it is: the paragraph above every verdict."""

from flows.evaluate.decide import Judgement
from flows.evaluate.params import EvaluateParams
from flows.evaluate.registry import METRICS
from flows.stats.gate import MetricVerdict

WHY = {
    "no_common_questions": "no question was answered by both releases",
    "one_document": "all questions are about one document",
    "non_positive_total": "its total is zero on one side",
    "not_evaluated": "it was measured for one release only",
    "not_measured": "it could not be measured, and a guardrail asks for it",
    "too_many_missing": "too many answers are missing",
    "few_documents": "the questions are about too few documents",
    "review_overdue": "the review of its guardrail is long overdue",
    "fail_not_confirmed": "it looks worse, but not beyond what many metrics show by chance",
}


def paragraph(release: str, baseline: str | None, found: Judgement, params: EvaluateParams) -> str:
    """Return one paragraph: the verdict, its reason with an interval, and what was not measured."""
    paired = {name: verdict for name, verdict in found.result.metrics.items() if ":" not in name}
    rails = {name: verdict for name, verdict in found.result.metrics.items() if ":" in name}
    against = f"against production {baseline[:8]}" if baseline else "with nothing in production to compare with"
    head = (
        f"Candidate {release[:8]} {against}: {_verdict_words(found.result.verdict)}. "
        f"It answered {found.n_questions} questions about {found.n_documents} documents."
    )
    parts = [head, _blocking(found, params), _paired(paired, params), _rails(rails, params), _left_out(found)]
    return " ".join(part for part in parts if part)


def _verdict_words(verdict: str) -> str:
    return {
        "pass": "it passes",
        "fail": "it fails",
        "inconclusive": "the data cannot decide (inconclusive)",
        "invalid": "nothing can be concluded (invalid)",
    }[verdict]


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
    if verdict.verdict == "invalid" or "few_documents" in verdict.flags:
        return f"{_called(name)}: {explained}."
    if side:
        rail = params.guardrails[metric]
        limit = rail.low if side == "at_least" else rail.high
        seen = f"mean {verdict.effect.candidate_mean:.3g}, limit {side.replace('_', ' ')} {limit:g}"
        known = "shown to be outside" if verdict.verdict == "fail" else "not shown to be inside"
        return f"The guardrail of {metric} is {known} ({seen})."
    known = "is shown to be worse" if verdict.verdict == "fail" else "is not shown to be good enough"
    remark = f" ({explained})" if explained else ""
    tolerated = _size(metric, params.margin(metric))
    return f"{metric} {known}: {interval(name, verdict)}, tolerated loss {tolerated}{remark}."


def _paired(paired: dict[str, MetricVerdict], params: EvaluateParams) -> str:
    good = [name for name, verdict in paired.items() if verdict.verdict == "pass"]
    if not good:
        return ""
    sure = round(100 * (1 - params.alpha))
    lowest = min(good, key=lambda name: paired[name].effect.lower)
    least = f"; closest is {lowest}, {interval(lowest, paired[lowest])}"
    return (
        f"{len(good)} of {len(paired)} metrics are shown to lose no more than tolerated ({sure}% sure of each{least})."
    )


def _rails(rails: dict[str, MetricVerdict], params: EvaluateParams) -> str:
    held = [name for name, verdict in rails.items() if verdict.verdict == "pass"]
    if not held:
        return f"None of {len(rails)} guardrails is shown to hold." if rails else ""
    lowest = min(held, key=lambda name: rails[name].effect.lower)
    metric, _, side = lowest.partition(":")
    rail, effect = params.guardrails[metric], rails[lowest].effect
    limit, sign = (rail.low, 1) if side == "at_least" else (rail.high, -1)
    bounds = sorted((limit or 0.0) + sign * bound for bound in (effect.lower, effect.upper))
    closest = f"{metric} {effect.candidate_mean:.3g}, between {bounds[0]:.3g} and {bounds[1]:.3g}, limit {limit:g}"
    return f"{len(held)} of {len(rails)} guardrails are shown to hold; closest is {closest}."


def _left_out(found: Judgement) -> str:
    parts = []
    if found.not_measured:
        parts.append(f"Not measured: {', '.join(found.not_measured)}.")
    if found.costs_nothing:
        parts.append(f"Not compared, because it is zero in both releases: {', '.join(found.costs_nothing)}.")
    return " ".join(parts)


def interval(name: str, verdict: MetricVerdict) -> str:
    """Return `change -1.2 points, between -3.0 and +0.6`, positive meaning better."""
    effect, metric = verdict.effect, name.partition(":")[0]
    low, mid, high = (_size(metric, value, signed=True) for value in (effect.lower, effect.effect, effect.upper))
    return f"change {mid}, between {low} and {high}"


def _size(metric: str, value: float, *, signed: bool = False) -> str:
    plus = "+" if signed else ""
    if METRICS[metric].kind == "ratio":
        return f"{100 * value:{plus}.1f}% (log)"
    if METRICS[metric].unit == "share":
        return f"{100 * value:{plus}.1f} points"
    return f"{value:{plus}.0f} {METRICS[metric].unit}"


def _called(name: str) -> str:
    metric, _, side = name.partition(":")
    return f"the guardrail of {metric}" if side else metric

"""Decide whether a candidate release may replace the baseline.

A metric passes when it is shown not to be worse than its margin, fails when it is shown to be
worse, and is inconclusive otherwise: "no significant difference" is never a pass. All metrics must
pass, which needs no correction for many metrics (intersection-union, Berger 1982); a failure must
survive Holm's correction (1979). Whatever was not evaluated is invalid, never a pass.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from flows.core.errors import ContractError, ParamsError, did_you_mean
from flows.stats.effects import Effect, MetricSpec, Scores, paired_effect

Verdict = Literal["pass", "fail", "inconclusive", "invalid"]
SEVERITY: tuple[Verdict, ...] = ("invalid", "fail", "inconclusive", "pass")
REPORTED = (
    "n_questions", "n_documents", "n_missing", "baseline_mean", "candidate_mean",
    "effect", "center", "se", "df", "lower", "upper", "p_worse", "p_noninferior",
)  # fmt: skip


@dataclass(frozen=True)
class GatePolicy:
    """How sure the gate must be.

    Raises:
        ParamsError: A value outside its range.
    """

    alpha: float = 0.05  # chance of a wrong fail, and of a wrong pass at the margin; in (0, 0.5)
    documents_min: int = 8  # fewer documents never decide: intervals are not trustworthy there; >= 2
    missing_share_max: float = 0.05  # a larger share of unanswered questions makes a metric invalid; 0 … 1

    def __post_init__(self) -> None:
        if not (0 < self.alpha < 0.5 and self.documents_min >= 2 and 0 <= self.missing_share_max <= 1):
            raise ParamsError(f"{self!r} has a value outside its range. See flows/stats/gate.py.")


@dataclass(frozen=True)
class MetricVerdict:
    """What the gate says about one metric; `flags` says why, in fixed words.

    Flags are the effect's problem, `too_many_missing`, `few_documents`, `small_drop_shown` (passed,
    yet shown to be a little worse) and `fail_not_confirmed` (worse alone, not after Holm's correction).
    """

    effect: Effect
    verdict: Verdict
    flags: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return the fixed fields; a number that does not exist is None."""
        numbers = {name: getattr(self.effect, name) for name in REPORTED}
        numbers = {name: number if np.isfinite(number) else None for name, number in numbers.items()}
        return numbers | {"verdict": self.verdict, "flags": list(self.flags)}


@dataclass(frozen=True)
class GateResult:
    """The gate's outcome: the worst of its metrics, and each of them."""

    verdict: Verdict
    metrics: dict[str, MetricVerdict]

    def to_json(self) -> dict[str, Any]:
        """Return `{"verdict": …, "metrics": {name: {…}}}`, ready for `json.dumps`."""
        return {"verdict": self.verdict, "metrics": {name: m.to_json() for name, m in self.metrics.items()}}


def gate(
    baseline: Mapping[str, Scores], candidate: Mapping[str, Scores], specs: Mapping[str, MetricSpec], policy: GatePolicy
) -> GateResult:
    """Judge every metric and the release; `invalid` with no metric, or one scored on one side only.

    Args:
        baseline: Scores per metric of the release in production.
        candidate: Scores per metric of the release on trial.
        specs: The metrics that guard the release; others in the data are ignored.
        policy: How sure to be.

    Raises:
        ContractError: A metric is on neither side (a typing error, usually), or its scores are broken.
    """
    verdicts = {}
    for name, spec in specs.items():
        if name not in baseline and name not in candidate:
            hint = did_you_mean(name, {*baseline, *candidate})
            raise ContractError(f"Neither release has scores for metric {name!r}.{hint} Score it or mend the name.")
        if name in baseline and name in candidate:
            effect = paired_effect(baseline[name], candidate[name], spec, alpha=policy.alpha)
        else:
            effect = Effect(0, 0, 0, 0, problem="not_evaluated")
        verdicts[name] = judge(effect, spec.margin, policy)
    return combine(verdicts, policy)


def judge(effect: Effect, margin: float, policy: GatePolicy) -> MetricVerdict:
    """Return one metric's verdict, before it is seen together with the others.

    Args:
        effect: The evidence, made with `alpha=policy.alpha`.
        margin: The loss that is tolerated, in the effect's units.
        policy: How sure to be; its `alpha` is not read again.
    """
    if effect.problem:
        return MetricVerdict(effect, "invalid", (effect.problem,))
    if effect.n_missing / effect.n_expected > policy.missing_share_max:
        return MetricVerdict(effect, "invalid", ("too_many_missing",))
    if effect.n_documents < policy.documents_min:
        return MetricVerdict(effect, "inconclusive", ("few_documents",))
    if effect.lower > -margin:
        return MetricVerdict(effect, "pass", ("small_drop_shown",) if effect.upper < 0 else ())
    return MetricVerdict(effect, "fail" if effect.upper < 0 else "inconclusive")


def combine(metrics: Mapping[str, MetricVerdict], policy: GatePolicy) -> GateResult:
    """Join metrics and guardrails into one verdict: invalid > fail > inconclusive > pass.

    Args:
        metrics: Verdicts by `judge`, of paired effects and of absolute guardrails alike.
        policy: The one they were judged by.
    """
    confirmed = dict(metrics)
    tested = [name for name, metric in metrics.items() if np.isfinite(metric.effect.p_worse)]
    for name, p in zip(tested, holm([metrics[name].effect.p_worse for name in tested]), strict=True):
        if metrics[name].verdict == "fail" and p > policy.alpha:
            flags = (*metrics[name].flags, "fail_not_confirmed")
            confirmed[name] = replace(metrics[name], verdict="inconclusive", flags=flags)
    worst = min((SEVERITY.index(metric.verdict) for metric in confirmed.values()), default=0)
    return GateResult(SEVERITY[worst], confirmed)


def holm(p_values: list[float]) -> list[float]:
    """Return p-values adjusted by Holm's step-down method, in the order given."""
    p = np.asarray(p_values, dtype=float)
    order = np.argsort(p)
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1)))
    return list(adjusted.tolist())

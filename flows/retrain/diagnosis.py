"""Name the likely causes of the signals, by a table of rules that a person can read and dispute.

The best-fitting rule of each cause counts. The causes of a lost answer share one loss, so their
weights sum to at most one; dearer or failing calls are losses of their own. (Statistics research
§3: diagnosis, not the detector, is what makes the difference in cost.)
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flows.retrain.params import Cause, Confidence, RetrainParams
from flows.retrain.signals import Signal, by_name

ANSWER_CAUSES: tuple[Cause, ...] = ("provider_change", "stale_index", "input_drift", "quality_drop")


@dataclass(frozen=True)
class Rule:
    """`cause` is at work when every signal of `needs` fired and none of `unless` did."""

    cause: Cause
    confidence: Confidence
    needs: tuple[str, ...]  # the first one names the occasion
    unless: tuple[str, ...]
    because: str


RULES = (
    Rule("provider_change", "shown", ("provider_changed", "output_drift"), ("retrieval_low",),
         "the provider serves another snapshot and the answers changed, while retrieval did not"),
    Rule("provider_change", "likely", ("provider_changed",), (), "the provider serves another snapshot"),
    Rule("provider_change", "possible", ("output_drift",),
         ("provider_changed", "input_drift", "retrieval_low", "index_behind"),
         "answers changed although neither questions nor documents did"),
    Rule("stale_index", "shown", ("retrieval_low",), (), "retrieval is below its guardrail"),
    Rule("stale_index", "shown", ("index_behind",), (), "the index lacks the newest chunks"),
    Rule("stale_index", "possible", ("questions_stale",), ("index_behind", "retrieval_low"),
         "many documents changed under the test set"),
    Rule("input_drift", "shown", ("input_drift", "quality_low"), ("provider_changed",),
         "users ask differently and answers are worse"),
    Rule("input_drift", "possible", ("input_drift",), (), "users ask differently"),
    Rule("quality_drop", "shown", ("quality_low",), ("retrieval_low", "index_behind", "provider_changed"),
         "answers are worse while retrieval and provider are as before"),
    Rule("quality_drop", "possible", ("quality_low",), (), "answers are worse, and something else changed as well"),
    Rule("cost_rise", "shown", ("cost_rise",), (), "an answer costs more"),
    Rule("cost_rise", "shown", ("latency_rise",), ("provider_changed",), "an answer takes longer"),
    Rule("cost_rise", "possible", ("latency_rise",), (), "an answer takes longer since the provider changed"),
    Rule("availability", "shown", ("error_rise",), (), "more calls fail"),
)  # fmt: skip


@dataclass(frozen=True)
class Finding:
    """A cause with its weight (chance that it is at work, 0 … 1) and the occasion it is about."""

    cause: Cause
    weight: float
    because: str
    window: str
    since: str | None
    signals: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "cause": self.cause, "weight": self.weight, "because": self.because, "window": self.window,
            "since": self.since, "signals": list(self.signals),
        }  # fmt: skip


def diagnose(found: Sequence[Signal], params: RetrainParams) -> list[Finding]:
    """Return the causes at work, the weightiest first."""
    known = by_name(found)
    best: dict[Cause, Rule] = {}
    for rule in RULES:
        leading = best.get(rule.cause)
        stronger = leading is None or params.confidence[rule.confidence] > params.confidence[leading.confidence]
        if applies(rule, known) and stronger:
            best[rule.cause] = rule
    weights = shared({cause: params.confidence[rule.confidence] for cause, rule in best.items()})
    findings = [_finding(rule, known[rule.needs[0]], weights[cause]) for cause, rule in best.items()]
    return sorted(findings, key=lambda finding: -finding.weight)


def applies(rule: Rule, known: Mapping[str, Signal]) -> bool:
    """Return whether the rule's evidence is there; what is not measured neither supports nor excludes."""
    fired = {name for name, signal in known.items() if signal.fired}
    return fired.issuperset(rule.needs) and fired.isdisjoint(rule.unless)


def shared(weights: Mapping[Cause, float]) -> dict[Cause, float]:
    """Scale the weights of the answer's causes so that together they explain one loss at most."""
    total = sum(weights.get(cause, 0.0) for cause in ANSWER_CAUSES)
    scale = 1 / total if total > 1 else 1.0
    return {cause: round(weight * (scale if cause in ANSWER_CAUSES else 1), 4) for cause, weight in weights.items()}


def _finding(rule: Rule, first: Signal, weight: float) -> Finding:
    since = None if first.since is None else str(first.since)
    return Finding(rule.cause, weight, rule.because, first.window, since, rule.needs)

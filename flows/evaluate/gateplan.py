"""Say before an evaluation what it can find, and after an undecided one what would decide it.

The first is the planner of `flows.stats.planning` in one sentence; the second puts two files of
scores through `evidence` for every metric that was left inconclusive.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flows.evaluate.evidence import Known, Option, Step, Terms, best, components, further, later_looks, options
from flows.evaluate.looks import Look
from flows.stats.effects import MetricSpec
from flows.stats.gate import MetricVerdict
from flows.stats.planning import Design, detectable_drop, pass_power
from flows.stats.scores import Scores
from flows.stats.sequential import LOOKS


def plan(design: Design, *, margin: float, alpha: float, power: float) -> dict[str, float | None]:
    """Return the detectable drops and the chance that an unchanged release passes, in score units."""
    same, worst = detectable_drop(design, alpha=alpha, power=power)
    return {
        "detectable_drop_same_variance": same,
        "detectable_drop_worst_case": worst,
        "pass_unchanged": pass_power(design, margin, alpha=alpha),
    }


def sentence(
    design: Design, *, margin: float, alpha: float, power: float, baseline_samples: int, usd_per_call: float | None
) -> str:
    """Return what the evaluation can find, how often it passes an unchanged release, and what it costs."""
    found = plan(design, margin=margin, alpha=alpha, power=power)
    worst = found["detectable_drop_worst_case"]
    drop = "no drop that surely" if worst is None else f"a drop of {_points(worst, design)} with {power:.0%} power"
    once = design.questions * baseline_samples
    return (
        f"{design.questions} questions from {design.documents} documents, {baseline_samples} baseline samples: "
        f"detects {drop}, passes an unchanged release {found['pass_unchanged']:.0%} of the time at margin "
        f"{_points(margin, design)}; one night costs {design.questions} calls{_usd(design.questions, usd_per_call)}, "
        f"the baseline once {once} calls{_usd(once, usd_per_call)}."
    )


def _points(value: float, design: Design) -> str:
    return f"{100 * value:.2g} points" if design.score_range == 1 else f"{value:.3g}"


def _usd(calls: int, usd_per_call: float | None) -> str:
    return "" if usd_per_call is None else f" = {dollars(calls * usd_per_call)}"


def dollars(value: float) -> str:
    """Return an amount in US dollars, in cents where they matter."""
    return f"${value:,.2f}" if value >= 0.1 else f"${value:.2g}"


def undecided(
    metrics: Mapping[str, MetricVerdict],
    specs: Mapping[str, MetricSpec],
    before: Mapping[str, Scores],
    after: Mapping[str, Scores],
) -> dict[str, Known]:
    """Return what is known of each metric that a gate left inconclusive.

    Args:
        metrics: The gate's verdicts; those that compare nothing in `before` and `after` are left out.
        specs: How each metric is read.
        before: The baseline's scores per metric.
        after: The candidate's.
    """
    known = {}
    for name, metric in metrics.items():
        if metric.verdict == "inconclusive" and metric.effect.se > 0 and name in before and name in after:
            within, ours, theirs = components(before[name], after[name])
            known[name] = Known(metric.effect, specs[name], within, ours, theirs)
    return known


@dataclass(frozen=True)
class Offer:
    """What could be bought to decide, and what to buy."""

    known: Mapping[str, Known]  # the undecided metrics
    options: list[Option]
    best: Option | None  # None = nothing to decide, or nothing that can be paid
    terms: Terms
    look: int | None  # number of the planned look that was taken; None = the run was planned as one
    way: str = "--look"  # how to go on to the next look

    def to_json(self) -> dict[str, Any]:
        """Return the best option and all others as plain values."""
        return {"best": option_json(self.best) if self.best else None, "options": list(map(option_json, self.options))}

    def sentence(self) -> str:
        """Return in words what would decide, what it costs, and the chance."""
        if not self.known:
            return "No metric is undecided for want of evidence; there is nothing to buy."
        if self.best is None:
            needs = "" if self.terms.usd_per_call is not None else " Give --usd-per-call, the price of an answer."
            return f"Nothing that helps can be had for {dollars(self.terms.max_usd or 0.0)}.{needs}"
        best = self.best
        paid = "" if best.cost_usd is None else f" = {dollars(best.cost_usd)}"
        decides = "would decide" if best.deciding >= self.terms.power else "is the best that can be had: it decides"
        return (
            f"{self._what(best)} ({best.calls} calls{paid}) {decides} with a chance of {best.deciding:.0%} or more "
            f"({_each(best)}). Judge it at alpha {best.level:.3g}{self._errors(best)}."
        )

    def _what(self, option: Option) -> str:
        if self.look is not None:
            more = f"{option.more} more {'questions' if option.of == 'questions' else 'answer(s) to each question'}"
            return f"Going on to look {self.look + 1 + self.options.index(option)}, {more}"
        if option.of == "questions":
            return f"{option.more} more questions from new documents"
        return f"{option.more} more answer(s) to each question"

    def _errors(self, option: Option) -> str:
        if self.look is not None:
            return f" ({self.way}); over all looks at most {self.terms.alpha:.1%} of claims of each kind are wrong"
        most = self.terms.alpha * (2 - option.share_now**2)
        return (
            f"; as today's look was not planned and had {self.terms.alpha:g}, both together err in at most {most:.1%}"
        )


def offer(
    known: Mapping[str, Known],
    terms: Terms,
    *,
    look: int | None = None,
    now: Look | None = None,
    ahead: Sequence[Step] = (),
) -> Offer:
    """Return what could be bought for the undecided metrics: the next planned looks, or more than was planned.

    Args:
        known: What is known of each of them.
        terms: Certainty, price and money.
        look: Number of the look in quarters of the documents that was taken; None = none was.
        now: The look of a planned evaluation that was taken.
        ahead: The looks that it has left.
    """
    if now is not None and ahead:
        found = further(known, now, ahead, terms)
        return Offer(known, found, best(found, terms), terms, now.number, "llmops evaluate --max-usd USD")
    if look is not None and look < len(LOOKS):
        found = later_looks(known, look, terms)
        return Offer(known, found, best(found, terms), terms, look)
    found = options(known, terms)
    return Offer(known, found, best(found, terms), terms, None)


def _each(option: Option) -> str:
    chances = option.chances.items()
    return "; ".join(f"{name} {chance.passing:.0%} to pass, {chance.failing:.0%} to fail" for name, chance in chances)


def option_json(option: Option) -> dict[str, Any]:
    """Return an option as plain values."""
    return {
        "of": option.of,
        "more": option.more,
        "calls": option.calls,
        "cost_usd": option.cost_usd,
        "alpha": option.level,
        "p_decide_at_least": option.deciding,
        "metrics": {name: {"p_pass": c.passing, "p_fail": c.failing} for name, c in option.chances.items()},
    }

"""Say before an evaluation what it can find, and after an undecided one what would decide it.

The first is the planner of `flows.stats.planning` in one sentence; the second puts two files of
scores through `evidence` for every metric that was left inconclusive.
"""

from typing import Any

from flows.evaluate.evidence import Known, Option, Terms, best, components, options
from flows.evaluate.gatecheck import Comparison, checked_scores
from flows.evaluate.gateconfig import GateConfig
from flows.evaluate.gatefile import ScoreFile
from flows.stats.planning import Design, detectable_drop, pass_power


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


def undecided(baseline: ScoreFile, candidate: ScoreFile, found: Comparison, config: GateConfig) -> dict[str, Known]:
    """Return what is known of each metric that the gate left inconclusive."""
    before, after = (checked_scores(side, found.specs, config) for side in (baseline, candidate))
    known = {}
    for name, metric in found.result.metrics.items():
        if metric.verdict == "inconclusive" and metric.effect.se > 0:
            within, ours, theirs = components(before[name], after[name])
            known[name] = Known(metric.effect, found.specs[name], within, ours, theirs)
    return known


def offer(known: dict[str, Known], terms: Terms) -> tuple[Option | None, list[Option]]:
    """Return the option to buy (None = nothing affordable or nothing to decide) and all that were looked at."""
    found = options(known, terms)
    return best(found, terms), found


def offer_sentence(known: dict[str, Known], choice: Option | None, terms: Terms) -> str:
    """Return in words what would decide, what it costs, and the chance."""
    if not known:
        return "No metric is undecided for want of evidence; there is nothing to buy."
    if choice is None:
        needs = "" if terms.usd_per_call is not None else " The price of an answer is unknown: give --usd-per-call."
        return f"Nothing that helps can be had for {dollars(terms.max_usd or 0.0)}.{needs}"
    what = (
        f"{choice.more} more questions from new documents" if choice.of == "questions"
        else f"{choice.more} more answer(s) to each question"
    )  # fmt: skip
    paid = "" if choice.cost_usd is None else f" = {dollars(choice.cost_usd)}"
    each = "; ".join(
        f"{name} {chance.passing:.0%} to pass, {chance.failing:.0%} to fail" for name, chance in choice.chances.items()
    )
    reaches = "would decide" if choice.deciding >= terms.power else "is the best that can be had: it decides"
    return (
        f"{what} ({choice.calls} calls{paid}) {reaches} with a chance of {choice.deciding:.0%} or more ({each}). "
        f"Judge that look at alpha {choice.level:.3g}; as today's was judged at {terms.alpha:g}, at most "
        f"{terms.alpha * (2 - choice.share_now**2):.1%} of wrong claims over both."
    )


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

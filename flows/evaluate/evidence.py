"""Price certainty: what would it take to decide an inconclusive metric, and what are the chances?

Given today's estimate D with standard error s, an estimate from more data with standard error s' is
distributed around D with variance s^2 - s'^2 (predictive power: Spiegelhalter, Freedman & Blackburn
1986, flat prior), so the chance that its bounds decide is a normal integral. More questions shrink the
whole error, more repeats only the part that comes from the candidate not repeating itself. A further
look is judged at the level that group-sequential spending leaves for it (`flows.stats.sequential`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Literal, Protocol

import numpy as np
from scipy import special

from flows.stats.effects import Effect, MetricSpec, Scores
from flows.stats.sequential import LOOKS, look_levels

MoreOf = Literal["questions", "repeats"]
GROWTH = (1.25, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 16.0)  # sizes of the question set that are looked at
REPEATS = (1, 2, 3, 5, 7, 11, 15)  # further answers per question that are looked at
GAIN_MIN = 0.01  # repeats that shrink the variance by less are not offered


@dataclass(frozen=True)
class Known:
    """What is known of one metric that could not be decided."""

    effect: Effect
    spec: MetricSpec
    within_sd: float | None  # of one question's repeated scores, pooled; None = nothing was repeated
    candidate_samples: float  # per question, mean
    baseline_samples: float  # likewise


@dataclass(frozen=True)
class Terms:
    """What certainty is wanted and what may be paid."""

    alpha: float = 0.05  # one-sided error over today's look and the next
    power: float = 0.8  # chance to decide that is good enough
    usd_per_call: float | None = None  # price of one answer
    max_usd: float | None = None  # what may be spent
    tested: int = 1  # metrics in the gate; a fail must survive Holm's correction, taken at its strictest

    def cost(self, calls: int) -> float | None:
        """Return the price of so many answers; None when no price is known."""
        return None if self.usd_per_call is None else calls * self.usd_per_call

    def affords(self, option: "Option") -> bool:
        """Say whether the option fits into the money; without a limit everything does, without a price nothing."""
        return self.max_usd is None or (option.cost_usd is not None and option.cost_usd <= self.max_usd)


@dataclass(frozen=True)
class Chances:
    """How a metric would come out with more data."""

    passing: float
    failing: float

    @property
    def deciding(self) -> float:
        """Chance of either."""
        return self.passing + self.failing


@dataclass(frozen=True)
class Option:
    """One thing that can be bought."""

    of: MoreOf
    more: int  # questions, or repeats of every question
    calls: int  # answers to be paid: for new questions also the baseline's
    cost_usd: float | None  # None = no price was given
    level: float  # alpha of the next look
    share_now: float  # share of the information after the purchase that is there already
    chances: Mapping[str, Chances]  # per undecided metric

    @property
    def deciding(self) -> float:
        """Chance that every metric is decided, at least (however they hang together)."""
        return max(0.0, 1 - sum(1 - chance.deciding for chance in self.chances.values()))


def components(baseline: Scores, candidate: Scores) -> tuple[float | None, float, float]:
    """Return the pooled sd within questions and the mean samples per question of candidate and baseline."""
    squares, freedom, samples = 0.0, 0, []
    for side in (baseline, candidate):
        known = ~np.isnan(side.score)
        _, code = np.unique(side.question_id[known], return_inverse=True)
        counts = np.bincount(code)
        means = np.bincount(code, weights=side.score[known]) / np.maximum(counts, 1)
        squares += float(np.sum((side.score[known] - means[code]) ** 2))
        freedom += int(known.sum()) - len(counts)
        samples.append(float(counts.mean()) if len(counts) else 0.0)
    return (squares / freedom) ** 0.5 if freedom else None, samples[1], samples[0]


def predict(known: Known, se_next: float, df_next: float, *, level: float, tested: int = 1) -> Chances:
    """Return the chance that an estimate with a smaller standard error passes or fails.

    Args:
        known: Today's estimate.
        se_next: Standard error of the estimate with more data, at most today's.
        df_next: Its degrees of freedom.
        level: One-sided alpha of the look.
        tested: Metrics in the gate; a fail must survive Holm's correction, taken at its strictest.
    """
    effect = known.effect
    spread = float(np.sqrt(max(effect.se**2 - se_next**2, 0.0)))
    to_pass = -known.spec.margin + float(special.stdtrit(df_next, 1 - level)) * se_next
    to_fail = min(-float(special.stdtrit(df_next, 1 - level / tested)) * se_next, to_pass)
    if spread == 0:
        return Chances(float(effect.center > to_pass), float(effect.center < to_fail))
    above, below = (effect.center - to_pass) / spread, (to_fail - effect.center) / spread
    return Chances(float(special.ndtr(above)), float(special.ndtr(below)))


def more_questions(known: Mapping[str, Known], growth: float, terms: Terms) -> Option:
    """Return what it means to have `growth` times as many questions, of new documents at the same rate."""
    share = 1 / growth
    level = look_levels((share, 1.0), terms.alpha)[-1]
    chances = {}
    for name, item in known.items():
        df = item.effect.df + item.effect.n_documents * (growth - 1)
        chances[name] = predict(item, item.effect.se * share**0.5, df, level=level, tested=terms.tested)
    more = ceil(max(item.effect.n_questions for item in known.values()) * (growth - 1))
    calls = ceil(more * max(item.candidate_samples + item.baseline_samples for item in known.values()))
    return Option("questions", more, calls, terms.cost(calls), level, share, chances)


def more_repeats(known: Mapping[str, Known], more: int, terms: Terms) -> Option | None:
    """Return what it means to ask the candidate every question `more` times again; None where it gains nothing."""
    errors = {name: _with_repeats(item, more) for name, item in known.items()}
    share = max(
        min((errors[name] / item.effect.se) ** 2, 1.0) if item.effect.se else 1.0 for name, item in known.items()
    )
    if share > 1 - GAIN_MIN:
        return None
    level = look_levels((share, 1.0), terms.alpha)[-1]
    chances = {
        name: predict(item, errors[name], item.effect.df, level=level, tested=terms.tested)
        for name, item in known.items()
    }
    calls = more * max(item.effect.n_questions for item in known.values())
    return Option("repeats", more, calls, terms.cost(calls), level, share, chances)


def _with_repeats(item: Known, more: int) -> float:
    """Return the standard error after further repeats: only the candidate's own noise shrinks."""
    if item.within_sd is None or item.spec.kind == "ratio":
        return item.effect.se
    now, later = item.candidate_samples, item.candidate_samples + more
    saved = item.within_sd**2 / item.effect.n_questions * (1 / now - 1 / later)
    return float(np.sqrt(max(item.effect.se**2 - saved, item.effect.se**2 * now / later)))


def options(known: Mapping[str, Known], terms: Terms) -> list[Option]:
    """Return everything that could be bought, questions first, each in growing size."""
    if not known:
        return []
    repeats = (more_repeats(known, more, terms) for more in REPEATS)
    return [*(more_questions(known, growth, terms) for growth in GROWTH), *(option for option in repeats if option)]


def best(found: Sequence[Option], terms: Terms) -> Option | None:
    """Return the cheapest affordable option that decides with chance `power`, else the likeliest affordable one."""
    affordable = [option for option in found if terms.affords(option)]
    enough = [option for option in affordable if option.deciding >= terms.power]
    if enough:
        return min(enough, key=lambda option: (option.calls, -option.deciding))
    return max(affordable, key=lambda option: (option.deciding, -option.calls), default=None)


class Step(Protocol):
    """A planned look: how much it asks and at which level it is judged."""

    @property
    def share(self) -> float:
        """Share of the documents."""

    @property
    def candidate_samples(self) -> int:
        """Answers per question of the candidate."""

    @property
    def alpha(self) -> float:
        """One-sided level."""


@dataclass(frozen=True)
class Quarter:
    """A look at a part of the documents, each question asked as often as before."""

    share: float
    alpha: float
    candidate_samples: int = 1


def later_looks(known: Mapping[str, Known], look: int, terms: Terms) -> list[Option]:
    """Return what each planned look after number `look` (1 = the first of `LOOKS`) costs and decides."""
    steps = [Quarter(share, level) for share, level in zip(LOOKS, look_levels(LOOKS, terms.alpha), strict=True)]
    return further(known, steps[look - 1], steps[look:], terms)


def further(known: Mapping[str, Known], now: Step, steps: Sequence[Step], terms: Terms) -> list[Option]:
    """Return what each of the looks `steps` would cost and decide, seen from the look `now`.

    Their questions exist already; only the candidate's answers are counted as calls.
    """
    found = []
    for step in steps if known else ():
        growth, repeats = step.share / now.share, step.candidate_samples - now.candidate_samples
        chances = {}
        for name, item in known.items():
            se = (_with_repeats(item, repeats) if repeats else item.effect.se) / growth**0.5
            df = item.effect.df + item.effect.n_documents * (growth - 1)
            chances[name] = predict(item, se, df, level=step.alpha, tested=terms.tested)
        asked = max(item.effect.n_questions for item in known.values())
        more = repeats or ceil(asked * (growth - 1))
        calls = ceil(asked * (growth * step.candidate_samples - now.candidate_samples))
        of: MoreOf = "repeats" if repeats else "questions"
        found.append(Option(of, more, calls, terms.cost(calls), step.alpha, 1 / growth, chances))
    return found

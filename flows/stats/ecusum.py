"""Notice a lasting change night after night, with a stated budget of false alarms.

Each night gives an e-value against "not worse"; `M = max(M, 0) + ln e` accumulates them, and an alarm
at ln(channels * days) comes falsely about once in `days` nights over all channels (e-detector: Shin,
Ramdas & Rinaldo, arXiv:2203.03532). Two uses: nights of the golden set against the frozen baseline,
and daily means of logged traffic against 28 reference days, in both directions, weekends apart.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from scipy import special

from flows.stats.effects import Effect
from flows.stats.scores import FloatArray


@dataclass(frozen=True)
class AlarmPolicy:
    """How many false alarms are affordable and what size of change is looked for."""

    days_per_false_alarm: int = 365  # budget over all channels together
    bet_max: float = 2.0  # largest stake (lambda) on one night of the golden set
    bet: float = 1.5  # stake on one day of logged traffic
    allowance: float = 0.35  # daily z that is forgiven; covers a reference estimated from 28 days
    reference_days: int = 28  # days with calls before a channel is watched; until then it is learning

    def threshold(self, directions: int) -> float:
        """Return the alarm level of M when so many directions (two per two-sided channel) are watched."""
        return float(np.log(directions * self.days_per_false_alarm))


@dataclass(frozen=True)
class Night:
    """One look; `log_e_cusum` is M before the reset that follows an alarm."""

    center: float
    se: float
    log_e_cusum: float
    alarm: bool


@dataclass(frozen=True)
class Drift:
    """One day of a channel: its z and the evidence for a rise and for a fall, before a reset."""

    z: float
    log_e_up: float
    log_e_down: float
    alarm: bool


def nightly_e(effect: Effect, drop: float, policy: AlarmPolicy) -> float:
    """Return one night's ln e against "not worse"; 0 when the night could not be scored.

    `drop` is the loss worth noticing, usually the metric's margin, in the effect's units.
    """
    if effect.problem:
        return 0.0
    z = normal_z(effect.center, effect.se, effect.df)
    bet = min(drop / effect.se, policy.bet_max) if effect.se > 0 else policy.bet_max
    return -bet * z - bet**2 / 2


def nights(effects: Iterable[Effect], *, drop: float, metrics: int, policy: AlarmPolicy) -> list[Night]:
    """Follow one of `metrics` metrics over nights in order; M restarts at 0 after an alarm."""
    level, seen, m = policy.threshold(metrics), [], 0.0
    for effect in effects:
        m = max(m, 0.0) + nightly_e(effect, drop, policy)
        seen.append(Night(effect.center, effect.se, m, m >= level))
        m = 0.0 if m >= level else m
    return seen


def daily_z(means: FloatArray, weekend: FloatArray, *, policy: AlarmPolicy, sd_min: float = 0.0) -> FloatArray:
    """Return how unusual each day is against the first `reference_days`, as a standard normal z.

    Args:
        means: A channel's daily means in order, (n,), NaN for a day without calls; logs of tokens,
            latency and cost, arcsine of the square root of rates.
        weekend: 1 on weekend days, 0 otherwise, (n,); each kind of day has its own level.
        policy: Gives the length of the reference.
        sd_min: Smallest believable day-to-day sd, such as 1 / (2 sqrt(calls)) for a rate; without
            it the first error after a spotless month would be infinitely unusual.

    Returns:
        z from the t-predictive residual, (n,); NaN while the channel is learning or has no value.
    """
    z = np.full(len(means), np.nan)
    known = np.flatnonzero(~np.isnan(means))
    past, later = known[: policy.reference_days], known[policy.reference_days :]
    x = np.column_stack([np.ones(len(means)), weekend])
    inverse = np.linalg.pinv(x[past].T @ x[past])
    residuals = means - x @ (inverse @ x[past].T @ means[past])
    df = len(past) - int(np.linalg.matrix_rank(x[past]))
    for day in later:
        sd = max(float(np.sqrt(np.sum(residuals[past] ** 2) / df)), sd_min)
        z[day] = normal_z(residuals[day], sd * float(np.sqrt(1 + x[day] @ inverse @ x[day])), df)
    return z


def drift(z: Iterable[float], *, channels: int, policy: AlarmPolicy) -> list[Drift]:
    """Follow one of `channels` channels in both directions; a day without value (NaN) changes nothing."""
    level, seen, up, down = policy.threshold(2 * channels), [], 0.0, 0.0
    cost = policy.bet * policy.allowance + policy.bet**2 / 2
    for value in z:
        if not np.isnan(value):
            up = max(up, 0.0) + policy.bet * value - cost
            down = max(down, 0.0) - policy.bet * value - cost
        seen.append(Drift(float(value), up, down, max(up, down) >= level))
        up, down = (0.0, 0.0) if seen[-1].alarm else (up, down)
    return seen


def normal_z(center: float, se: float, df: float) -> float:
    """Return the standard normal z with the same tail as t = center / se, finite even at se = 0."""
    t = abs(center) / se if se > 0 else (np.inf if center else 0.0)
    tail = max(float(special.stdtr(df, -t)), np.finfo(float).tiny)
    return float(-np.sign(center) * special.ndtri(tail))

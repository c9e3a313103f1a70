"""Find lasting changes of daily channels with a stated budget of false alarms.

Each channel is compared with its own first `reference_days`, weekends apart, and the evidence is
accumulated by a two-sided e-CUSUM (`flows.stats.ecusum`). After an alarm the channel learns anew
from the following day on: a change is reported once, and the next one is found against the new level.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from flows.monitor.channels import Days
from flows.stats.ecusum import AlarmPolicy, daily_z, drift


@dataclass(frozen=True)
class Alarm:
    """A lasting change: when it was noticed, of what, by how much."""

    channel: str
    points_to: str
    day: str  # UTC day on which the evidence sufficed
    began: str  # day from which the evidence accumulated, an estimate of the onset
    direction: str  # rise or fall
    before: float  # mean of the reference, in the channel's unit
    after: float  # mean from `began` to `day`
    unit: str

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return asdict(self)


@dataclass(frozen=True)
class Watched:
    """A channel's days with their z and evidence (NaN while learning), and the alarms among them."""

    days: Days
    z: np.ndarray[Any, np.dtype[np.float64]]
    log_e: np.ndarray[Any, np.dtype[np.float64]]
    alarms: Sequence[Alarm]
    learning: bool


def watch(days: Days, *, channels: int, policy: AlarmPolicy) -> Watched:
    """Follow one of `channels` channels through its whole history."""
    size = days.mean.size
    z, log_e = np.full(size, np.nan), np.full(size, np.nan)
    alarms: list[Alarm] = []
    weekend = (days.dates.day_of_week >= 5).astype(float)
    first = 0
    while first < size:
        part = slice(first, size)
        known = np.flatnonzero(~np.isnan(days.watched[part]))
        if known.size <= policy.reference_days:
            break
        sd_min = float(np.median(days.sd_min[part]))
        z[part] = daily_z(days.watched[part], np.asarray(weekend[part]), policy=policy, sd_min=sd_min)
        steps = drift(z[part], channels=channels, policy=policy)
        log_e[part] = [max(step.log_e_up, step.log_e_down) for step in steps]
        log_e[part][: known[policy.reference_days]] = np.nan
        stop = next((index for index, step in enumerate(steps) if step.alarm), None)
        if stop is None:
            break
        rise = steps[stop].log_e_up >= steps[stop].log_e_down
        alarms.append(_alarm(days, first, first + known[policy.reference_days], first + stop, steps, rise=rise))
        log_e[first + stop + 1 :] = z[first + stop + 1 :] = np.nan
        first += stop + 1
    learning = bool(np.isnan(z[-1])) if size else True
    return Watched(days, z, log_e, alarms, learning)


def _alarm(days: Days, first: int, watched_from: int, stop: int, steps: Sequence[Any], *, rise: bool) -> Alarm:
    evidence = [step.log_e_up if rise else step.log_e_down for step in steps]
    quiet = [index for index in range(stop - first) if evidence[index] <= 0]
    began = max(watched_from, first + (quiet[-1] + 1 if quiet else 0))
    return Alarm(
        channel=days.channel.name,
        points_to=days.channel.points_to,
        day=str(days.dates[stop].date()),
        began=str(days.dates[began].date()),
        direction="rise" if rise else "fall",
        before=round(float(np.nanmean(days.mean[first:watched_from])), 6),
        after=round(float(np.nanmean(days.mean[began : stop + 1])), 6),
        unit=days.channel.unit,
    )

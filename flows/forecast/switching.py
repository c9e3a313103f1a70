"""Planned model switches: the series of the old model ends, the new one begins with the same traffic.

A switch is an event with a `model`. Ahead of it, the old series' tokens are forecast as ever and change their name and
price on the day. Behind it, the history before the day goes to the series that took over, so that it is no cold
start, and what the old model still answers is a series of its own. Tokens are taken over one to one: if the new
model counts or talks differently, a `multiplier` on the new series says so.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from flows.forecast.params import Event
from flows.forecast.series import FloatArray, SeriesKey, Usage

if TYPE_CHECKING:
    import pandas as pd

Names = NDArray[np.str_]


def renamed(name: str, event: Event) -> str | None:
    """Return the series that takes over from `<use_case>/<model>/<token type>`, None when this one goes on."""
    use_case, _, rest = name.partition("/")
    model, _, token_type = rest.rpartition("/")
    if event.model is None or not model or model == event.model or not fnmatchcase(name, event.series):
        return None
    return f"{use_case}/{event.model}/{token_type}"


def names_ahead(ids: Sequence[str], days: "pd.DatetimeIndex", events: Sequence[Event]) -> Names:
    """Return what each series is called on each day, (series, days)."""
    rows = [[name] * len(days) for name in ids]
    for event in _switches(events):
        first = int((days.date < event.date).sum())
        for row in rows:
            if first < len(days) and (new := renamed(row[first], event)):
                row[first:] = [new] * (len(days) - first)
    return np.array(rows, dtype=str)


def spliced(usage: Usage, events: Sequence[Event]) -> Usage:
    """Return the usage in which series that took over have the history of those they replaced."""
    rows = dict(zip(usage.ids, usage.y, strict=True))
    for event in _switches(events):
        cut = int((usage.days.date < event.date).sum())
        pairs = [(name, new) for name in rows if (new := renamed(name, event))] if cut < len(usage.days) else []
        for name, new in pairs:
            old = rows.pop(name)
            rows[new] = _sum(rows.get(new), np.where(np.arange(len(old)) < cut, old, np.nan))
            if np.nansum(old[cut:]) > 0:
                rows[name] = np.where(np.arange(len(old)) < cut, np.nan, old)
    ids = sorted(rows)
    return replace(usage, ids=tuple(ids), y=np.array([rows[name] for name in ids]))


def keys_of(keys: Mapping[str, SeriesKey], events: Sequence[Event]) -> dict[str, SeriesKey]:
    """Return what each series is, those that take over included."""
    known = dict(keys)
    for event in _switches(events):
        for name, key in list(known.items()):
            if (new := renamed(name, event)) and event.model:
                known.setdefault(new, replace(key, model=event.model, provider=event.provider or key.provider))
    return known


def rates_by_name(
    names: Names, days: "pd.DatetimeIndex", rates_of: "Callable[[Sequence[str], pd.DatetimeIndex], FloatArray]"
) -> FloatArray:
    """Return USD per unit, (series, days), of what each series is called on that day."""
    every, index = np.unique(names, return_inverse=True)
    table = rates_of(every.tolist(), days)
    found: FloatArray = table[index.reshape(names.shape), np.arange(len(days))]
    return found


def _switches(events: Sequence[Event]) -> list[Event]:
    return sorted((event for event in events if event.model is not None), key=lambda event: event.date)


def _sum(known: FloatArray | None, more: FloatArray) -> FloatArray:
    """Add two histories; it begins where the first of them begins."""
    whole = more if known is None else np.nansum([known, more], axis=0)
    began = np.logical_or.accumulate(~np.isnan(more) | (False if known is None else ~np.isnan(known)))
    result: FloatArray = np.where(began, np.nan_to_num(whole), np.nan)
    return result

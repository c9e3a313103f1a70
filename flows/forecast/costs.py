"""Tokens times the price that will hold on each day, times the events that are planned.

Forecasting spending itself misses every known change: with an announced price cut of 40 % it was
wrong by 25 %, tokens x price by 6 % (research, statistics §5). An unknown price makes a cost unknown,
never 0. An event that lies in the past is taken out of the history before it, so that the
forecaster sees one level.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

import numpy as np

from flows.forecast.params import Event
from flows.forecast.series import BoolArray, FloatArray, SeriesKey
from flows.provider.prices import MTOK, Price

if TYPE_CHECKING:
    import pandas as pd

PriceAt = Callable[[SeriesKey, datetime], Price | None]


def rates(ids: Sequence[str], keys: Mapping[str, SeriesKey], days: "pd.DatetimeIndex", price_at: PriceAt) -> FloatArray:
    """Return USD per token of each series on each day, (series, days); NaN = unpriced."""
    return np.array([[_rate(keys[name], price_at(keys[name], day.to_pydatetime())) for day in days] for name in ids])


def _rate(key: SeriesKey, price: Price | None) -> float:
    if price is None:
        return np.nan
    kind = key.token_type
    rate = {"input": price.input, "cached_input": price.cached_input, "output": price.output}[kind]
    if rate is None and kind == "cached_input":
        rate = price.input  # a model without a cached rate bills cached tokens as input
    return np.nan if rate is None else rate / MTOK


def factors(ids: Sequence[str], days: "pd.DatetimeIndex", events: Sequence[Event]) -> FloatArray:
    """Return what the events multiply each series by on each day, (series, days)."""
    result = np.ones((len(ids), len(days)))
    for event in events:
        if event.multiplier is not None:
            result[np.ix_(matching(ids, event.series), _holding(days, event))] *= event.multiplier
    return result


def matching(ids: Sequence[str], pattern: str) -> BoolArray:
    """Return which series a pattern with * and ? names, as booleans."""
    return np.array([fnmatchcase(name, pattern) for name in ids], dtype=bool)


def one_off(days: "pd.DatetimeIndex", event: Event) -> FloatArray:
    """Return what an event costs once, by day."""
    return np.where(days.date == event.date, event.cost_usd or 0.0, 0.0)


def _holding(days: "pd.DatetimeIndex", event: Event) -> BoolArray:
    holds: BoolArray = days.date >= event.date
    return holds if event.until is None else holds & (days.date < event.until)

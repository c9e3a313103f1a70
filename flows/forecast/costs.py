"""Tokens times the price that will hold on each day, times the events that are planned.

Forecasting spending itself misses every known change: with an announced price cut of 40 % it was
wrong by 25 %, tokens x price by 6 % (research, statistics §5). An unknown price makes a cost unknown,
never 0. An event that lies in the past is taken out of the history before it, so that the
forecaster sees one level.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from flows.forecast.budget import DAYS_PER_MONTH
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


def factors(names: "Sequence[str] | NDArray[np.str_]", days: "pd.DatetimeIndex", events: Sequence[Event]) -> FloatArray:
    """Return what the events multiply each series by on each day, (series, days).

    Args:
        names: Of the series, or, (series, days), what each is called on each day.
        days: The days.
        events: Those with a multiplier or a growth count; a name is matched as it is on the day.
    """
    called = np.asarray(names, dtype=str).reshape(len(names), -1)
    result = np.ones((len(called), len(days)))
    for event in events:
        if event.multiplier is not None or event.growth_per_month is not None:
            every = np.unique(called)
            result *= np.where(
                np.isin(called, every[matching(every.tolist(), event.series)]), _effect(days, event), 1.0
            )
    return result


def _effect(days: "pd.DatetimeIndex", event: Event) -> FloatArray:
    if event.growth_per_month is None:
        return np.where(_holding(days, event), event.multiplier or 1.0, 1.0)
    last = event.until or date.max
    grown = np.array([max(0, (min(day, last) - event.date).days) for day in days.date]) / DAYS_PER_MONTH
    effect: FloatArray = (1 + event.growth_per_month) ** grown
    return effect


def matching(ids: Sequence[str], pattern: str) -> BoolArray:
    """Return which series a pattern with * and ? names, as booleans."""
    return np.array([fnmatchcase(name, pattern) for name in ids], dtype=bool)


def one_off(days: "pd.DatetimeIndex", event: Event) -> FloatArray:
    """Return the sum an event costs, by day: once, or again every so many days until it ends."""
    if event.every_days is None:
        return np.where(days.date == event.date, event.cost_usd or 0.0, 0.0)
    since = np.array([(day - event.date).days for day in days.date])
    return np.where(_holding(days, event) & (since % event.every_days == 0), event.cost_usd or 0.0, 0.0)


def _holding(days: "pd.DatetimeIndex", event: Event) -> BoolArray:
    holds: BoolArray = days.date >= event.date
    return holds if event.until is None else holds & (days.date < event.until)

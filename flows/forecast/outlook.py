"""Forecast all series at once and their total, each with an interval from its own past errors.

The mean of the total is the sum of the series (bottom-up was as good as direct: WAPE .194 against
.190). Its interval comes from the total's own errors at today's prices: the sum of the series'
bounds was a third too wide (research, statistics §5).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from flows.forecast.costs import factors, matching
from flows.forecast.forecaster import forecast, past_forecasts
from flows.forecast.intervals import Errors, bounds, learn, log_errors
from flows.forecast.params import ForecastParams
from flows.forecast.series import BoolArray, FloatArray, Usage
from flows.forecast.switching import Names, names_ahead, rates_by_name, spliced

if TYPE_CHECKING:
    import pandas as pd

RatesOf = Callable[[Sequence[str], "pd.DatetimeIndex"], FloatArray]


@dataclass(frozen=True)
class Past:
    """Past forecasts of one thing and what came true, (series, origins, horizon), and its history, (series, days)."""

    paths: FloatArray
    actual: FloatArray
    history: FloatArray

    def weighted(self, weights: FloatArray) -> "Past":
        """Return the past of the weighted sum of the series, as one series; unknown counts as none yet."""
        ahead = np.isnan(self.actual).all(axis=0)
        actual = np.where(ahead, np.nan, np.einsum("n,noh->oh", weights, np.nan_to_num(self.actual)))
        paths = np.einsum("n,noh->oh", weights, np.nan_to_num(self.paths))
        return Past(paths[None], actual[None], (weights @ np.nan_to_num(self.history))[None])


@dataclass(frozen=True)
class Outlook:
    """What is expected of each series and of the total over the next days.

    `amount` and `cost` are (series, horizon); `cost` is NaN for unpriced series. `past` is by
    series in amounts; `total` is the weighted sum of the priced ones. Errors are of single days
    (`by_series`, `by_day`) and of running totals (`running`). `names` is what each series is called on
    each day, (series, horizon): a model switch changes it.
    """

    usage: Usage
    days: "pd.DatetimeIndex"
    names: Names
    amount: FloatArray
    cost: FloatArray
    past: Past
    total: Past
    by_series: Errors
    by_day: Errors
    running: Errors

    @property
    def priced(self) -> BoolArray:
        """Which series have a price on every day."""
        return np.asarray(~np.isnan(self.cost).any(axis=1))

    @property
    def total_cost(self) -> FloatArray:
        """Cost of the priced series by day, (horizon,)."""
        total: FloatArray = self.cost[self.priced].sum(axis=0)
        return total


def horizon_days(usage: Usage, horizon: int) -> "pd.DatetimeIndex":
    """Return the days after the last complete one."""
    import pandas as pd

    return pd.date_range(usage.days[-1], periods=horizon + 1, freq="D", unit="us")[1:]


def look_ahead(usage: Usage, rates_of: RatesOf, params: ForecastParams) -> Outlook:
    """Forecast amounts, costs, and learn the intervals.

    Args:
        usage: Daily amounts up to the last complete day.
        rates_of: USD per unit of named series on given days, (names, days), NaN = unpriced.
        params: Events, horizon, the forecaster's numbers, levels.
    """
    usage, horizon = spliced(usage, params.events), params.horizon_days
    days = horizon_days(usage, horizon)
    names = names_ahead(usage.ids, days, params.events)
    rates = rates_by_name(names, days, rates_of)
    before, after = factors(usage.ids, usage.days, params.events), factors(names, days, params.events)
    now = before[:, -1:]
    history = usage.y / before * now  # as if what holds today had always held
    amount = forecast(history, horizon, params.forecaster) * after / now
    past = Past(*past_forecasts(history, horizon, params.backtest_origins, params.forecaster), history)
    total = past.weighted(_weights(rates))
    return Outlook(
        usage, days, names, amount, amount * rates, past, total,
        by_series=errors_of(past, params, cumulative=False),
        by_day=errors_of(total, params, cumulative=False),
        running=errors_of(total, params, cumulative=True),
    )  # fmt: skip


def errors_of(past: Past, params: ForecastParams, *, cumulative: bool) -> Errors:
    """Learn from past forecasts; see `intervals`."""
    errors = log_errors(past.paths, past.actual, floor_share=params.floor_share, cumulative=cumulative)
    return learn(
        errors, params.levels, step=params.aci_step, alpha_min=params.alpha_min, borrowed=params.borrowed_windows
    )


def total_bounds(
    outlook: Outlook, params: ForecastParams, level: int, fixed: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return the interval of the running total, (horizon,) each; `fixed` is known cost by day."""
    running = np.cumsum(outlook.total_cost)[None]
    lower, upper = bounds(running, outlook.running, level, ratio_max=params.ratio_max)
    return lower[0] + np.cumsum(fixed), upper[0] + np.cumsum(fixed)


def _weights(rates: FloatArray) -> FloatArray:
    """Return the first day's price as weight of each series; 0 = unpriced, 1 when nothing costs anything."""
    priced = ~np.isnan(rates).any(axis=1)
    weights = np.where(priced, np.nan_to_num(rates[:, 0]), 0.0)
    return weights if weights.any() else priced.astype(float)


def notes(outlook: Outlook, params: ForecastParams) -> list[str]:
    """Say what a reader must know before trusting the numbers."""
    rules = params.forecaster
    known = (~np.isnan(outlook.usage.y)).sum(axis=1)
    cold = [
        name
        for name, days in zip(outlook.usage.ids, known, strict=True)
        if days < rules.cold_start_seasons * rules.season_steps
    ]
    found = [*outlook.usage.notes, *_unmatched(outlook, params)]
    if cold:
        found.append(
            f"cold start: {len(cold)} of {len(known)} series have less than {rules.cold_start_seasons} weeks of "
            f"history and get a flat mean ({_some(cold)})"
        )
    if np.isnan(outlook.running.scale).any():
        found.append("no interval yet: no past forecast could be compared with what came true")
    bursty = [
        name
        for name, wape in zip(outlook.usage.ids, daily_wape(outlook.past), strict=True)
        if wape >= params.bursty_wape
    ]
    if daily_wape(outlook.total)[0] >= params.bursty_wape:
        found.append(
            "wide interval: daily totals are not forecastable (bursty usage); read the sum over the horizon only"
        )
    if bursty:
        found.append(
            f"wide interval: {len(bursty)} series are bursty, their days are not forecastable ({_some(bursty)})"
        )
    return found


def _unmatched(outlook: Outlook, params: ForecastParams) -> list[str]:
    """Name the events that change no series: a pattern with a wrong letter would go unnoticed."""
    names = sorted({*outlook.usage.ids, *outlook.names.ravel().tolist()})
    last = outlook.usage.days[-1].date()
    traffic = [event for event in params.events if event.cost_usd is None and not event.series.startswith("own_work/")]
    ahead = [event for event in traffic if event.model is None or event.date > last]  # an old switch has no series left
    lost = [event.name for event in ahead if not matching(names, event.series).any()]
    return [f"no series has the name that {len(lost)} event(s) give: {_some(lost)}"] if lost else []


def daily_wape(past: Past) -> FloatArray:
    """Return the absolute error of one-day-ahead forecasts over the actual sum, (series,); NaN = unknown."""
    path, actual = past.paths[:, :, 0], past.actual[:, :, 0]
    wrong, whole = np.nansum(np.abs(path - actual), axis=1), np.nansum(actual, axis=1)
    result: FloatArray = np.full(len(whole), np.nan)
    np.divide(wrong, whole, out=result, where=whole > 0)
    return result


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")

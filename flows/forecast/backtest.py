"""Repeat the forecast of the total on the project's own past and hold it against two plain rivals.

From each past origin: the forecast against the last week repeated (seasonal naive) and against the mean of
the last 7 days times the number of days. WAPE is the sum of absolute errors of totals over the
sum of the totals. Coverage counts how often the interval, made only from what was known then,
held the total that came true.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from flows.forecast.intervals import Errors
from flows.forecast.methods import seasonal_naive
from flows.forecast.outlook import Past
from flows.forecast.series import FloatArray

if TYPE_CHECKING:
    import pandas as pd

METHODS = ("forecast", "seasonal_naive", "mean")


def totals(past: Past, horizon: int, *, season: int, mean_steps: int) -> tuple[FloatArray, dict[str, FloatArray]]:
    """Return what came true and each method's forecast of totals over `horizon` steps, (series, origins).

    Only origins whose whole window is known are kept; `mean_steps` are behind the rival `mean`.
    """
    origins = past.paths.shape[1]
    starts = past.history.shape[1] - origins + np.arange(origins)
    known = np.flatnonzero(starts + horizon <= past.history.shape[1])
    reach = max(season, mean_steps)
    before = np.pad(past.history, ((0, 0), (reach, 0)), constant_values=np.nan)
    seen = sliding_window_view(before, reach, axis=1)[:, starts[known]]
    actual = past.actual[:, known, :horizon].sum(axis=2)
    return actual, {
        "forecast": past.paths[:, known, :horizon].sum(axis=2),
        "seasonal_naive": seasonal_naive(seen, horizon, season).sum(axis=2),
        "mean": seen[:, :, -mean_steps:].mean(axis=2) * horizon,
    }


def wape(actual: FloatArray, forecast: FloatArray) -> FloatArray:
    """Return the weighted absolute percentage error by series, (series,); NaN without anything known."""
    judged = ~np.isnan(actual) & ~np.isnan(forecast)
    wrong = np.where(judged, np.abs(actual - forecast), 0.0).sum(axis=1)
    whole = np.where(judged, actual, 0.0).sum(axis=1)
    result: FloatArray = np.full(len(whole), np.nan)
    np.divide(wrong, whole, out=result, where=whole > 0)
    return result


def report(past: Past, running: Errors, horizons: Sequence[int], season: int) -> dict[str, Any]:
    """Return the backtest of the total by horizon, as JSON holds it; null = not enough history.

    Args:
        past: Of the total, one series.
        running: Errors of its running totals.
        horizons: Days per total; longer ones than the forecast are left out.
        season: Days of a season.
    """
    return {str(h): _of_horizon(past, running, h, season) for h in horizons if h <= past.paths.shape[2]}


def _of_horizon(past: Past, running: Errors, horizon: int, season: int) -> dict[str, Any]:
    actual, forecasts = totals(past, horizon, season=season, mean_steps=season)
    values: dict[str, Any] = {"origins": int(actual.shape[1])}
    values |= {f"wape_{name}": number(wape(actual, forecasts[name])[0]) for name in METHODS}
    values |= {f"coverage_{level}": number(share[0, horizon - 1]) for level, share in running.coverage.items()}
    return values


def came_true(past: Past, days: "pd.DatetimeIndex") -> list[dict[str, Any]]:
    """Return the totals forecast for the longest horizon, and what came true, by first day ahead."""
    horizon = past.paths.shape[2]
    known = np.flatnonzero(~np.isnan(past.actual[0]).any(axis=1))
    first = len(days) - past.paths.shape[1]
    return [
        {
            "from": f"{days[first + i]:%Y-%m-%d}",
            "days": horizon,
            "forecast": float(past.paths[0, i].sum()),
            "actual": float(past.actual[0, i].sum()),
        }
        for i in known
    ]


def number(value: float) -> float | None:
    """Return a float for JSON, which has no NaN."""
    return None if np.isnan(value) else round(float(value), 4)

"""Hold the forecast of the total against a library model: Holt-Winters of statsmodels.

Exponential smoothing with a weekly season and a damped trend, both additive: what a person would take from the shelf.
It starts from the heuristic values, which forecast no worse than estimated ones at a tenth of the time. Only some
past origins are compared, spread evenly; ours and the plain rivals are judged on the same ones. A model that
fails is counted and named, and stops nothing.
"""

import warnings
from collections import Counter
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

import numpy as np

from flows.forecast.backtest import number, totals, wape
from flows.forecast.outlook import Past
from flows.forecast.params import ForecastParams
from flows.forecast.series import FloatArray

FAILURES = (ArithmeticError, ImportError, LookupError, RuntimeError, TypeError, ValueError)


def compare(past: Past, horizons: Sequence[int], params: ForecastParams) -> dict[str, Any]:
    """Return WAPE of totals by horizon for the library model and the others, as JSON holds it.

    Args:
        past: Of the total, one series.
        horizons: Days per total.
        params: How many origins, and the season.

    Returns:
        `model`, `origins`, `failed` {error class: count} and `totals` {horizon: {origins, wape_library, wape_…}};
        empty `totals` while no past window has four weeks of history before it.
    """
    season, steps = params.forecaster.season_steps, past.history.shape[1]
    enough = params.forecaster.profile_seasons * season
    first = steps - past.paths.shape[1]
    usable = np.arange(max(first, enough), steps - min(horizons, default=steps) + 1)
    chosen = np.unique(np.linspace(0, len(usable) - 1, min(len(usable), params.library_origins)).round().astype(int))
    starts = usable[chosen] if len(usable) and params.library_origins else np.empty(0, int)
    failed: Counter[str] = Counter()
    paths = {int(start): _path(past.history[0, :start], past.paths.shape[2], season, failed) for start in starts}
    fitted = {start: path for start, path in paths.items() if path is not None}
    return {
        "model": f"Holt-Winters, weekly season, damped trend (statsmodels {version('statsmodels')})",
        "origins": len(fitted),
        "failed": dict(sorted(failed.items())),
        "totals": {str(h): found for h in horizons if (found := _of_horizon(past, fitted, h, first, season))},
    }


def _path(y: FloatArray, horizon: int, season: int, failed: Counter[str]) -> FloatArray | None:
    from statsmodels.tsa.holtwinters import ExponentialSmoothing

    options = {"trend": "add", "damped_trend": True, "seasonal": "add", "initialization_method": "heuristic"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a fit that did not converge is judged by its forecast like any other
        try:
            fitted = ExponentialSmoothing(y, seasonal_periods=season, **options).fit(use_brute=False)
            path = np.asarray(fitted.forecast(horizon))
        except FAILURES as error:
            failed[type(error).__name__] += 1
            return None
    if not np.isfinite(path).all():
        failed["not finite"] += 1
        return None
    result: FloatArray = np.maximum(path, 0.0)
    return result


def _of_horizon(
    past: Past, fitted: dict[int, FloatArray], horizon: int, first: int, season: int
) -> dict[str, Any] | None:
    known = [start for start in fitted if start + horizon <= past.history.shape[1]]
    if not known or horizon > past.paths.shape[2]:
        return None
    actual, forecasts = totals(past, horizon, season=season, mean_steps=season)
    columns = np.array(known) - first
    library = np.array([[fitted[start][:horizon].sum() for start in known]])
    judged = {"library": library} | {name: values[:, columns] for name, values in forecasts.items()}
    values = {f"wape_{name}": number(wape(actual[:, columns], total)[0]) for name, total in judged.items()}
    return {"origins": len(known), **values}

"""Weigh three methods for each series: the mean of the last week, unless its own past says that another is better.

Weight = prior x (mean absolute error of the week after)^-n over the last 6 weeks of past forecasts. n is the
number of windows over 7, since windows of 7 days that begin a day apart overlap. This is Bayesian averaging of models
with Laplace errors of unknown scale. The prior is with the mean of the last week: without evidence the forecast
stays there, which keeps it from losing to a method that anyone could use by hand (combinations shrunken towards a
benchmark: Diebold & Pauly 1990). Less than three weeks of history decide nothing: then it is the mean alone.
Other priors (.5 to .8), spans and powers differed by less than noise on every set of series tried.

A forecast is a function of the last 15 weeks, so that all past origins of all series are a few matrices.
"""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from flows.forecast.methods import METHODS, by_each, memory
from flows.forecast.params import Rules
from flows.forecast.series import FloatArray

RATIO_MIN = 1e-9  # an error below this share of the worst method's is rounding


def forecast(history: FloatArray, horizon: int, rules: Rules) -> FloatArray:
    """Forecast the next steps of several series.

    Args:
        history: (series, steps), newest last, NaN before a series began.
        horizon: Steps ahead.
        rules: The forecaster's numbers.

    Returns:
        (series, horizon); a flat mean where the history is shorter than the cold start, NaN where there is none.
    """
    return _from(history, horizon, history.shape[1], rules)[:, 0]


def past_forecasts(history: FloatArray, horizon: int, origins: int, rules: Rules) -> tuple[FloatArray, FloatArray]:
    """Repeat the forecast from past origins, each seeing only what was known then.

    Args:
        history: (series, steps).
        horizon: Steps ahead.
        origins: At most so many, the newest ones, one step apart; early ones without a cold start's
            history are skipped when there are others.
        rules: The forecaster's numbers.

    Returns:
        Forecasts and actual values, both (series, origins, horizon); actual is NaN where it lies
        after the history's end. Origin i of n saw all but the newest n - i steps.
    """
    steps = history.shape[1]
    learned = rules.cold_start_seasons * rules.season_steps
    first = learned if steps > learned + rules.season_steps else min(rules.season_steps // 2, steps)
    first = max(first, steps - origins)
    return _from(history, horizon, first, rules)[:, :-1], _after(history, horizon, first)[:, :-1]


def weights(errors: FloatArray, rules: Rules) -> FloatArray:
    """Return how much each method counts at each origin, (method, series, origins); they sum to 1.

    Args:
        errors: Mean absolute errors of one season ahead, (method, series, origins), NaN = unknown; that of origin i
            is known a season after i, and is used from then on.
        rules: The priors, and how many seasons of origins are looked at.
    """
    season, span = rules.season_steps, rules.choice_seasons * rules.season_steps
    before = np.pad(errors, ((0, 0), (0, 0), (season + span - 1, 0)), constant_values=np.nan)
    seen = sliding_window_view(before, span, axis=2)[:, :, : errors.shape[2]]
    windows = (~np.isnan(seen)).sum(axis=3)
    wrong = np.nansum(seen, axis=3)
    worst = np.maximum(wrong.max(axis=0), np.finfo(float).tiny)
    evidence = -windows / season * np.log(np.maximum(wrong / worst, RATIO_MIN))
    relative = _prior(rules) * np.exp(evidence - evidence.max(axis=0))
    result: FloatArray = relative / relative.sum(axis=0)
    return result


def _prior(rules: Rules) -> FloatArray:
    others = (1 - rules.mean_prior) / (len(METHODS) - 1)
    return np.array([rules.mean_prior, *[others] * (len(METHODS) - 1)])[:, None, None]


def _from(history: FloatArray, horizon: int, first: int, rules: Rules) -> FloatArray:
    """Forecast from each origin, `first` to the end of the history, (series, origins, horizon)."""
    season, series = rules.season_steps, len(history)
    earliest = max(0, first - (rules.choice_seasons + 1) * season)
    reach, ahead = memory(rules), max(horizon, season)
    before = np.pad(history, ((0, 0), (reach, 0)), constant_values=np.nan)
    seen = sliding_window_view(before, reach, axis=1)[:, earliest:]
    known = (~np.isnan(seen)).sum(axis=2)
    paths = by_each(seen.reshape(-1, reach), ahead, rules).reshape(len(METHODS), series, -1, ahead)
    errors = np.abs(paths[..., :season] - _after(history, season, earliest)).mean(axis=3)
    weight = weights(np.where(known < season, np.nan, errors), rules)
    weight = np.where(known < rules.cold_start_seasons * season, np.eye(len(METHODS))[0][:, None, None], weight)
    asked = first - earliest
    combined: FloatArray = np.einsum("mso,msoh->soh", weight[:, :, asked:], paths[:, :, asked:, :horizon])
    return combined


def _after(history: FloatArray, horizon: int, first: int) -> FloatArray:
    """Return what followed each origin, `first` to the end, (series, origins, horizon); NaN = not known yet."""
    padded = np.pad(history, ((0, 0), (0, horizon)), constant_values=np.nan)
    return sliding_window_view(padded, horizon, axis=1)[:, first:].copy()

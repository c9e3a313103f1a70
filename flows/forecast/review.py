"""Put last month's forecast beside what came true, in two ways that answer different questions.

`a_while_ago` forecasts again from the log as it was one horizon ago, with today's code and events and the prices of
those days: reproducible, so it is part of the backtest. `keep` writes down what this run says: one line per last
complete day, and no output that DVC compares, since it depends on when people asked. A later run never rewrites an
earlier day's line; only the newest day's is replaced, when late calls or prices changed it. The report shows both.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np

from flows.core.files import write_text
from flows.forecast.outlook import Outlook, RatesOf, look_ahead, total_bounds
from flows.forecast.params import ForecastParams
from flows.forecast.series import FloatArray, Usage

USD_DIGITS = 6


def a_while_ago(usage: Usage, rates_of: RatesOf, params: ForecastParams) -> dict[str, Any] | None:
    """Return the forecast of the last horizon's days from what was known before them, and what came true.

    Args:
        usage: All complete days.
        rates_of: USD per token of named series on given days.
        params: How far, and the forecaster's numbers.

    Returns:
        `as_of`, `days`, `mean_usd`, `lower_80`, …, `actual_usd` (traffic at list prices) and `by_day`; None with less
        history than a cold start needs before those days.
    """
    ahead, rules = params.horizon_days, params.forecaster
    if len(usage.days) - ahead < rules.cold_start_seasons * rules.season_steps:
        return None
    then = Usage(usage.ids, usage.days[:-ahead], usage.y[:, :-ahead])
    price = rates_of(usage.ids, usage.days[-ahead:])
    outlook = look_ahead(then, rates_of, params)
    actual = np.nansum(np.nan_to_num(usage.y[:, -ahead:]) * price, axis=0)
    days = zip(usage.days[-ahead:], outlook.total_cost, actual, strict=True)
    return {
        "as_of": f"{then.days[-1]:%Y-%m-%d}",
        "days": ahead,
        **_interval(outlook, params),
        "actual_usd": _usd(actual.sum()),
        "by_day": [{"ds": f"{day:%Y-%m-%d}", "forecast": _usd(f), "actual": _usd(a)} for day, f, a in days],
    }


def _interval(outlook: Outlook, params: ForecastParams) -> dict[str, float | None]:
    values = {"mean_usd": _usd(outlook.total_cost.sum())}
    for level in params.levels:
        lower, upper = total_bounds(outlook, params, level, np.zeros(len(outlook.days)))
        values[f"lower_{level}"], values[f"upper_{level}"] = _usd(lower[-1]), _usd(upper[-1])
    return values


def keep(path: Path, values: dict[str, Any], by_day: FloatArray, params: ForecastParams) -> None:
    """Add what a summary says to the file of all that was said; nothing when it has no cost.

    Args:
        path: JSON lines, oldest first.
        values: The summary.
        by_day: Expected cost by day, all drivers included, (horizon,).
        params: Which levels.
    """
    if values["mean_usd"] is None:
        return
    bounds = [f"{side}_{level}" for level in params.levels for side in ("lower", "upper")]
    names = ("as_of", "horizon_days", "mean_usd", *bounds, "mean_tokens", "known_usd")
    line = {name: values[name] for name in names} | {"by_day": [_usd(cost) for cost in by_day]}
    said = {_as_of(text): text for text in _lines(path)} | {line["as_of"]: json.dumps(line)}
    write_text(path, "".join(said[day] + "\n" for day in sorted(said) if day))


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines() if path.is_file() else []


def _as_of(text: str) -> str:
    try:
        return str(json.loads(text)["as_of"])
    except (ValueError, KeyError, TypeError):
        return ""  # a torn line goes


def _usd(value: float) -> float | None:
    return None if np.isnan(value) else round(float(value), USD_DIGITS)

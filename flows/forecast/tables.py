"""The forecast as tables and numbers: rows by the contract FORECAST, a flat summary, daily history."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from flows.forecast.backtest import number
from flows.forecast.budget import exceed_odds, outlook_of_budget, over_horizon
from flows.forecast.drivers import Driver, known_cost
from flows.forecast.groups import by_part
from flows.forecast.intervals import bounds
from flows.forecast.outlook import Outlook, errors_of, total_bounds
from flows.forecast.params import ForecastParams
from flows.forecast.series import FloatArray, Usage
from flows.forecast.switching import Names

if TYPE_CHECKING:
    import pandas as pd

TOTAL = "total"
TRAFFIC = "traffic"
BASELINE = "baseline"
USD_DIGITS = 6  # a millionth of a dollar
KEY = ["unique_id", "ds", "level"]
BUDGET_DATES = ("date_p10", "date_p50", "date_p90")


def forecast_table(outlook: Outlook, drivers: Sequence[Driver], params: ForecastParams) -> "pd.DataFrame":
    """Return one row per series, day and level, the drivers and the total included."""
    import pandas as pd

    fixed = known_cost(drivers, len(outlook.days))
    has_cost = bool(outlook.priced.any() or any(not np.isnan(driver.cost).any() for driver in drivers))
    total = np.where(has_cost, outlook.total_cost, np.nan)
    frames = []
    for level in params.levels:
        lower, upper = bounds(outlook.cost, outlook.by_series, level, ratio_max=params.ratio_max)
        for i, names in enumerate(outlook.names):
            frames.append(_rows(outlook, names, TRAFFIC, level, outlook.amount[i], outlook.cost[i], lower[i], upper[i]))
        for driver in drivers:
            none = np.full(len(outlook.days), np.nan)
            frames.append(_rows(outlook, driver.unique_id, driver.driver, level, none, *[driver.cost] * 3))
        low, high = bounds(total[None], outlook.by_day, level, ratio_max=params.ratio_max)
        tokens = outlook.amount.sum(axis=0)
        frames.append(_rows(outlook, TOTAL, "all", level, tokens, total + fixed, low[0] + fixed, high[0] + fixed))
    return _merged(pd.concat(frames, ignore_index=True)).sort_values(KEY, ignore_index=True)


def _merged(table: "pd.DataFrame") -> "pd.DataFrame":
    """Return one row a key: after a model switch several series go on under one name. Added bounds are too wide."""
    if not table.duplicated(KEY).any():
        return table
    how: dict[str, Any] = dict.fromkeys(("horizon", "driver", "scenario"), "first")
    how |= dict.fromkeys(("tokens", "cost_usd", "lower_usd", "upper_usd"), lambda values: values.sum(skipna=False))
    return table.groupby(KEY, as_index=False).agg(how)[list(table.columns)]


def _rows(
    outlook: Outlook, name: "str | Names", driver: str, level: int,
    tokens: FloatArray, cost: FloatArray, lower: FloatArray, upper: FloatArray,
) -> "pd.DataFrame":  # fmt: skip
    import pandas as pd

    return pd.DataFrame({
        "unique_id": name, "ds": outlook.days, "horizon": np.arange(1, len(outlook.days) + 1), "level": level,
        "tokens": tokens, "cost_usd": cost, "lower_usd": lower, "upper_usd": upper,
        "driver": driver, "scenario": BASELINE,
    })  # fmt: skip


def summary(outlook: Outlook, drivers: Sequence[Driver], params: ForecastParams) -> dict[str, Any]:
    """Return the totals over the horizon, the budget's odds and what is unpriced, as flat JSON."""
    fixed = known_cost(drivers, len(outlook.days))
    unpriced = [name for name, priced in zip(outlook.usage.ids, outlook.priced, strict=True) if not priced]
    unpriced += [driver.unique_id for driver in drivers if np.isnan(driver.cost).any()]
    values = empty_summary(params) | {
        "as_of": f"{outlook.usage.days[-1]:%Y-%m-%d}",
        "history_days": len(outlook.usage.days),
        "series": len(outlook.usage.ids),
        "unpriced": unpriced,
        "known_usd": _usd(fixed.sum()),
        **_tokens(outlook, params),
        "by_part": by_part(outlook, params),
    }
    if outlook.priced.any():
        values |= _total(outlook, params, fixed)
    return values


def empty_summary(params: ForecastParams) -> dict[str, Any]:
    """Return the summary's keys with nothing known; null is never zero."""
    ranges = [
        f"{side}{unit}_{level}" for unit in ("", "_tokens") for level in params.levels for side in ("lower", "upper")
    ]
    keys = ("as_of", "mean_usd", "mean_tokens", *ranges, *[f"coverage_{level}" for level in params.levels])
    budget = ("budget_usd", "budget_usd_per_month", "p_exceed", *BUDGET_DATES)
    empty: dict[str, Any] = dict.fromkeys((*keys, *budget, "past_usd", "known_usd"))
    counts = {"horizon_days": params.horizon_days, "history_days": 0, "series": 0, "windows": 0}
    return empty | counts | {"unpriced": [], "notes": [], "by_part": []}


def _total(outlook: Outlook, params: ForecastParams, fixed: FloatArray) -> dict[str, Any]:
    values: dict[str, Any] = {"mean_usd": _usd(outlook.total_cost.sum() + fixed.sum())}
    for level in params.levels:
        lower, upper = total_bounds(outlook, params, level, fixed)
        values[f"lower_{level}"], values[f"upper_{level}"] = _usd(lower[-1]), _usd(upper[-1])
        values[f"coverage_{level}"] = number(outlook.running.coverage[level][0, -1])
    values["windows"] = int(outlook.running.windows[0, -1])
    return values | _budget(outlook, params, fixed)


def _budget(outlook: Outlook, params: ForecastParams, fixed: FloatArray) -> dict[str, Any]:
    if params.budget_usd_per_month is None or np.isnan(outlook.running.scale).any():
        return {"budget_usd_per_month": params.budget_usd_per_month}
    amount = over_horizon(params.budget_usd_per_month, len(outlook.days))
    odds = exceed_odds(np.cumsum(outlook.total_cost), np.cumsum(fixed), outlook.running, amount)
    found = outlook_of_budget(outlook.days, odds, amount)
    return {
        "budget_usd_per_month": params.budget_usd_per_month,
        "budget_usd": _usd(found["usd"]),
        "p_exceed": number(found["p_exceed"]),
        **{name: found[name] for name in BUDGET_DATES},
    }


def _tokens(outlook: Outlook, params: ForecastParams) -> dict[str, Any]:
    everything = outlook.past.weighted(np.ones(len(outlook.usage.ids)))
    errors = errors_of(everything, params, cumulative=True)
    running = np.cumsum(outlook.amount.sum(axis=0))[None]
    values: dict[str, Any] = {"mean_tokens": round(float(running[0, -1]))}
    for level in params.levels:
        lower, upper = bounds(running, errors, level, ratio_max=params.ratio_max)
        for side, bound in (("lower", lower), ("upper", upper)):
            values[f"{side}_tokens_{level}"] = None if np.isnan(bound[0, -1]) else round(float(bound[0, -1]))
    return values


def history(usage: Usage) -> list[dict[str, Any]]:
    """Return the tokens of every day, all series together."""
    return [
        {"ds": f"{day:%Y-%m-%d}", "tokens": round(float(tokens))}
        for day, tokens in zip(usage.days, np.nan_to_num(usage.y).sum(axis=0), strict=True)
    ]


def restated(before: Sequence[dict[str, Any]], now: Sequence[dict[str, Any]]) -> list[str]:
    """Return the days whose tokens differ from an earlier forecast's history: late or corrected calls."""
    known = {row["ds"]: row["tokens"] for row in before}
    return [row["ds"] for row in now if row["ds"] in known and known[row["ds"]] != row["tokens"]]


def _usd(value: float) -> float | None:
    return None if np.isnan(value) else round(float(value), USD_DIGITS)

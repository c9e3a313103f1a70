"""Forecast any usage table: the tool of its own behind `llmops forecast --usage`.

No project is needed: a frame of `ds, unique_id, y` goes in, plain JSON values come out.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from flows.core.errors import ContractError, InputError
from flows.forecast.anomalies import alarms
from flows.forecast.budget import exceed_odds, outlook_of_budget
from flows.forecast.costs import matching
from flows.forecast.drivers import known_cost, planned
from flows.forecast.groups import by_part
from flows.forecast.intervals import bounds
from flows.forecast.outlook import Outlook, RatesOf, look_ahead, notes, total_bounds
from flows.forecast.params import ForecastParams
from flows.forecast.series import FloatArray, Usage, daily
from flows.provider.prices import MTOK

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ("ds", "unique_id", "y")
PRICE_COLUMNS = ("unique_id", "valid_from", "usd_per_mtok")


def run_on_frame(
    usage: "pd.DataFrame",
    *,
    prices: "pd.DataFrame | None" = None,
    budget_usd: float | None = None,
    params: ForecastParams | None = None,
) -> dict[str, Any]:
    """Forecast each series and their total.

    Args:
        usage: Columns `ds` (day or time), `unique_id`, `y` (>= 0). Days are UTC; when every `ds` is a
            midnight the rows are daily totals and the last day is complete, else it is still open.
        prices: Columns `unique_id` (may hold * and ?), `valid_from`, `usd_per_mtok`; `y` is then tokens
            and the result USD. None = `y` is forecast in its own unit.
        budget_usd: Budget over the whole horizon, in the result's unit.
        params: Horizon, events and the forecaster's numbers; None = the defaults.

    Returns:
        `series` {unique_id: [{ds, mean, lower_80, …}]}, `total` {mean, lower_80, …}, `budget` {usd, p_exceed,
        date_p10, date_p50, date_p90} or None, `coverage` {80, 95, windows} of past totals, `by_part` (sums by use case,
        model and token type), `anomalies`, `as_of` and `notes`. None = unknown.

    Raises:
        ContractError: A column is missing, or some amount is negative, infinite or missing.
        InputError: There is no complete day.
    """
    params = params or ForecastParams()
    table = read(usage, params)
    rates = ones if prices is None else partial(rates_of, prices=prices)
    return look(table, rates, budget_usd=budget_usd, params=params)


def look(table: Usage, rates: RatesOf, *, budget_usd: float | None, params: ForecastParams) -> dict[str, Any]:
    """Forecast a table at the given rates, NaN = unpriced; see `run_on_frame`."""
    outlook = look_ahead(table, rates, params)
    fixed = known_cost(planned(params.events, outlook.days), len(outlook.days))
    return {
        "as_of": f"{table.days[-1]:%Y-%m-%d}",
        "series": _series(outlook, params),
        "total": _total(outlook, params, fixed),
        "budget": _budget(outlook, budget_usd, fixed),
        "coverage": _coverage(outlook),
        "by_part": by_part(outlook, params),
        "anomalies": alarms(outlook.past, outlook.usage.ids, table.days, params),
        "notes": [*_unpriced(outlook), *notes(outlook, params)],
    }


def read(
    usage: "pd.DataFrame", params: ForecastParams, *, notes: Sequence[str] = (), now: datetime | None = None
) -> Usage:
    """Return the amounts of each UTC day; see `run_on_frame` for the columns and the errors.

    Args:
        usage: The rows.
        params: How long a silence parts them.
        notes: What was left out before, for whoever must read why nothing remains.
        now: With it, an only day that is over by the clock counts as complete.
    """
    import pandas as pd

    _require(usage, COLUMNS, "usage")
    if usage.empty:
        raise InputError("the usage table has no rows. Give columns ds, unique_id, y with at least one day.")
    frame = usage.assign(ds=pd.to_datetime(usage["ds"], utc=True), y=pd.to_numeric(usage["y"], errors="coerce"))
    day = frame["ds"].dt.floor("D")
    by_day = bool((day == frame["ds"]).all())
    over = now is not None and day.nunique() == 1 and day.iloc[0].date() < now.date()
    table = daily(frame, open_day=None if by_day or over else day.max(), gap_days_max=params.gap_days_max)
    if table is None:
        left_out = f" ({'; '.join(notes)})" if notes else ""
        raise InputError(f"the usage table has no complete UTC day yet{left_out}. Wait for the first day to end.")
    return table


def _require(frame: "pd.DataFrame", columns: tuple[str, ...], what: str) -> None:
    missing = [name for name in columns if name not in frame.columns]
    if missing:
        raise ContractError(f"the {what} table lacks column(s) {missing}. Its columns are {', '.join(columns)}.")


def ones(names: Sequence[str], days: "pd.DatetimeIndex") -> FloatArray:
    """Return the rates of amounts that are forecast in their own unit, (names, days)."""
    return np.ones((len(names), len(days)))


def rates_of(names: Sequence[str], days: "pd.DatetimeIndex", prices: "pd.DataFrame") -> FloatArray:
    """Return USD per unit, (names, days), by a price table whose `unique_id` may hold * and ?; NaN = unpriced."""
    import pandas as pd

    _require(prices, PRICE_COLUMNS, "price")
    starts = pd.DatetimeIndex(pd.to_datetime(prices["valid_from"], utc=True)).floor("D")
    amounts = pd.to_numeric(prices["usd_per_mtok"]).to_numpy("float64") / MTOK
    result = np.full((len(names), len(days)), np.nan)
    for row in np.argsort(starts.to_numpy(), kind="stable"):
        named = matching(names, prices["unique_id"].iloc[row])
        result[np.ix_(named, days >= starts[row])] = amounts[row]
    return result


def _series(outlook: Outlook, params: ForecastParams) -> dict[str, list[dict[str, Any]]]:
    columns: dict[str, FloatArray] = {"mean": outlook.cost}
    for level in params.levels:
        sides = bounds(outlook.cost, outlook.by_series, level, ratio_max=params.ratio_max)
        columns[f"lower_{level}"], columns[f"upper_{level}"] = sides
    found: dict[str, list[dict[str, Any]]] = {}
    for name in np.unique(outlook.names).tolist():
        here = outlook.names == name  # more than one series after a model switch: their bounds add up, too wide
        sums = {key: np.where(here, values, 0.0).sum(axis=0) for key, values in columns.items()}
        found[name] = [
            {"ds": f"{day:%Y-%m-%d}", **_known({key: values[h] for key, values in sums.items()})}
            for h, day in enumerate(outlook.days)
            if here[:, h].any()
        ]
    return found


def _coverage(outlook: Outlook) -> dict[str, Any]:
    """Return the share of past totals of this length that lay inside their interval, and how many they are."""
    shares = {str(level): share[0, -1] for level, share in outlook.running.coverage.items()}
    return {**_known(shares), "windows": int(outlook.running.windows[0, -1])}


def _total(outlook: Outlook, params: ForecastParams, fixed: FloatArray) -> dict[str, float | None]:
    values = {"mean": outlook.total_cost.sum() + fixed.sum() if outlook.priced.any() else np.nan}
    for level in params.levels:
        lower, upper = total_bounds(outlook, params, level, fixed)
        values[f"lower_{level}"] = lower[-1] if outlook.priced.any() else np.nan
        values[f"upper_{level}"] = upper[-1] if outlook.priced.any() else np.nan
    return _known(values)


def _budget(outlook: Outlook, budget_usd: float | None, fixed: FloatArray) -> dict[str, Any] | None:
    if budget_usd is None:
        return None
    if np.isnan(outlook.running.scale).any() or not outlook.priced.any():
        return {"usd": budget_usd, "p_exceed": None, "date_p10": None, "date_p50": None, "date_p90": None}
    running = np.cumsum(outlook.total_cost)
    odds = exceed_odds(running, np.cumsum(fixed), outlook.running, budget_usd)
    return outlook_of_budget(outlook.days, odds, budget_usd)


def _unpriced(outlook: Outlook) -> list[str]:
    names = [name for name, priced in zip(outlook.usage.ids, outlook.priced, strict=True) if not priced]
    return [f"unpriced, not in the total: {', '.join(names)}"] if names else []


def _known(values: Mapping[str, float]) -> dict[str, float | None]:
    return {key: None if np.isnan(value) else float(value) for key, value in values.items()}

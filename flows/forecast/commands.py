"""`llmops forecast --usage FILE`: the forecaster as a tool of its own, for any usage table, without a project."""

import argparse
import json
import sys
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from flows.core.clock import utc_now
from flows.core.errors import UsageError
from flows.forecast.outlook import RatesOf
from flows.forecast.params import ForecastParams
from flows.forecast.series import FloatArray, Usage

SHOWN = 20  # series printed for a person
TOKENS = "tokens: no model has a known price"
ODDS = ("p_exceed", "date_p10", "date_p50", "date_p90")


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that need no project."""
    own = parser.add_argument_group("any usage table (needs no project)")
    own.add_argument("--usage", metavar="FILE", help="CSV, JSONL or Parquet: ds, unique_id, y; or columns of calls")
    own.add_argument("--prices", metavar="FILE", help="CSV: unique_id (with * and ?), valid_from, usd_per_mtok")
    own.add_argument("--events", metavar="FILE", help="YAML: a list `events` as in params.yaml, section forecast")
    own.add_argument("--horizon", type=int, metavar="DAYS", help="UTC days to look ahead (default: 28)")
    own.add_argument("--budget-usd", type=float, metavar="USD", help="budget over the whole horizon")
    own.add_argument("--json", action="store_true", help="print the forecast as JSON")


def handle(options: argparse.Namespace) -> int | None:
    """Forecast the given table; None when there is none, so that the stage runs."""
    if options.usage is None:
        _refuse_alone(options)
        return None
    found = forecast_file(options)
    sys.stdout.write((json.dumps(found, indent=2, allow_nan=False) if options.json else _text(found)) + "\n")
    return 0


def _refuse_alone(options: argparse.Namespace) -> None:
    given = {"--prices": options.prices, "--events": options.events, "--horizon": options.horizon}
    given |= {"--budget-usd": options.budget_usd, "--json": options.json or None}
    alone = [name for name, value in given.items() if value is not None]
    if alone:
        raise UsageError(f"{', '.join(alone)} belong(s) to a usage table. Name one with `--usage FILE`.")


def forecast_file(options: argparse.Namespace) -> dict[str, Any]:
    """Return the forecast of a file as JSON values; see `frame.run_on_frame`.

    Raises:
        UsageError: The horizon or the budget is no sensible number.
        InputError, ContractError, ParamsError: A file cannot be used.
    """
    from flows.forecast import frame
    from flows.forecast.pricefile import read_events, read_price_table
    from flows.forecast.switching import keys_of
    from flows.forecast.usagefile import read_usage

    if options.budget_usd is not None and not 0 <= options.budget_usd < float("inf"):
        raise UsageError(f"--budget-usd must be a number of dollars from 0 on, not {options.budget_usd!r}.")
    values: dict[str, Any] = {} if options.horizon is None else {"horizon_days": options.horizon}
    if options.events:
        values["events"] = [event.model_dump() for event in read_events(Path(options.events))]
    params = ForecastParams.parse(values, where="the command line")
    now = utc_now()
    usage = read_usage(Path(options.usage), now=now)
    table = frame.read(usage.rows, params, notes=usage.notes, now=now)
    rates: RatesOf
    if options.prices:
        rates, unit = partial(frame.rates_of, prices=read_price_table(Path(options.prices))), "USD"
    elif usage.keys:
        rates, unit = _library_rates(table, keys_of(usage.keys, params.events), params)
    else:
        rates, unit = frame.ones, "the unit of y"
    budget = None if unit == TOKENS else options.budget_usd
    found = frame.look(table, rates, budget_usd=budget, params=params)
    notes = [*usage.notes, *found["notes"]]
    if options.budget_usd is not None and unit == TOKENS:  # dollars are not held against tokens
        found |= {"budget": {"usd": options.budget_usd} | dict.fromkeys(ODDS)}
        notes.append("no model has a known price, so nothing is said of the budget. Give `--prices FILE`")
    return found | {"unit": unit, "notes": notes}


def _library_rates(table: Usage, keys: Any, params: ForecastParams) -> tuple[RatesOf, str]:
    from flows.forecast import frame
    from flows.forecast.costs import rates
    from flows.forecast.outlook import horizon_days
    from flows.provider.prices import price_of_model

    @cache
    def price(provider: str, model: str, size: int, when: Any) -> Any:
        return price_of_model(provider, model, when, input_tokens=size)

    def rates_of(names: Any, days: Any) -> FloatArray:
        return rates(names, keys, days, lambda key, when: price(key.provider, key.model, key.input_tokens, when))

    unpriced = bool(np.isnan(rates_of(table.ids, horizon_days(table, params.horizon_days))).all())
    return (frame.ones, TOKENS) if unpriced else (rates_of, "USD")


def _text(found: dict[str, Any]) -> str:
    from flows.forecast.anomalies import said

    total, lines = found["total"], []
    lines.append(f"after {found['as_of']}: {_amount(total['mean'])} in all ({found['unit']})")
    for level in (80, 95):
        held, windows = found["coverage"][str(level)], found["coverage"]["windows"]
        past = f" (held {held:.0%} of {windows} past totals)" if held is not None else ""
        lines.append(f"  {level} %: {_amount(total[f'lower_{level}'])} to {_amount(total[f'upper_{level}'])}{past}")
    budget = found["budget"]
    if budget and budget["p_exceed"] is not None:
        dates = [f"{budget[f'date_p{odds}']} at {odds} %" for odds in (10, 50, 90) if budget[f"date_p{odds}"]]
        when = f", by {', '.join(dates)}" if dates else ""
        lines.append(f"  budget {_amount(budget['usd'])}: exceeded with odds {budget['p_exceed']:.0%}{when}")
    sums = {name: [row["mean"] for row in rows if row["mean"] is not None] for name, rows in found["series"].items()}
    largest = sorted(sums, key=lambda name: (-sum(sums[name]), name))
    lines += [f"  {name}: {_amount(sum(sums[name])) if sums[name] else 'unpriced'}" for name in largest[:SHOWN]]
    lines += [f"  … and {len(sums) - SHOWN} more; --json has all"] if len(sums) > SHOWN else []
    lines += [f"  {line}" for line in said(found["anomalies"])]
    return "\n".join([*lines, *(f"  note: {note}" for note in found["notes"])])


def _amount(value: float | None) -> str:
    return "unknown" if value is None else f"{value:,.2f}"

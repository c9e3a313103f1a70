"""Stage forecast without Prefect: the calls log in, tokens and cost of the next weeks out.

`as_of`, the last complete UTC day of production traffic, stands in for the current time: the same log gives
the same bytes. The stage asks no model and spends nothing.
"""

from collections.abc import Sequence
from datetime import datetime
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from flows.core.calls import compact, log_sha256, read_calls
from flows.core.clock import Clock, utc_now
from flows.core.contracts import FORECAST
from flows.core.errors import LlmopsError
from flows.core.files import read_json, write_json
from flows.core.main import run_stage_main
from flows.core.progress import Progress, silent
from flows.core.project import Project
from flows.core.runs import Job, RunRecord, last_record
from flows.core.tables import empty, write_table
from flows.forecast import backtest, library, review, tables
from flows.forecast.anomalies import alarms, said
from flows.forecast.costs import PriceAt, rates
from flows.forecast.drivers import known_cost, own_work, planned
from flows.forecast.outlook import Outlook, RatesOf, daily_wape, horizon_days, look_ahead, notes
from flows.forecast.params import ForecastParams
from flows.forecast.series import FloatArray, TokenRows, Usage, daily, token_rows
from flows.forecast.switching import keys_of
from flows.provider.prices import Price, load_prices, price_at

if TYPE_CHECKING:
    import pandas as pd

NOTHING = "no calls logged yet: nothing to forecast"
NO_DAY = "no complete day of production calls yet: nothing to forecast"


def run(
    project_dir: str = ".",
    *,
    force: bool = False,
    max_usd: float | None = None,
    progress: Progress = silent,
    clock: Clock = utc_now,
) -> RunRecord:
    """Forecast tokens and cost with intervals, or do nothing when the log did not change.

    Args:
        project_dir: The project's folder.
        force: Do the work even when nothing changed.
        max_usd: Taken for uniformity; nothing is spent.
        progress: Told about the steps.
        clock: Source of recorded times; no result depends on it.

    Raises:
        ParamsError: A wrong value in params.yaml or in a price file.
    """
    project = Project.open(project_dir)
    params = ForecastParams.load(project)
    compact(project)
    spent = _cost_per_run(project, params)
    job = Job(
        project,
        "forecast",
        params=params.model_dump(mode="json"),
        inputs=_inputs(project, params),
        extra={"calls": log_sha256(project), "prices": f"genai-prices {version('genai-prices')}"},
        clock=clock,
    )
    if not force and (done := job.unchanged()):
        return done
    with job.running() as record:
        calls = read_calls(project)
        progress("calls", len(calls), len(calls))
        found = _usage(calls, params)
        if found is None:
            _publish_nothing(project, record, params, NOTHING if calls.empty else NO_DAY)
        else:
            _publish(project, record, params, calls, *found, spent=spent)
        job.add_outputs(record, *_outputs(project))
    return record


def _inputs(project: Project, params: ForecastParams) -> list[Path]:
    """Own prices, and the records of the stages whose cost is a driver: what dvc.yaml lists."""
    records = [project.data(stage, "run.json") for stage in sorted(params.own_runs_per_week)]
    return [*sorted(project.data("prices").glob("*.yaml")), *(path for path in records if path.is_file())]


def run_summary(project_dir: str = ".", *, force: bool = False, max_usd: float | None = None) -> str:
    """Run the stage and return its summary line."""
    return run(project_dir, force=force, max_usd=max_usd).summary


def _cost_per_run(project: Project, params: ForecastParams) -> dict[str, float | None]:
    records = {stage: last_record(project, stage) for stage in sorted(params.own_runs_per_week)}
    return {stage: record.cost_usd for stage, record in records.items() if record is not None}


def _usage(calls: "pd.DataFrame", params: ForecastParams) -> tuple[TokenRows, Usage] | None:
    if calls.empty:
        return None
    rows = token_rows(calls, params.own_use_cases)
    if rows.rows.empty:
        return None
    # a call of any kind on a later day proves that a day is over
    usage = daily(rows.rows, open_day=calls["started_at"].max().floor("D"), gap_days_max=params.gap_days_max)
    return None if usage is None else (rows, usage)


def _publish(
    project: Project, record: RunRecord, params: ForecastParams, calls: "pd.DataFrame", rows: TokenRows, usage: Usage,
    *, spent: dict[str, float | None],
) -> None:  # fmt: skip
    days, prices = horizon_days(usage, params.horizon_days), _prices(project)
    keys = keys_of(rows.keys, params.events)

    def rates_of(names: Sequence[str], when: "pd.DatetimeIndex") -> FloatArray:
        return rates(names, keys, when, prices)

    outlook = look_ahead(usage, rates_of, params)
    drivers = own_work(params.own_runs_per_week, spent, days, params.events) + planned(params.events, days)
    values = tables.summary(outlook, drivers, params)
    values["past_usd"], gap = _past(calls, usage, rates_of, params)
    values["notes"] = [*rows.notes, *gap, *_unpriced(values["unpriced"]), *notes(outlook, params)]
    tested = _backtest(outlook, params) | {"a_while_ago": review.a_while_ago(usage, rates_of, params)}
    late = tables.restated(_history_before(project), tested["history"])
    write_table(project.data("forecast", "forecast.parquet"), tables.forecast_table(outlook, drivers, params), FORECAST)
    write_json(project.data("forecast", "backtest.json"), tested)
    write_json(project.data("forecast", "summary.json"), values)
    by_day = outlook.total_cost + known_cost(drivers, len(days))
    review.keep(project.data("forecast", "said.jsonl"), values, by_day, params)
    record.counts = {"series": len(usage.ids), "days": len(usage.days), "anomalies": len(tested["anomalies"])}
    record.notes = [
        *values["notes"],
        *said(tested["anomalies"]),
        *([f"{len(late)} day(s) restated since the last run, from {late[0]}"] if late else []),
    ]
    record.summary = _line(values)


def _publish_nothing(project: Project, record: RunRecord, params: ForecastParams, why: str) -> None:
    write_table(project.data("forecast", "forecast.parquet"), empty(FORECAST), FORECAST)
    nothing: dict[str, Any] = {
        "as_of": None,
        "totals": {},
        "series": [],
        "came_true": [],
        "library": None,
        "a_while_ago": None,
        "anomalies": [],
        "history": [],
    }
    write_json(project.data("forecast", "backtest.json"), nothing)
    write_json(project.data("forecast", "summary.json"), tables.empty_summary(params) | {"notes": [why]})
    record.summary = why


def _outputs(project: Project) -> list[Path]:
    return [project.data("forecast", name) for name in ("forecast.parquet", "summary.json", "backtest.json")]


def _prices(project: Project) -> PriceAt:
    own = load_prices(project)

    @cache  # the token types of a model share its price
    def price(provider: str, model: str, input_tokens: int, when: datetime) -> Price | None:
        return price_at(provider, model, when, own=own, input_tokens=input_tokens)

    return lambda key, when: price(key.provider, key.model, key.input_tokens, when)


def _past(
    calls: "pd.DataFrame", usage: Usage, rates_of: RatesOf, params: ForecastParams
) -> tuple[float | None, list[str]]:
    """Return the logged cost of the last days, as many as the horizon, and a note if the prices do not explain it."""
    recent = usage.days[-params.horizon_days :]
    day = calls["started_at"].dt.floor("D")
    traffic = calls[(day >= recent[0]) & (day <= recent[-1]) & ~calls["use_case"].isin(params.own_use_cases)]
    logged = float(traffic["cost_usd"].sum())
    if traffic["cost_usd"].isna().all():
        return None, ["no call of the last days has a logged cost"]
    priced = rates_of(usage.ids, recent)
    computed = float(np.nansum(np.nan_to_num(usage.y[:, -len(recent) :]) * priced))
    if abs(computed - logged) <= params.calls_priced_gap * max(computed, logged):
        return round(logged, tables.USD_DIGITS), []
    note = f"logged cost of the last {len(recent)} days is {logged:.2f} USD, tokens x price gives {computed:.2f} USD"
    return round(logged, tables.USD_DIGITS), [note]


def _backtest(outlook: Outlook, params: ForecastParams) -> dict[str, Any]:
    usage = outlook.usage
    errors = daily_wape(outlook.past)
    horizons = sorted({*params.backtest_horizons, params.horizon_days})
    return {
        "as_of": f"{usage.days[-1]:%Y-%m-%d}",
        "totals": backtest.report(outlook.total, outlook.running, horizons, params.forecaster.season_steps),
        "series": [
            {"unique_id": name, "daily_wape": backtest.number(wape)}
            for name, wape in zip(usage.ids, errors, strict=True)
        ],
        "came_true": backtest.came_true(outlook.total, usage.days),
        "library": library.compare(outlook.total, horizons, params),
        "anomalies": alarms(outlook.past, usage.ids, usage.days, params),
        "history": tables.history(usage),
    }


def _history_before(project: Project) -> list[dict[str, Any]]:
    try:
        rows: list[dict[str, Any]] = read_json(project.data("forecast", "backtest.json"), remedy="")["history"]
    except (LlmopsError, KeyError):  # the first run, or a torn file that this run replaces
        return []
    return rows


def _unpriced(names: list[str]) -> list[str]:
    return [f"unpriced, not in the total: {', '.join(names)}. Write the price into data/prices"] if names else []


def _line(values: dict[str, Any]) -> str:
    days, tokens = values["horizon_days"], values["mean_tokens"]
    if values["mean_usd"] is None:
        return f"next {days} days: {tokens:,} tokens, cost unknown (no price) from {values['as_of']}"
    line = f"next {days} days after {values['as_of']}: {values['mean_usd']:,.2f} USD for {tokens:,} tokens"
    for level in (80, 95):
        if values.get(f"lower_{level}") is not None:
            line += f", {level} % interval {values[f'lower_{level}']:,.2f} to {values[f'upper_{level}']:,.2f}"
            if values[f"coverage_{level}"] is not None:
                line += f" (held {values[f'coverage_{level}']:.0%} of {values['windows']} past totals)"
    if values["p_exceed"] is not None:
        line += f"; the budget of {values['budget_usd']:,.2f} USD is exceeded with odds {values['p_exceed']:.0%}"
    return line


def main() -> None:
    """Run the stage from the command line."""
    run_stage_main(run)


if __name__ == "__main__":
    main()

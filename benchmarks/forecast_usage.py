"""Hold the forecaster against plain rivals on real usage logs: `python benchmarks/forecast_usage.py DATA_DIR`.

Three readings. Aider is one bursty person over 198 days, by the day: 7- and 14-day totals, from each day after the
fourth week. ServeGen is 14 days of production traffic. By the day that is a cold start: 1- and 3-day totals from day 7
on. By the hour, with a season of 24 hours and time constants kept in days (alpha .1 a day, a mean of 7 days): 24- and
48-hour totals from every hour of the second week. The rivals are the last season repeated and the mean of 7 days.

`total` is WAPE of totals, `step` of single days or hours. `win` is ours over the better rival's, who is known only
afterwards; a tie of both (7-day totals) counts too. `no worse` allows 2 %. `worse` is the share of rows in which the
better rival was better beyond chance: one-sided t of Diebold and Mariano at 5 %, windows counted as origins / horizon.
"""

import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import special

from flows.forecast.forecaster import forecast, past_forecasts
from flows.forecast.frame import run_on_frame
from flows.forecast.methods import seasonal_naive
from flows.forecast.outlook import Past, errors_of
from flows.forecast.params import ForecastParams, Rules

DAYS, HOURS_PER_DAY, WEEK_DAYS = 14, 24, 7
DAILY = Rules()
HOURLY = Rules(
    season_steps=24, profile_seasons=7, level_seasons=7, level_alpha=1 - 0.9 ** (1 / 24), trend_max=0.0, mean_seasons=7
)
HOURLY_PARAMS = ForecastParams(borrowed_windows=1.0)  # the horizon before is an hour shorter, no day
CLIENT_HOURS_MIN = 300  # clients that are seen nearly every hour
TOLERANCE = 1.02
KINDS, RIVALS = ("total", "step"), ("naive", "mean")


def servegen(data):
    """Return the tokens and requests of models and busy clients by the hour, (name, series)."""
    models = pd.read_parquet(data / "20_usage_logs" / "servegen_10min_per_model.parquet")
    models["hour"] = models["second"] // 3600
    table = models.groupby(["model", "hour"])[["requests", "input_tokens", "output_tokens"]].sum()
    for name, rows in table.groupby(level="model"):
        for column in table.columns:
            yield f"{name}/{column}", rows[column].to_numpy(float)
    clients = pd.read_parquet(data / "20_usage_logs" / "servegen_hourly_per_client.parquet")
    for (model, client), rows in clients.groupby(["model", "client"]):
        if len(rows) >= CLIENT_HOURS_MIN:
            y = rows.set_index("hour")["input_tokens"].reindex(range(DAYS * HOURS_PER_DAY), fill_value=0)
            yield f"{model}/client {client}", y.to_numpy(float)


def aider(data):
    """Return tokens and cost by the day, in all and of the models used for ten weeks, (name, series)."""
    calls = pd.read_parquet(data / "20_usage_logs" / "aider_calls_until_2025-02.parquet")
    calls["day"] = pd.to_datetime(calls["ts"]).dt.floor("D")
    for column in ("prompt_tokens", "completion_tokens", "cost_usd"):
        yield f"aider/{column}", _by_day(calls, column)
    for model, rows in calls.groupby("model"):
        if len(y := _by_day(rows, "prompt_tokens")) >= 10 * WEEK_DAYS and (y > 0).sum() >= 4 * WEEK_DAYS:
            yield f"aider/{model}", y


def _by_day(calls, column):
    days = pd.date_range(calls["day"].min(), calls["day"].max(), freq="D")
    return calls.groupby("day")[column].sum().reindex(days, fill_value=0).to_numpy(float)


def rivals(y, first, horizon, season, mean_steps):
    """Return what the rivals forecast from each origin, `first` on: {name: (origins, horizon)}."""
    seen = np.lib.stride_tricks.sliding_window_view(y[:-1], mean_steps)[first - mean_steps :]
    flat = np.repeat(seen.mean(axis=1, keepdims=True), horizon, axis=1)
    return {"naive": seasonal_naive(seen, horizon, season), "mean": flat}


def measure(name, y, horizons, rules, first):
    """Return one row per horizon: WAPE of each method, of totals and of steps, and coverage of the intervals."""
    params = HOURLY_PARAMS if rules is HOURLY else ForecastParams()
    paths, actual = past_forecasts(y[None], max(horizons), y.size - first, rules)
    first, mean_steps = y.size - paths.shape[1], rules.mean_seasons * rules.season_steps
    errors = errors_of(Past(paths, actual, y[None]), params, cumulative=True)
    methods = {"ours": paths[0]} | rivals(y, first, max(horizons), rules.season_steps, mean_steps)
    for horizon in horizons:
        known = ~np.isnan(actual[0, :, horizon - 1])
        row = {"series": name, "horizon": horizon, "origins": int(known.sum())}
        true = actual[0, known, :horizon]
        wrong = {method: path[known, :horizon] - true for method, path in methods.items()}
        row |= _compare("total", {m: np.abs(e.sum(axis=1)) for m, e in wrong.items()}, true.sum(axis=1), horizon)
        row |= _compare("step", {m: np.abs(e).sum(axis=1) for m, e in wrong.items()}, true.sum(axis=1), horizon)
        row |= {f"cover_{level}": share[0, horizon - 1] for level, share in errors.coverage.items()}
        yield row


def _compare(kind, wrong, true, horizon):
    values = {method: error.sum() / true.sum() for method, error in wrong.items()}
    better = min(RIVALS, key=values.get)
    loss = wrong["ours"] - wrong[better]
    neff = max(2.0, len(loss) / horizon)
    t = loss.mean() / max(loss.std() / np.sqrt(neff), np.finfo(float).tiny)
    row = {f"{kind}_{method}": value for method, value in values.items()}
    return row | {f"{kind}_win": values["ours"] / values[better], f"{kind}_worse": special.stdtr(neff - 1, -t) < 0.05}


def table(data):
    """Return the whole table."""
    hourly = list(servegen(data))
    by_day = [(name, y.reshape(DAYS, HOURS_PER_DAY).sum(axis=1)) for name, y in hourly]
    readings = {
        "Aider, days": (aider(data), (7, 14), DAILY, 4 * WEEK_DAYS),
        "ServeGen, days": (by_day, (1, 3), DAILY, WEEK_DAYS),
        "ServeGen, hours": (hourly, (24, 48), HOURLY, WEEK_DAYS * HOURS_PER_DAY),
    }
    return pd.DataFrame(
        {"reading": reading} | row
        for reading, (series, horizons, rules, first) in readings.items()
        for name, y in series
        for row in measure(name, y, horizons, rules, first)
    )


def summary(found):
    """Return medians and shares by reading and horizon."""
    against = {f"{k}_vs_{r}": found[f"{k}_ours"] / found[f"{k}_{r}"] for k in KINDS for r in RIVALS}
    fine = {f"{kind}_no_worse": found[f"{kind}_win"] <= TOLERANCE for kind in KINDS}
    groups = found.assign(**against, **fine).groupby(["reading", "horizon"])
    kinds = [f"{kind}_{name}" for kind in KINDS for name in ("vs_naive", "vs_mean", "win")]
    shares = [f"{kind}_{name}" for kind in KINDS for name in ("no_worse", "worse")]
    return groups[kinds].median().join(groups[shares].mean()).join(groups[["cover_80", "cover_95"]].mean())


def speed():
    """Return processor seconds for 1,000 series x 400 days: to forecast them, and with backtest and intervals."""
    y = np.random.default_rng(0).lognormal(5, 0.5, (1000, 400))
    days = pd.date_range("2025-01-01", periods=400, freq="D")
    frame = pd.DataFrame({"ds": np.tile(days, 1000), "unique_id": np.repeat(np.arange(1000), 400).astype(str)})
    started = time.process_time()
    forecast(y, 28, DAILY)
    fitted = time.process_time()
    run_on_frame(frame.assign(y=y.ravel()))
    return fitted - started, time.process_time() - fitted


if __name__ == "__main__":
    rows = table(Path(sys.argv[1]))
    print(rows.to_string(index=False, float_format=lambda value: f"{value:.3f}"))
    print("\n" + summary(rows).T.to_string(float_format=lambda value: f"{value:.3f}"))
    print("\n1,000 series x 400 days: {:.2f} s to forecast, {:.1f} s with backtest and intervals".format(*speed()))

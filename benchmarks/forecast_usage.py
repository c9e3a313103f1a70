"""Hold the forecaster against plain rivals on real usage logs: `python benchmarks/forecast_usage.py DATA_DIR`.

ServeGen is 14 days of production traffic, too short for weekday patterns: it is read by the hour with a season
of 24 hours, time constants kept in days (alpha .1 a day, a level of 7 of the 14 days) and no trend (8 weeks of
it do not exist); 24- and 48-hour totals from every hour of the second week. Aider is one bursty person over
198 days, read by the day with a season of a week: 7- and 14-day totals. Rivals are the last season repeated
and the mean of the last 7 days. `win` is simple's WAPE over the better rival's: below 1 is better.
"""

import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd

from flows.forecast.backtest import totals, wape
from flows.forecast.forecaster import past_forecasts
from flows.forecast.intervals import learn, log_errors
from flows.forecast.outlook import Past
from flows.forecast.params import ForecastParams, Rules

HOURS, WEEK_HOURS = 14 * 24, 7 * 24
HOURLY = Rules(season_steps=24, profile_seasons=7, level_seasons=7, level_alpha=1 - 0.9 ** (1 / 24), trend_max=0.0)
CLIENTS_HOURS_MIN = 300  # clients that are seen nearly every hour


def hourly(data):
    """Return ServeGen's models and busy clients, (name, series), hourly."""
    models = pd.read_parquet(data / "20_usage_logs" / "servegen_10min_per_model.parquet")
    models["hour"] = models["second"] // 3600
    table = models.groupby(["model", "hour"])[["requests", "input_tokens", "output_tokens"]].sum()
    for name, rows in table.groupby(level="model"):
        for column in table.columns:
            yield f"{name}/{column}", rows[column].to_numpy(float)
    clients = pd.read_parquet(data / "20_usage_logs" / "servegen_hourly_per_client.parquet")
    for (model, client), rows in clients.groupby(["model", "client"]):
        if len(rows) >= CLIENTS_HOURS_MIN:
            y = rows.set_index("hour")["input_tokens"].reindex(range(HOURS), fill_value=0)
            yield f"{model}/client {client}", y.to_numpy(float)


def daily(data):
    """Return Aider's tokens by day, (name, series)."""
    calls = pd.read_parquet(data / "20_usage_logs" / "aider_calls_until_2025-02.parquet")
    day = pd.to_datetime(calls["ts"]).dt.floor("D")
    days = pd.date_range(day.min(), day.max(), freq="D")
    for column in ("prompt_tokens", "completion_tokens"):
        yield f"aider/{column}", calls.groupby(day)[column].sum().reindex(days, fill_value=0).to_numpy(float)


def measure(name, y, horizons, rules, mean_steps):
    """Return one row per horizon: WAPE of each method and coverage of the intervals."""
    params = ForecastParams()
    started = time.perf_counter()
    paths, actual = past_forecasts(y[None], max(horizons), y.size - mean_steps, rules)
    past = Past(paths, actual, y[None])
    errors = log_errors(paths, actual, floor_share=params.floor_share, cumulative=True)
    learned = learn(errors, params.levels, step=params.aci_step, alpha_min=params.alpha_min)
    seconds = time.perf_counter() - started
    for horizon in horizons:
        true, forecasts = totals(past, horizon, season=rules.season_steps, mean_steps=mean_steps)
        row = {method: wape(true, forecast)[0] for method, forecast in forecasts.items()}
        best = min(row["seasonal_naive"], row["mean"])
        cover = {f"cover_{level}": share[0, horizon - 1] for level, share in learned.coverage.items()}
        yield {"series": name, "horizon": horizon, "origins": true.shape[1], **row, "win": row["simple"] / best,
               **cover, "ms_per_origin": 1000 * seconds / paths.shape[1]}  # fmt: skip


def table(data):
    """Return the whole table."""
    rows = [row for name, y in hourly(data) for row in measure(name, y, (24, 48), HOURLY, WEEK_HOURS)]
    rows += [row for name, y in daily(data) for row in measure(name, y, (7, 14), Rules(), 7)]
    return pd.DataFrame(rows)


if __name__ == "__main__":
    found = table(Path(sys.argv[1]))
    print(found.to_string(index=False, float_format=lambda value: f"{value:.3f}"))
    client = found["series"].str.contains("client")
    groups = found.assign(source=np.where(client, "clients", found["series"].str.split("/").str[0]))
    print()
    print(groups.groupby(["source", "horizon"]).median(numeric_only=True).to_string(float_format=lambda v: f"{v:.3f}"))
    for rival in ("seasonal_naive", "mean"):
        print(f"\nmedian WAPE relative to {rival}: {(found['simple'] / found[rival]).median():.3f}", end="")
    print(f"\nmedian win over all rows: {found['win'].median():.3f}; rows at most 1: {(found['win'] <= 1).mean():.0%}")

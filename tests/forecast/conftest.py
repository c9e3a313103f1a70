"""Makers of usage tables and of calls for the tests of this room."""

import numpy as np
import pandas as pd
import pytest

from flows.core.contracts import CALLS
from flows.core.ids import content_id
from flows.core.tables import check

WEEK = np.array([1.0, 1.1, 1.05, 1.0, 0.9, 0.4, 0.35])


@pytest.fixture
def world():
    """Draw daily series with a weekday pattern, growth and autocorrelated noise: (series, days)."""

    def draw(series, days, *, growth_per_day=0.0, sd=0.15, rho=0.5, seed=0):
        rng = np.random.default_rng(seed)
        noise = np.zeros((series, days))
        for day in range(1, days):
            noise[:, day] = rho * noise[:, day - 1] + rng.normal(0, sd * np.sqrt(1 - rho**2), series)
        step = np.arange(days)
        return 1000 * np.exp(growth_per_day * step) * WEEK[step % 7] * np.exp(noise)

    return draw


@pytest.fixture
def usage_frame():
    """Make a usage table of columns ds, unique_id, y from {unique_id: daily values}."""

    def make(series, start="2026-06-01"):
        frames = [
            pd.DataFrame({"ds": pd.date_range(start, periods=len(y), freq="D"), "unique_id": name, "y": np.asarray(y)})
            for name, y in series.items()
        ]
        return pd.concat(frames, ignore_index=True)

    return make


@pytest.fixture(scope="session")
def make_calls():
    """Make calls by the contract: one a day at noon unless `times` says otherwise."""

    def make(times, *, model="gpt-4.1-mini", use_case="answer", provider="openai", **columns):
        times = pd.DatetimeIndex(pd.to_datetime(times, utc=True, format="ISO8601"))
        rows = pd.DataFrame({name: None for name in CALLS.columns}, index=range(len(times)))
        rows = rows.assign(
            started_at=times, step="answer", operation="chat", status="ok", metadata="{}", provider=provider,
            request_model=model, use_case=use_case, input_tokens=1000, cached_input_tokens=0, output_tokens=100,
            cost_usd=(1000 * 0.4 + 100 * 1.6) / 1e6,
        ).assign(**columns)  # fmt: skip
        rows["call_id"] = [content_id(use_case, model, provider, str(time), i) for i, time in enumerate(times)]
        return check(rows, CALLS)

    return make


@pytest.fixture(scope="session")
def noons():
    """Return the noon of so many days from a start."""
    return lambda days, start="2026-06-01": pd.date_range(f"{start} 12:00", periods=days, freq="D", tz="UTC")

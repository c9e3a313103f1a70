"""On real usage logs: no worse than plain rivals, and intervals that cover what they say."""

import importlib.util
from pathlib import Path

import pytest

BENCHMARK = Path(__file__).resolve().parents[2] / "benchmarks" / "forecast_usage.py"


@pytest.fixture(scope="module")
def found(shared_data):
    spec = importlib.util.spec_from_file_location("forecast_usage", BENCHMARK)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    rows = module.table(shared_data)
    return rows, module.summary(rows)


@pytest.mark.slow
@pytest.mark.shared_data
@pytest.mark.parametrize("kind", ["total", "step"])
def test_the_median_is_no_worse_than_either_rival(found, kind):
    rows, _ = found

    assert (rows[f"{kind}_ours"] / rows[f"{kind}_naive"]).median() < 1
    assert (rows[f"{kind}_ours"] / rows[f"{kind}_mean"]).median() <= 1
    assert rows[f"{kind}_win"].median() <= 1


@pytest.mark.slow
@pytest.mark.shared_data
@pytest.mark.parametrize("kind", ["total", "step"])
def test_hardly_any_series_is_worse_beyond_chance_than_the_rival_that_turned_out_better(found, kind):
    rows, _ = found

    assert rows[f"{kind}_worse"].mean() <= 0.05


@pytest.mark.slow
@pytest.mark.shared_data
def test_by_the_day_the_better_rival_is_met_on_nine_of_ten_series(found):
    rows, _ = found
    by_day = rows[rows["reading"].str.endswith("days")]

    assert (by_day["total_win"] <= 1.02).mean() >= 0.9
    assert (by_day["step_win"] <= 1.02).mean() >= 0.9


@pytest.mark.slow
@pytest.mark.shared_data
@pytest.mark.parametrize("reading", ["Aider, days", "ServeGen, hours"])
def test_intervals_cover_within_7_points(found, reading):
    _, groups = found

    assert (groups.loc[reading, "cover_80"] - 0.80).abs().max() <= 0.07
    assert (groups.loc[reading, "cover_95"] - 0.95).abs().max() <= 0.07

"""On real usage logs: no worse than plain rivals in the median, and intervals that cover."""

import importlib.util
from pathlib import Path

import pytest

BENCHMARK = Path(__file__).resolve().parents[2] / "benchmarks" / "forecast_usage.py"


@pytest.fixture(scope="module")
def table(shared_data):
    spec = importlib.util.spec_from_file_location("forecast_usage", BENCHMARK)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.table(shared_data)


@pytest.mark.slow
@pytest.mark.shared_data
@pytest.mark.parametrize("rival", ["seasonal_naive", "mean"])
def test_totals_are_no_worse_than_a_plain_rival_in_the_median(table, rival):
    assert (table["simple"] / table[rival]).median() <= 1.0


@pytest.mark.slow
@pytest.mark.shared_data
def test_day_ahead_and_week_ahead_intervals_cover_about_what_they_promise(table):
    short = table[table["horizon"].isin([7, 24])]

    assert abs(short["cover_80"].median() - 0.80) <= 0.07
    assert short["cover_95"].median() >= 0.88

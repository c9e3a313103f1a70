"""The backtest and the anomaly alarm."""

import numpy as np
import pandas as pd
import pytest

from flows.forecast.anomalies import alarms
from flows.forecast.backtest import came_true, report, totals, wape
from flows.forecast.forecaster import past_forecasts
from flows.forecast.outlook import Past, errors_of
from flows.forecast.params import ForecastParams

PARAMS = ForecastParams()


def past(y, horizon=28):
    return Past(*past_forecasts(y, horizon, PARAMS.backtest_origins, PARAMS.forecaster), y)


def days(count):
    return pd.date_range("2026-01-01", periods=count, freq="D", tz="UTC")


def test_rivals_see_the_same_past_and_are_judged_on_the_same_windows():
    y = np.arange(60.0)[None]

    actual, forecasts = totals(past(y), 7, season=7, mean_steps=7)

    assert actual.shape == forecasts["forecast"].shape == forecasts["mean"].shape
    first = 60 - past(y).paths.shape[1]
    assert actual[0, 0] == y[0, first : first + 7].sum()
    assert forecasts["seasonal_naive"][0, 0] == forecasts["mean"][0, 0] == y[0, first - 7 : first].sum()


def test_wape_is_the_error_over_the_sum_and_unknown_without_any():
    assert wape(np.array([[10.0, 30.0]]), np.array([[12.0, 24.0]]))[0] == pytest.approx(8 / 40)
    assert np.isnan(wape(np.array([[np.nan]]), np.array([[1.0]]))[0])


def test_the_report_has_each_horizon_that_fits(world):
    whole = past(world(1, 120))

    found = report(whole, errors_of(whole, PARAMS, cumulative=True), (7, 14, 28, 90), 7)

    assert list(found) == ["7", "14", "28"]
    assert found["28"]["origins"] == 120 - 21 - 27
    assert 0 < found["7"]["wape_forecast"] < 0.3
    assert 0.5 < found["7"]["coverage_80"] < 1


def test_past_forecasts_are_listed_beside_what_came_true():
    whole = past(np.full((1, 60), 2.0))

    rows = came_true(whole, days(60))

    assert rows[0] == {"from": "2026-01-22", "days": 28, "forecast": pytest.approx(56.0), "actual": 56.0}
    assert rows[-1]["from"] == "2026-02-02"


def test_a_lasting_jump_raises_an_alarm_upwards(world):
    y = world(2, 120, sd=0.1)
    y[1, 110:] *= 2.5

    found = alarms(past(y), ("calm", "jumpy"), days(120), PARAMS)

    assert found[0]["unique_id"] == "jumpy"
    assert found[0]["direction"] == "up"
    assert found[0]["ds"] <= "2026-04-24"
    assert {alarm["unique_id"] for alarm in found} == {"jumpy"}


def test_nothing_alarms_before_the_reference_is_complete(world):
    assert alarms(past(world(1, 40)), ("a",), days(40), PARAMS) == []


@pytest.mark.slow
def test_false_alarms_keep_their_budget(world):
    y = world(200, 120, sd=0.15, rho=0.3, seed=5)

    alarming = [bool(alarms(past(row[None]), ("a",), days(120), PARAMS)) for row in y]

    assert np.mean(alarming) <= 28 / 365 + 0.05

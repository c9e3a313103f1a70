"""Last month's forecast beside what came true: recomputed from the log of that day, and as said at the time."""

import json

import numpy as np
import pandas as pd
import pytest

from flows.core.calls import write_calls
from flows.forecast import library, stage
from flows.forecast.forecaster import past_forecasts
from flows.forecast.outlook import Past
from flows.forecast.params import ForecastParams
from flows.forecast.review import a_while_ago, keep
from flows.forecast.series import Usage

PARAMS = ForecastParams()
SUMMARY = {"horizon_days": 2, "mean_usd": 3.0, "mean_tokens": 9, "known_usd": 0.0}
SUMMARY |= dict.fromkeys(("lower_80", "upper_80", "lower_95", "upper_95"))


def usage(y, start="2026-01-01"):
    return Usage(("a/m/input",), pd.date_range(start, periods=y.shape[1], freq="D", tz="UTC"), y)


def flat_price(names, days):
    return np.full((len(names), len(days)), 2.0)


def test_the_past_forecast_sees_nothing_of_what_came_after(world):
    y = world(1, 120)
    other = y.copy()
    other[:, -28:] *= 3

    found, changed = (a_while_ago(usage(values), flat_price, PARAMS) for values in (y, other))

    assert found["mean_usd"] == changed["mean_usd"]
    assert found["as_of"] == "2026-04-02"
    assert found["actual_usd"] == pytest.approx(2 * y[:, -28:].sum())
    assert changed["actual_usd"] == pytest.approx(3 * found["actual_usd"])
    assert found["lower_80"] < found["mean_usd"] < found["upper_80"]
    assert len(found["by_day"]) == found["days"] == 28


def test_a_young_log_has_no_past_forecast(world):
    assert a_while_ago(usage(world(1, 48)), flat_price, PARAMS) is None
    assert a_while_ago(usage(world(1, 49)), flat_price, PARAMS) is not None


def test_what_was_said_stays_and_only_the_newest_day_is_replaced(tmp_path):
    path = tmp_path / "said.jsonl"
    for day, mean in (("2026-06-01", 1.0), ("2026-06-02", 2.0), ("2026-06-02", 2.5), ("2026-06-03", None)):
        keep(path, SUMMARY | {"as_of": day, "mean_usd": mean}, np.array([1.0, 2.0]), PARAMS)

    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [(line["as_of"], line["mean_usd"]) for line in lines] == [("2026-06-01", 1.0), ("2026-06-02", 2.5)]
    assert lines[0]["by_day"] == [1.0, 2.0]


def test_the_stage_writes_down_what_it_says_each_time_the_log_has_grown(project, make_calls, noons):
    for day in (24, 26):
        write_calls(project, make_calls(noons(day)[-24 if day == 24 else -2 :]), part=f"to-{day}")
        stage.run(str(project.root))

    lines = [json.loads(line) for line in project.data("forecast", "said.jsonl").read_text().splitlines()]
    assert [line["as_of"] for line in lines] == ["2026-06-23", "2026-06-25"]
    assert sum(lines[0]["by_day"]) == pytest.approx(lines[0]["mean_usd"], rel=1e-6)


def past_of(y):
    return Past(*past_forecasts(y, 28, PARAMS.backtest_origins, PARAMS.forecaster), y)


@pytest.mark.slow
def test_the_library_model_is_judged_on_the_same_days_as_ours(world):
    found = library.compare(past_of(world(1, 150)), (7, 28), PARAMS)

    assert found["origins"] == 12
    assert found["failed"] == {}
    assert set(found["totals"]) == {"7", "28"}
    week = found["totals"]["7"]
    assert week["origins"] == 12
    assert 0 < week["wape_library"] < 0.5
    assert set(week) == {"origins", "wape_library", "wape_forecast", "wape_seasonal_naive", "wape_mean"}


def test_without_four_weeks_before_a_whole_window_nothing_is_fitted():
    found = library.compare(past_of(np.ones((1, 34))), (7, 28), PARAMS)

    assert (found["origins"], found["totals"], found["failed"]) == (0, {}, {})


@pytest.mark.slow
def test_a_library_model_that_fails_is_counted_and_stops_nothing(world):
    y = world(1, 60)
    y[0, 40] = np.inf

    found = library.compare(Past(*past_forecasts(world(1, 60), 28, 120, PARAMS.forecaster), y), (7,), PARAMS)

    assert sum(found["failed"].values()) > 0
    assert found["origins"] + sum(found["failed"].values()) == 12

"""Planned model switches: the old series ends, the new one begins with the same traffic, at the new price."""

from datetime import date

import numpy as np
import pandas as pd

from flows.forecast.frame import run_on_frame
from flows.forecast.outlook import look_ahead, notes
from flows.forecast.params import Event, ForecastParams
from flows.forecast.series import SeriesKey, Usage
from flows.forecast.switching import keys_of, names_ahead, renamed, spliced
from flows.forecast.tables import forecast_table

SWITCH = Event(name="new model", date=date(2026, 11, 11), series="answer/old/*", model="new")
PAST = Event(name="new model", date=date(2026, 10, 27), series="answer/old/*", model="new")
PRICE = {"old": 2.0, "new": 0.5}


def usage(rows):
    y = np.array(list(rows.values()), dtype=float)
    days = pd.date_range(end="2026-10-31", periods=y.shape[1], freq="D", tz="UTC")
    return Usage(tuple(rows), days, y)


def rates_of(names, days):
    return np.array([[PRICE[name.split("/")[1]]] * len(days) for name in names])


def test_only_matching_series_of_another_model_are_renamed():
    assert renamed("answer/old/input", SWITCH) == "answer/new/input"
    assert renamed("answer/vendor/old/input", SWITCH.model_copy(update={"series": "*"})) == "answer/new/input"
    assert renamed("answer/new/input", SWITCH.model_copy(update={"series": "*"})) is None
    assert renamed("search/old/input", SWITCH) is None
    assert renamed("plain", SWITCH.model_copy(update={"series": "*"})) is None


def test_names_change_on_the_day_and_again_at_the_next_switch():
    days = pd.date_range("2026-11-09", periods=6, freq="D", tz="UTC")
    newest = Event(name="newest", date=date(2026, 11, 13), series="answer/new/*", model="newest")

    (found,) = names_ahead(["answer/old/input"], days, [newest, SWITCH])

    assert [name.split("/")[1] for name in found] == ["old", "old", "new", "new", "newest", "newest"]


def test_what_takes_over_has_the_provider_of_the_old_series_or_its_own():
    keys = {"answer/old/input": SeriesKey("openai", "old", "input", 9)}

    assert keys_of(keys, [SWITCH])["answer/new/input"] == SeriesKey("openai", "new", "input", 9)
    other = SWITCH.model_copy(update={"provider": "azure"})
    assert keys_of(keys, [other])["answer/new/input"].provider == "azure"


def test_traffic_goes_on_and_costs_the_new_price():
    outlook = look_ahead(usage({"answer/old/input": [100.0] * 90}), rates_of, ForecastParams(events=(SWITCH,)))

    np.testing.assert_allclose(outlook.amount[0], 100.0)
    np.testing.assert_allclose(outlook.cost[0], [200.0] * 10 + [50.0] * 18)
    table = forecast_table(outlook, [], ForecastParams()).query("level == 80 and unique_id != 'total'")
    assert table.groupby("unique_id")["cost_usd"].sum().to_dict() == {
        "answer/new/input": 900.0,
        "answer/old/input": 2000.0,
    }
    assert table.groupby("unique_id")["ds"].min().dt.strftime("%m-%d").to_dict() == {
        "answer/new/input": "11-11",
        "answer/old/input": "11-01",
    }


def test_two_series_that_go_to_one_model_are_one_from_then_on():
    rows = {"answer/old/input": [100.0] * 90, "answer/new/input": [10.0] * 90}

    outlook = look_ahead(usage(rows), rates_of, ForecastParams(events=(SWITCH,)))
    table = forecast_table(outlook, [], ForecastParams()).query("level == 80 and unique_id == 'answer/new/input'")

    np.testing.assert_allclose(table["tokens"], [10.0] * 10 + [110.0] * 18)


def test_a_switch_that_lies_behind_hands_its_history_over():
    rows = {"answer/new/input": [np.nan] * 85 + [100.0] * 5, "answer/old/input": [100.0] * 85 + [0.0] * 5}

    found = spliced(usage(rows), [PAST])
    outlook = look_ahead(usage(rows), rates_of, ForecastParams(events=(PAST,)))

    assert found.ids == ("answer/new/input",)
    np.testing.assert_allclose(found.y, 100.0)
    np.testing.assert_allclose(outlook.cost, 50.0)
    assert not np.isnan(outlook.running.scale).any()


def test_what_the_old_model_still_answers_stays_a_series_of_its_own():
    rows = {"answer/old/input": [100.0] * 85 + [30.0] * 5}

    found = spliced(usage(rows), [PAST])

    assert found.ids == ("answer/new/input", "answer/old/input")
    assert np.isnan(found.y[1, :85]).all()
    np.testing.assert_allclose(found.y[1, 85:], 30.0)
    np.testing.assert_allclose(found.y[0, 85:], 0.0)


def test_the_tool_names_both_series_and_adds_planned_sums(usage_frame):
    frame = usage_frame({"answer/old/input": [1e6] * 60}, start="2026-09-02")
    prices = pd.DataFrame({
        "unique_id": ["*/old/*", "*/new/*"], "valid_from": ["2026-01-01"] * 2, "usd_per_mtok": [2.0, 0.5],
    })  # fmt: skip
    training = Event(name="training", date=date(2026, 11, 20), cost_usd=7.0)

    found = run_on_frame(frame, prices=prices, budget_usd=50, params=ForecastParams(events=(SWITCH, training)))

    assert {name: len(rows) for name, rows in found["series"].items()} == {
        "answer/old/input": 10,
        "answer/new/input": 18,
    }
    np.testing.assert_allclose(found["total"]["mean"], 10 * 2 + 18 * 0.5 + 7)
    assert found["budget"]["p_exceed"] == 0.0


def test_an_event_that_names_no_series_is_said_and_an_old_switch_is_not():
    typo = Event(name="typo", date=date(2026, 11, 2), series="anser/*", multiplier=2)
    params = ForecastParams(events=(typo, PAST, SWITCH.model_copy(update={"series": "*/new/*", "model": "newest"})))

    said = notes(
        look_ahead(
            usage({"answer/old/input": [100.0] * 85 + [0.0] * 5}), lambda n, d: np.ones((len(n), len(d))), params
        ),
        params,
    )

    assert said[:1] == ["no series has the name that 1 event(s) give: typo"]

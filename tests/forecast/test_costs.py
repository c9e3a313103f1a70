"""Tokens times prices: known changes are met, unknown prices stay unknown, events act once."""

from datetime import UTC, date, datetime

import numpy as np
import pandas as pd
import pytest

from flows.core.errors import ParamsError
from flows.forecast.costs import factors, rates
from flows.forecast.drivers import known_cost, own_work, planned
from flows.forecast.frame import ones
from flows.forecast.outlook import look_ahead
from flows.forecast.params import Event, ForecastParams
from flows.forecast.series import SeriesKey, Usage
from flows.provider.prices import Price, price_at

DAYS = pd.date_range("2026-11-01", periods=28, freq="D", tz="UTC")
CUT = datetime(2026, 11, 11, tzinfo=UTC)


def cut_price(_key, when):
    factor = 0.6 if when >= CUT else 1.0
    return Price("p", "m", "announced", input=2.0 * factor, output=8.0 * factor)


KEYS = {"a/m/input": SeriesKey("p", "m", "input", 0)}


def usage(y, ids=("a/m/input",)):
    history = pd.date_range(end="2026-10-31", periods=y.shape[1], freq="D", tz="UTC")
    return Usage(ids, history, y)


def test_each_token_type_has_its_price_and_cached_input_falls_back_to_input():
    keys = {kind: SeriesKey("p", "m", kind, 0) for kind in ("input", "cached_input", "output")}

    found = rates(list(keys), keys, DAYS[:1], cut_price)

    np.testing.assert_allclose(found[:, 0], [2e-6, 2e-6, 8e-6])


def test_an_unknown_model_is_unpriced_and_never_free():
    key = SeriesKey("openai", "nobody-knows-this-model", "input", 0)

    assert np.isnan(rates(["x"], {"x": key}, DAYS[:2], lambda key, when: price_at(key.provider, key.model, when))).all()


def test_a_local_model_is_free_and_priced():
    key = SeriesKey("local", "local-extract-1", "input", 0)

    assert (rates(["x"], {"x": key}, DAYS, lambda key, when: price_at(key.provider, key.model, when)) == 0).all()


def test_an_announced_price_cut_is_met_within_ten_per_cent(world):
    y = world(15, 148, sd=0.1)
    params = ForecastParams()
    errors = []
    for row in y:
        table = usage(row[None, :120])
        outlook = look_ahead(table, lambda names, days: rates(names, KEYS, days, cut_price), params)
        true = (row[120:] * np.where(DAYS >= CUT, 1.2e-6, 2e-6)).sum()
        errors.append(abs(outlook.total_cost.sum() - true) / true)

    assert np.median(errors) < 0.10


def test_the_total_is_the_sum_of_its_series(world):
    table = usage(world(3, 90), ids=("a", "b", "c"))
    prices = {"a": 1e-6, "b": 2e-6, "c": np.nan}

    outlook = look_ahead(
        table, lambda names, days: np.array([[prices[n]] * len(days) for n in names]), ForecastParams()
    )

    np.testing.assert_allclose(outlook.total_cost, outlook.amount[0] * 1e-6 + outlook.amount[1] * 2e-6)
    assert outlook.priced.tolist() == [True, True, False]


def test_a_planned_event_multiplies_only_the_days_and_series_it_names():
    event = Event(name="launch", date=date(2026, 11, 3), until=date(2026, 11, 5), series="a/*", multiplier=3)

    found = factors(["a/m/input", "b/m/input"], DAYS[:6], [event])

    assert found.tolist() == [[1, 1, 3, 3, 1, 1], [1, 1, 1, 1, 1, 1]]


def test_an_event_that_lies_in_the_past_is_already_in_force():
    y = np.full((1, 90), 100.0)
    y[:, 87:] = 70.0
    event = Event(name="shorter prompt", date=date(2026, 10, 29), multiplier=0.7)

    known = look_ahead(usage(y), ones, ForecastParams(events=(event,)))
    unknown = look_ahead(usage(y), ones, ForecastParams())

    np.testing.assert_allclose(known.amount, 70.0)
    assert unknown.amount.mean() > 71


def test_a_future_event_changes_the_forecast_from_its_day_on():
    event = Event(name="shorter prompt", date=date(2026, 11, 8), multiplier=0.5)

    outlook = look_ahead(usage(np.full((1, 90), 100.0)), ones, ForecastParams(events=(event,)))

    np.testing.assert_allclose(outlook.amount[0], [100.0] * 7 + [50.0] * 21)


def test_own_work_costs_what_its_last_run_cost_as_often_as_it_is_scheduled():
    found = own_work({"evaluate": 7, "retrain": 1, "never": 7}, {"evaluate": 0.25, "retrain": None}, DAYS)

    assert (found[0].unique_id, found[0].cost.sum()) == ("own_work/evaluate", 7.0)
    assert [driver.driver for driver in found] == ["evaluate", "retrain"]
    assert np.isnan(found[1].cost).all()
    assert known_cost(found, 28).sum() == 7.0


def test_a_planned_sum_is_paid_once_and_only_within_the_horizon():
    events = [
        Event(name="re-embed", date=date(2026, 11, 5), cost_usd=12.5),
        Event(name="later", date=date(2027, 11, 5), cost_usd=99.0),
    ]

    found = planned(events, DAYS)

    assert [(driver.unique_id, driver.cost.sum()) for driver in found] == [("event/re-embed", 12.5)]


def test_a_sum_may_be_paid_again_and_again():
    runs = Event(name="compliance run", date=date(2026, 10, 25), until=date(2026, 11, 20), every_days=10, cost_usd=3.0)

    (found,) = planned([runs], DAYS)

    assert [f"{day:%m-%d}" for day in DAYS[found.cost > 0]] == ["11-04", "11-14"]


def test_a_corpus_that_grows_makes_its_series_grow_from_the_day_on():
    event = Event(name="corpus", date=date(2026, 10, 1), series="*/input", growth_per_month=0.1)

    found = factors(("a/m/input", "a/m/output"), DAYS, [event])

    np.testing.assert_allclose(found[1], 1.0)
    np.testing.assert_allclose(found[0, 0], 1.1 ** (31 / (365.25 / 12)))
    np.testing.assert_allclose(found[0, 7] / found[0, 0], 1.1 ** (7 / (365.25 / 12)))


def test_growth_that_has_begun_is_no_surprise_and_is_carried_on(world):
    day = np.arange(120)
    y = 1000 * 1.2 ** (day / (365.25 / 12))
    began = Event(name="corpus", date=(DAYS[0] - pd.Timedelta(days=120)).date(), growth_per_month=0.2)

    found = look_ahead(usage(y[None]), ones, ForecastParams(events=(began,)))

    np.testing.assert_allclose(found.amount[0], 1000 * 1.2 ** ((day[-1] + 1 + np.arange(28)) / (365.25 / 12)))


def test_own_work_changes_with_events_of_its_own_name_only():
    twice = Event(name="larger test set", date=date(2026, 11, 15), series="own_work/evaluate", multiplier=2)
    past = Event(name="larger already", date=date(2026, 10, 1), series="own_work/*", multiplier=5)
    other = Event(name="traffic", date=date(2026, 11, 2), multiplier=9)

    (found,) = own_work({"evaluate": 7}, {"evaluate": 1.0}, DAYS, (twice, past, other))

    np.testing.assert_allclose(found.cost, [1.0] * 14 + [2.0] * 14)


@pytest.mark.parametrize(
    "values",
    [
        {"levels": [80, 80]},
        {"levels": [30]},
        {"own_runs_per_week": {"evaluate": -1}},
        {"events": [{"name": "x", "date": "2026-01-01"}]},
        {"events": [{"name": "x", "date": "2026-01-01", "multiplier": 0}]},
        {"events": [{"name": "x", "date": "2026-02-01", "until": "2026-01-01", "multiplier": 2}]},
        {"events": [{"name": "x", "date": "2026-01-01", "multiplier": 2, "model": "m"}]},
        {"events": [{"name": "x", "date": "2026-01-01", "multiplier": 2, "every_days": 7}]},
        {"events": [{"name": "x", "date": "2026-01-01", "multiplier": 2, "provider": "azure"}]},
        {"events": [{"name": "x", "date": "2026-01-01", "until": "2026-02-01", "model": "m"}]},
        {"events": [{"name": "x", "date": "2026-01-01", "growth_per_month": -1}]},
        {"horizon": 28},
    ],
)
def test_wrong_params_are_refused(values):
    with pytest.raises(ParamsError):
        ForecastParams.parse(values, where="params.yaml")

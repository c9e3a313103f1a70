"""What `simple` does to series whose answer is known."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.forecast.forecaster import past_forecasts, seasonal_naive, simple, trend
from flows.forecast.params import Rules

RULES = Rules()


@given(level=st.floats(1e-3, 1e12), days=st.integers(1, 120), horizon=st.integers(1, 60))
def test_a_constant_series_stays_constant(level, days, horizon):
    np.testing.assert_allclose(simple(np.full((1, days), level), horizon, RULES), level, rtol=1e-9)


@given(st.floats(1e-6, 1e9))
def test_twice_the_tokens_are_twice_the_forecast(scale):
    y = np.random.default_rng(1).lognormal(5, 0.4, (2, 90))

    np.testing.assert_allclose(simple(y * scale, 28, RULES), simple(y, 28, RULES) * scale, rtol=1e-9)


def test_a_weekday_pattern_is_continued():
    week = np.array([5, 6, 7, 6, 5, 1, 0.0])

    np.testing.assert_allclose(simple(np.tile(week, 6)[None, 2:], 10, RULES)[0], np.tile(week, 2)[:10], atol=1e-9)


def test_series_do_not_influence_each_other(world):
    y = world(5, 100)

    np.testing.assert_allclose(simple(y, 28, RULES)[2], simple(y[2:3], 28, RULES)[0])


def test_less_than_three_weeks_give_the_flat_mean_of_whole_weeks():
    y = np.array([[90, 90, 90, *[7, 7, 7, 7, 7, 1, 1] * 2]], dtype=float)

    np.testing.assert_allclose(simple(y, 5, RULES), 37 / 7)


def test_a_series_that_stopped_goes_to_zero():
    y = np.concatenate([np.full(60, 100.0), np.zeros(28)])[None]

    np.testing.assert_array_equal(simple(y, 7, RULES), 0)


def test_a_series_without_history_has_no_forecast():
    assert np.isnan(simple(np.full((1, 40), np.nan), 3, RULES)).all()


def test_steady_growth_is_carried_forward_up_to_the_cap():
    day = np.arange(120)
    steady, wild = 100 * np.exp(0.004 * day), 100 * np.exp(0.03 * day)

    found = simple(np.stack([steady[:92], wild[:92]]), 28, RULES)

    np.testing.assert_allclose(found[0].sum(), steady[92:].sum(), rtol=0.01)
    assert trend(wild[None, :92], RULES)[0] == pytest.approx(RULES.trend_max / 7)


def test_noise_alone_makes_little_trend(world):
    shrunken = trend(world(300, 90, sd=0.1, rho=0.0), RULES)

    assert np.mean(shrunken == 0) > 0.55


def test_past_forecasts_see_only_their_past(world):
    y = world(2, 80)

    paths, actual = past_forecasts(y, 14, 30, RULES)

    assert paths.shape == actual.shape == (2, 30, 14)
    np.testing.assert_allclose(paths[:, 10], simple(y[:, :60], 14, RULES))
    np.testing.assert_array_equal(actual[:, 10], y[:, 60:74])
    assert np.isnan(actual[:, -1]).sum(axis=1).tolist() == [13, 13]


@pytest.mark.parametrize("days", [1, 2, 3, 4, 20, 27, 29])
def test_short_histories_have_as_many_origins_as_they_can(days):
    paths, _ = past_forecasts(np.ones((1, days)), 28, 120, RULES)

    assert paths.shape[1] == {1: 0, 2: 0, 3: 0, 4: 1, 20: 17, 27: 24, 29: 8}[days]


def test_the_naive_rival_repeats_the_last_week():
    assert seasonal_naive(np.arange(10.0)[None], 9, 7).tolist() == [[3, 4, 5, 6, 7, 8, 9, 3, 4]]

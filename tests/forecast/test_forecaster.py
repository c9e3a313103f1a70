"""What the forecaster does to series whose answer is known, and how it weighs its methods."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.forecast.forecaster import forecast, past_forecasts, weights
from flows.forecast.methods import METHODS, by_each, seasonal, seasonal_naive, trend
from flows.forecast.params import Rules

RULES = Rules()


@given(level=st.floats(1e-3, 1e12), days=st.integers(1, 120), horizon=st.integers(1, 60))
def test_a_constant_series_stays_constant(level, days, horizon):
    np.testing.assert_allclose(forecast(np.full((1, days), level), horizon, RULES), level, rtol=1e-9)


@given(st.floats(1e-6, 1e9))
def test_twice_the_tokens_are_twice_the_forecast(scale):
    y = np.random.default_rng(1).lognormal(5, 0.4, (2, 90))

    np.testing.assert_allclose(forecast(y * scale, 28, RULES), forecast(y, 28, RULES) * scale, rtol=1e-9)


def test_a_weekday_pattern_is_continued():
    week = np.array([5, 6, 7, 6, 5, 1, 0.0])

    np.testing.assert_allclose(forecast(np.tile(week, 6)[None, 2:], 10, RULES)[0], np.tile(week, 2)[:10], atol=1e-9)


def test_series_do_not_influence_each_other(world):
    y = world(5, 100)

    np.testing.assert_allclose(forecast(y, 28, RULES)[2], forecast(y[2:3], 28, RULES)[0])


def test_less_than_three_weeks_give_the_flat_mean_of_the_last_week():
    y = np.array([[90, 90, 90, *[9] * 7, *[7, 7, 7, 7, 7, 1, 1]]], dtype=float)

    np.testing.assert_allclose(forecast(y, 5, RULES), 37 / 7)


def test_a_series_that_stopped_goes_to_zero():
    y = np.concatenate([np.full(60, 100.0), np.zeros(28)])[None]

    np.testing.assert_array_equal(forecast(y, 7, RULES), 0)


def test_a_series_without_history_has_no_forecast():
    assert np.isnan(forecast(np.full((1, 40), np.nan), 3, RULES)).all()


def test_steady_growth_is_carried_forward_up_to_the_cap():
    day = np.arange(120)
    steady, wild = 100 * np.exp(0.004 * day), 100 * np.exp(0.03 * day)

    found = seasonal(np.stack([steady[36:92], wild[36:92]]), 28, RULES)

    np.testing.assert_allclose(found[0].sum(), steady[92:].sum(), rtol=0.01)
    assert trend(wild[None, 36:92], RULES)[0] == pytest.approx(RULES.trend_max / 7)


def test_noise_alone_makes_little_trend(world):
    shrunken = trend(world(300, 90, sd=0.1, rho=0.0), RULES)

    assert np.mean(shrunken == 0) > 0.55


def test_past_forecasts_see_only_their_past(world):
    y = world(2, 80)

    paths, actual = past_forecasts(y, 14, 30, RULES)

    assert paths.shape == actual.shape == (2, 30, 14)
    np.testing.assert_allclose(paths[:, 10], forecast(y[:, :60], 14, RULES))
    np.testing.assert_array_equal(actual[:, 10], y[:, 60:74])
    assert np.isnan(actual[:, -1]).sum(axis=1).tolist() == [13, 13]


@pytest.mark.parametrize("days", [1, 2, 3, 4, 20, 27, 29])
def test_short_histories_have_as_many_origins_as_they_can(days):
    paths, _ = past_forecasts(np.ones((1, days)), 28, 120, RULES)

    assert paths.shape[1] == {1: 0, 2: 0, 3: 0, 4: 1, 20: 17, 27: 24, 29: 8}[days]


def test_the_naive_rival_repeats_the_last_week():
    assert seasonal_naive(np.arange(10.0)[None], 9, 7).tolist() == [[3, 4, 5, 6, 7, 8, 9, 3, 4]]


def test_without_evidence_the_priors_weigh_and_equal_errors_change_nothing():
    unknown, equal = np.full((3, 1, 1), np.nan), np.ones((3, 1, 80))

    priors = [RULES.mean_prior, (1 - RULES.mean_prior) / 2, (1 - RULES.mean_prior) / 2]
    np.testing.assert_allclose(weights(unknown, RULES)[:, 0, 0], priors)
    np.testing.assert_allclose(weights(equal, RULES)[:, 0, -1], priors)


def test_evidence_is_worth_one_window_a_week_and_counts_once_it_is_known():
    errors = np.ones((3, 1, 80))
    errors[METHODS.index("seasonal")] = 0.5

    found = weights(errors, RULES)[:, 0]

    odds = found[2] / found[0] / (found[2, 0] / found[0, 0])
    np.testing.assert_allclose(odds[:8], [1] * 7 + [2 ** (1 / 7)])  # the error of origin 0 is known after a week
    np.testing.assert_allclose(odds[-1], 2**RULES.choice_seasons)


def test_a_method_that_was_always_right_gets_all_the_weight():
    week = np.tile([5.0, 6, 7, 6, 5, 1, 0], 9)[None]

    np.testing.assert_allclose(forecast(week, 7, RULES), week[:, :7], atol=1e-6)


def test_methods_without_enough_history_are_the_mean():
    mean, naive, other = by_each(np.arange(10.0)[None], 9, RULES)

    np.testing.assert_allclose(mean, 6)
    assert naive[0].tolist() == [3, 4, 5, 6, 7, 8, 9, 3, 4]
    np.testing.assert_allclose(other, 6)


def test_a_forecast_is_a_function_of_the_last_fifteen_weeks(world):
    y = world(2, 300)

    np.testing.assert_allclose(forecast(y, 14, RULES), forecast(y[:, -15 * 7 :], 14, RULES), rtol=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize(("sd", "rho", "growth"), [(0.15, 0.3, 0), (0.25, 0.9, 0), (0.3, 0.97, 0.004), (0.8, 0.2, 0)])
def test_totals_are_no_worse_than_the_mean_of_a_week_and_no_day_worse_than_either_rival(world, sd, rho, growth):
    y = world(300, 134, sd=sd, rho=rho, growth_per_day=growth, seed=3)
    ours, (mean, naive, _) = forecast(y[:, :120], 14, RULES), by_each(y[:, :120], 14, RULES)

    def wrong(path, *, total):
        true = y[:, 120:]
        return np.abs(path.sum(1) - true.sum(1)).mean() if total else np.abs(path - true).mean()

    assert wrong(ours, total=True) <= 1.02 * wrong(mean, total=True)
    assert wrong(ours, total=False) <= 1.02 * min(wrong(mean, total=False), wrong(naive, total=False))

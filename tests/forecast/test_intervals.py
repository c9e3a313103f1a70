"""Intervals hold what they promise, by simulation; and their laws, by example."""

import numpy as np
import pytest

from flows.forecast.forecaster import forecast, past_forecasts
from flows.forecast.intervals import bounds, learn, log_errors
from flows.forecast.params import Rules

RULES = Rules()


def learned(y, *, horizon=28, step=0.02, borrowed=2.0):
    paths, actual = past_forecasts(y, horizon, 120, RULES)
    errors = log_errors(paths, actual, floor_share=0.01, cumulative=True)
    return learn(errors, (80, 95), step=step, alpha_min=0.002, borrowed=borrowed)


def test_a_series_that_never_erred_has_an_interval_of_no_width():
    errors = learned(np.full((1, 100), 5.0))

    lower, upper = bounds(np.full((1, 28), 5.0), errors, 95, ratio_max=1000)

    np.testing.assert_allclose(lower, 5.0)
    np.testing.assert_allclose(upper, 5.0)


def test_the_wider_level_contains_the_narrower_and_both_contain_the_mean(world):
    mean = np.full((3, 28), 10.0)
    errors = learned(world(3, 120))

    (lower_80, upper_80), (lower_95, upper_95) = (bounds(mean, errors, level, ratio_max=1000) for level in (80, 95))

    assert (lower_95 <= lower_80).all()
    assert (lower_80 < mean).all()
    assert (mean < upper_80).all()
    assert (upper_80 <= upper_95).all()


def test_intervals_scale_with_the_series(world):
    y = world(1, 120)

    small, large = learned(y), learned(y * 1e6)

    np.testing.assert_allclose(small.scale, large.scale, rtol=1e-6)


def test_an_error_counts_only_once_it_is_known():
    errors = np.full((1, 10, 3), np.nan)
    errors[0, :, 0] = 0.1
    errors[0, :8, 2] = 0.3

    found = learn(errors, (80,), step=0, alpha_min=0.002, borrowed=2.0)

    own, lent = 8 / 3, 2.0
    assert found.windows[0].tolist() == [10, 0, 8]
    np.testing.assert_allclose(found.neff[0], [10, 2, own + lent])
    np.testing.assert_allclose(found.scale[0], [0.1, 0.1, np.sqrt((own * 0.3**2 + lent * 0.1**2) / (own + lent))])


def test_a_scale_is_borrowed_only_as_far_as_it_is_known_itself():
    errors = np.full((1, 4, 3), np.nan)
    errors[0, :2, 0] = 0.2

    found = learn(errors, (80,), step=0, alpha_min=0.002, borrowed=2.0)

    assert found.neff[0].tolist() == [2, 2, 2]
    np.testing.assert_allclose(found.scale[0], 0.2)


def test_without_any_past_error_the_bounds_are_unknown():
    found = learn(np.full((1, 0, 3), np.nan), (80,), step=0.02, alpha_min=0.002, borrowed=2.0)

    assert np.isnan(bounds(np.ones((1, 3)), found, 80, ratio_max=1000)[0]).all()


def test_no_bound_lies_farther_away_than_the_cap():
    errors = learn(np.full((1, 3, 1), 5.0), (95,), step=0.02, alpha_min=0.002, borrowed=2.0)

    assert bounds(np.ones((1, 1)), errors, 95, ratio_max=50)[1].item() == pytest.approx(50)


def test_misses_make_the_next_interval_wider():
    calm, jumpy = np.full((1, 60, 1), 0.01), np.full((1, 60, 1), 0.01)
    jumpy[0, 40:, 0] = 0.5

    found = learn(np.concatenate([calm, jumpy]), (80,), step=0.02, alpha_min=0.002, borrowed=2.0)

    assert found.alpha[80][0, 0] > found.alpha[80][1, 0]


def test_a_silent_day_is_a_large_error_and_no_infinite_one():
    paths, actual = np.full((1, 4, 1), 10.0), np.array([[[10.0], [0.0], [10.0], [np.nan]]])

    found = log_errors(paths, actual, floor_share=0.01, cumulative=False)

    assert np.isfinite(found[0, :3]).all()
    assert found[0, 1, 0] < -4
    assert np.isnan(found[0, 3, 0])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("days", "sd", "rho"),
    [(60, 0.15, 0.5), (60, 0.3, 0.95), (90, 0.15, 0.3), (120, 0.25, 0.8), (200, 0.3, 0.95)],
)
def test_intervals_of_7_and_14_day_totals_cover_within_7_points(world, days, sd, rho):
    y = world(600, days + 14, sd=sd, rho=rho, seed=days)
    mean = np.cumsum(forecast(y[:, :days], 14, RULES), axis=1)
    true = np.cumsum(y[:, days:], axis=1)
    errors = learned(y[:, :days], horizon=14)

    for level in (80, 95):
        lower, upper = bounds(mean, errors, level, ratio_max=1000)
        covered = ((lower <= true) & (true <= upper)).mean(axis=0)
        assert abs(covered[6] - level / 100) <= 0.07
        assert abs(covered[13] - level / 100) <= 0.07


@pytest.mark.slow
@pytest.mark.parametrize("days", [14, 21, 35])
def test_short_histories_have_intervals_that_are_wide_enough_and_of_use(world, days):
    y = world(400, days + 14, sd=0.25, rho=0.8, seed=days)
    mean = np.cumsum(forecast(y[:, :days], 14, RULES), axis=1)[:, -1:]
    true = y[:, days:].sum(axis=1, keepdims=True)
    errors = learned(y[:, :days], horizon=14)

    lower, upper = (side[:, -1:] for side in bounds(np.repeat(mean, 14, axis=1), errors, 95, ratio_max=1000))

    assert ((lower <= true) & (true <= upper)).mean() >= 0.90
    assert np.median(upper / lower) <= 20

"""Nights add up, noise does not, and a broken night says nothing."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from flows.stats.ecusum import AlarmPolicy, daily_z, drift, nightly_e, nights, normal_z
from flows.stats.effects import Effect

POLICY = AlarmPolicy()
NIGHT = Effect(200, 50, 0, 200, center=0.0, se=0.025, df=51)
BROKEN = Effect(0, 0, 200, 200, problem="no_common_questions")


def night(center, se=0.025):
    return replace(NIGHT, center=center, se=se)


def test_one_night_by_hand():
    """lambda = .05 / .025 = 2; z = the normal with the tail of t = -1 at 51 df."""
    z = stats.norm.ppf(stats.t.cdf(-1.0, 51))
    assert nightly_e(night(-0.025), 0.05, POLICY) == pytest.approx(-2 * z - 2)
    assert nightly_e(night(-0.025, se=0.05), 0.05, POLICY) == pytest.approx(
        -stats.norm.ppf(stats.t.cdf(-0.5, 51)) - 0.5
    )


def test_the_stake_is_limited():
    assert nightly_e(night(0.0, se=0.001), 0.05, POLICY) == pytest.approx(-2.0)


def test_evidence_adds_up_restarts_after_good_nights_and_resets_after_an_alarm():
    threshold = np.log(365)
    seen = nights(
        [night(0.0), night(-0.05), night(-0.05), night(-0.05), night(0.0)], drop=0.05, metrics=1, policy=POLICY
    )
    bad = nightly_e(night(-0.05), 0.05, POLICY)
    assert [n.log_e_cusum for n in seen] == pytest.approx([-2.0, bad, 2 * bad, 3 * bad, 3 * bad - 2.0])
    assert [n.alarm for n in seen] == [level >= threshold for level in (-2.0, bad, 2 * bad, 3 * bad, 3 * bad - 2.0)]
    many = nights([night(-0.05)] * 8, drop=0.05, metrics=1, policy=POLICY)
    first = next(i for i, n in enumerate(many) if n.alarm)
    assert many[first + 1].log_e_cusum == pytest.approx(bad)


def test_a_night_without_scores_changes_nothing_and_raises_no_alarm():
    seen = nights([night(-0.05), BROKEN, night(-0.05)], drop=0.05, metrics=1, policy=POLICY)
    assert seen[1].log_e_cusum == seen[0].log_e_cusum
    assert np.isnan(seen[1].center)
    assert not seen[1].alarm


def test_more_metrics_share_one_budget():
    assert POLICY.threshold(1) == pytest.approx(np.log(365))
    assert POLICY.threshold(8) == pytest.approx(np.log(8 * 365))


@given(st.floats(-60, 60), st.integers(1, 300))
def test_z_has_the_tail_of_t(t, df):
    z = normal_z(t, 1.0, df)
    tail = stats.t.sf(abs(t), df)
    assert np.sign(z) == np.sign(t) or abs(t) < 1e-7  # scipy rounds the tail of a smaller t to one half
    assert stats.norm.sf(abs(z)) == pytest.approx(max(tail, np.finfo(float).tiny), rel=1e-6)


def test_z_without_any_spread_is_zero_or_finite():
    assert normal_z(0.0, 0.0, 10) == 0.0
    assert -40 < normal_z(-1.0, 0.0, 10) < -37


def test_daily_z_is_the_t_predictive_residual():
    """Two kinds of days, each with its own mean: compare with the two-sample formula."""
    weekend = np.array(([0] * 5 + [1] * 2) * 4 + [0, 1], dtype=float)
    means = np.random.default_rng(3).normal(10 - 3 * weekend, 1.0)
    z = daily_z(means, weekend, policy=POLICY)
    work, free = means[:28][weekend[:28] == 0], means[:28][weekend[:28] == 1]
    sd = np.sqrt((work.var() * len(work) + free.var() * len(free)) / 26)
    for day, group in ((28, work), (29, free)):
        t = (means[day] - group.mean()) / (sd * np.sqrt(1 + 1 / len(group)))
        assert z[day] == pytest.approx(stats.norm.ppf(stats.t.cdf(t, 26)))
    assert np.isnan(z[:28]).all()


def test_a_channel_learns_from_days_with_calls_only():
    means = np.arange(31.0) % 3
    means[4] = means[29] = np.nan
    z = daily_z(means, np.zeros(31), policy=POLICY)
    assert np.flatnonzero(~np.isnan(z)).tolist() == [30]
    assert np.isnan(daily_z(means[:28], np.zeros(28), policy=POLICY)).all()
    assert daily_z(np.array([]), np.array([]), policy=POLICY).size == 0


def test_the_first_error_after_a_spotless_month_is_no_alarm_when_the_smallest_sd_is_known():
    rates = np.append(np.zeros(28), np.arcsin(np.sqrt(1 / 300)))
    blind = daily_z(rates, np.zeros(29), policy=POLICY)
    aware = daily_z(rates, np.zeros(29), policy=POLICY, sd_min=1 / (2 * np.sqrt(300)))
    assert blind[-1] > 37
    assert 1 < aware[-1] < 3
    assert not drift(aware, channels=4, policy=POLICY)[-1].alarm


def test_drift_is_found_in_both_directions_and_restarts():
    up = drift([2.0] * 8, channels=4, policy=POLICY)
    gain = 1.5 * (2.0 - 0.35) - 1.125
    assert [day.log_e_up for day in up[:3]] == pytest.approx([gain, 2 * gain, 3 * gain])
    first = next(i for i, day in enumerate(up) if day.alarm)
    assert up[first].log_e_up >= np.log(2 * 4 * 365) > up[first - 1].log_e_up
    assert up[first + 1].log_e_up == pytest.approx(gain)
    down = drift([-2.0] * 8, channels=4, policy=POLICY)
    assert [day.log_e_down for day in down] == pytest.approx([day.log_e_up for day in up])


def test_days_without_value_leave_the_evidence_alone():
    seen = drift([np.nan, 2.0, np.nan, 2.0], channels=1, policy=POLICY)
    assert seen[0].log_e_up == 0.0
    assert seen[2].log_e_up == seen[1].log_e_up < seen[3].log_e_up

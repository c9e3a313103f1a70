"""Channels and alarms: a lasting change is found once, noise is left alone, too little data is `learning`."""

from datetime import date

import numpy as np
import pandas as pd
import pytest

from flows.monitor.channels import CHANNELS, Days, daily, traffic
from flows.monitor.drift import watch
from flows.monitor.providers import changes
from flows.monitor.simulator import Traffic, simulate
from flows.stats.ecusum import AlarmPolicy

POLICY = AlarmPolicy()
TOKENS = next(channel for channel in CHANNELS if channel.name == "output_tokens")


def days_of(values):
    values = np.asarray(values, float)
    dates = pd.date_range("2026-07-01", periods=values.size, freq="D", tz="UTC")
    return Days(TOKENS, dates, np.exp(values), values, np.zeros(values.size), np.full(values.size, 100))


def noisy(size, seed, step_at=None, step=0.0):
    values = 5 + np.random.default_rng(seed).normal(0, 0.05, size)
    if step_at is not None:
        values[step_at:] += step
    return days_of(values)


def test_a_lasting_rise_is_found_within_a_week_reported_once_and_dated():
    watched = watch(noisy(120, seed=1, step_at=60, step=0.15), channels=6, policy=POLICY)

    assert len(watched.alarms) == 1
    alarm = watched.alarms[0]
    assert alarm.direction == "rise"
    assert date(2026, 8, 28) <= date.fromisoformat(alarm.began) <= date.fromisoformat(alarm.day) <= date(2026, 9, 6)
    assert alarm.after / alarm.before == pytest.approx(np.exp(0.15), rel=0.05)


def test_a_fall_is_found_too():
    assert watch(noisy(120, seed=2, step_at=60, step=-0.15), channels=6, policy=POLICY).alarms[0].direction == "fall"


def test_less_than_the_reference_is_learning_and_never_alarms():
    watched = watch(noisy(28, seed=3, step_at=20, step=1.0), channels=6, policy=POLICY)

    assert watched.learning
    assert watched.alarms == []
    assert np.isnan(watched.z).all()


def test_days_without_answers_change_nothing():
    values = 5 + np.random.default_rng(4).normal(0, 0.05, 90)
    values[40:50] = np.nan

    assert watch(days_of(values), channels=6, policy=POLICY).alarms == []


@pytest.mark.slow
def test_false_alarms_stay_within_the_stated_budget():
    """300 channels x 152 watched days; the budget allows one alarm in 365 days over six channels."""
    alarms = sum(len(watch(noisy(180, seed), channels=6, policy=POLICY).alarms) for seed in range(300))

    assert alarms <= 300 * 152 / (365 * 6) * 1.5


def test_our_own_work_is_no_traffic():
    calls = simulate(Traffic(date(2026, 7, 1), days=3, seed=1)).assign(use_case="evaluation")

    assert traffic(calls, ["evaluation"]).empty


def test_a_day_with_few_answers_is_no_observation():
    answers = traffic(simulate(Traffic(date(2026, 7, 1), days=3, seed=1)), [])

    assert np.isnan(daily(answers, TOKENS, answers_min=100_000).mean).all()


def test_a_new_snapshot_under_the_same_name_is_reported_on_its_first_day():
    answers = traffic(simulate(Traffic(date(2026, 7, 1), days=10, seed=1, provider_change_day=6)), [])

    found = changes(answers, share_min=0.05)

    assert [(change.day, change.previous_system_fingerprint, change.system_fingerprint) for change in found] == [
        ("2026-07-07", "fp_simulated_a", "fp_simulated_b")
    ]


def test_a_provider_that_says_nothing_gives_no_change():
    answers = traffic(simulate(Traffic(date(2026, 7, 1), days=5, seed=1)), []).assign(response_model=None)

    assert changes(answers, share_min=0.05) == []

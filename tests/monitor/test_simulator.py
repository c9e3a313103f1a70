"""The simulated log: reproducible, labelled, and with the change that it claims to hold."""

import json
from datetime import date

import numpy as np
import pytest

from flows.core.contracts import CALLS
from flows.core.tables import check
from flows.monitor.simulator import Traffic, simulate

WORLD = Traffic(date(2026, 7, 1), days=30, seed=1, provider_change_day=20)


@pytest.fixture(scope="module")
def calls():
    return simulate(WORLD)


def test_it_satisfies_the_contract_and_every_row_says_that_it_is_simulated(calls):
    assert len(check(calls, CALLS)) == len(calls) > 1000
    assert all(json.loads(text)["simulated"] for text in calls["metadata"].unique())


def test_the_same_seed_gives_the_same_log(calls):
    assert simulate(WORLD).equals(calls)
    assert not simulate(Traffic(date(2026, 7, 1), days=30, seed=2)).equals(calls)


def test_weekends_are_quieter(calls):
    daily = calls.groupby(calls["started_at"].dt.date).size()
    weekend = np.array([day.weekday() >= 5 for day in daily.index])

    assert daily[weekend].mean() < 0.7 * daily[~weekend].mean()


def test_the_provider_change_lengthens_answers_from_its_day_on(calls):
    answers = calls[calls["step"] == "answer"]
    after = answers["system_fingerprint"] == "fp_simulated_b"
    mean = answers.groupby(after)["output_tokens"].mean()

    assert answers.loc[after, "started_at"].min().date() == date(2026, 7, 21)
    assert 1.15 < mean[True] / mean[False] < 1.45

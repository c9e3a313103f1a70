"""Odds and dates of a budget."""

import numpy as np
import pandas as pd
import pytest
from scipy import special

from flows.forecast.budget import exceed_odds, outlook_of_budget, over_horizon
from flows.forecast.frame import ones
from flows.forecast.intervals import Errors
from flows.forecast.outlook import look_ahead
from flows.forecast.params import ForecastParams
from flows.forecast.series import Usage

DAYS = pd.date_range("2026-11-01", periods=10, freq="D", tz="UTC")
RUNNING = np.arange(1.0, 11.0)
NONE = np.zeros(10)


def errors(scale, neff=5.0):
    return Errors(np.full((1, 10), scale), np.full((1, 10), neff), np.full((1, 10), 10.0), {}, {})


def test_a_budget_at_the_expected_total_is_a_coin_flip():
    assert exceed_odds(RUNNING, NONE, errors(0.2), 10.0)[-1] == pytest.approx(0.5)


def test_the_closed_form_is_the_tail_of_t():
    expected = special.stdtr(5, -np.log(12 / 10) / (0.2 * np.sqrt(1 + 1 / 5)))

    assert exceed_odds(RUNNING, NONE, errors(0.2), 12.0)[-1] == pytest.approx(expected)


def test_odds_never_fall_and_are_odds():
    odds = exceed_odds(RUNNING[::-1], NONE, errors(0.5), 6.0)

    assert (np.diff(odds) >= 0).all()
    assert ((odds >= 0) & (odds <= 1)).all()


def test_without_uncertainty_it_is_either_over_or_not():
    assert exceed_odds(RUNNING, NONE, errors(0.0), 5.5).tolist() == [0.0] * 5 + [1.0] * 5


def test_known_cost_is_taken_from_the_budget_first():
    fixed = np.arange(1.0, 11.0)

    assert exceed_odds(RUNNING, fixed, errors(0.2), 9.0)[-1] == 1.0
    assert exceed_odds(NONE, fixed, errors(0.2), 20.0)[-1] == 0.0


def test_a_budget_of_zero_is_exceeded_by_any_cost():
    assert exceed_odds(RUNNING, NONE, errors(0.2), 0.0)[0] == 1.0
    assert exceed_odds(NONE, NONE, errors(0.2), 0.0)[-1] == 0.0


def test_dates_are_the_first_days_at_their_odds_and_none_beyond_the_horizon():
    odds = np.array([0, 0, 0.1, 0.2, 0.3, 0.5, 0.6, 0.6, 0.7, 0.8])

    found = outlook_of_budget(DAYS, odds, 7.0)

    assert found == {"usd": 7.0, "p_exceed": 0.8, "date_p10": "2026-11-03", "date_p50": "2026-11-06", "date_p90": None}


def test_a_monthly_budget_is_taken_over_the_horizon():
    assert over_horizon(30.4375, 28) == pytest.approx(28.0)


@pytest.mark.slow
def test_odds_come_true_about_as_often_as_they_say(world):
    days = pd.date_range("2026-01-01", periods=120, freq="D", tz="UTC")
    said, happened = [], []
    for row in world(200, 120 + 14, sd=0.25, rho=0.9, seed=3):
        outlook = look_ahead(Usage(("a",), days, row[None, :120]), ones, ForecastParams(horizon_days=14))
        for share in (0.7, 0.85, 1.0, 1.2, 1.4):
            budget = row[92:120].mean() * 14 * share
            said.append(exceed_odds(np.cumsum(outlook.total_cost), np.zeros(14), outlook.running, budget)[-1])
            happened.append(row[120:].sum() > budget)
    said, happened = np.array(said), np.array(happened, dtype=float)

    for low, high in ((0.0, 0.2), (0.2, 0.5), (0.5, 0.8), (0.8, 1.0)):
        inside = (said >= low) & (said <= high)
        assert abs(said[inside].mean() - happened[inside].mean()) < 0.12
    assert np.mean((said - happened) ** 2) < 0.75 * happened.mean() * (1 - happened.mean())

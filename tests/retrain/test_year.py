"""A year of nights: the policy against doing nothing and against fine-tuning by calendar.

A small form of the simulation in statistics research §3: documents go stale by 1.8 points a month,
the provider changes twice and takes 6 points each time, a point costs 10 USD a day. Only the order
is asserted: the sums depend on the assumptions.
"""

from datetime import date, timedelta

import numpy as np
import pytest

from flows.retrain.params import RetrainParams
from flows.retrain.policy import decide
from flows.retrain.stored import Index
from tests.retrain.worlds import alarm, change, monitor, stored

START, NIGHTS, SEEDS = date(2026, 1, 1), 365, range(10)
STALE_POINTS_A_NIGHT, CHANGE_POINTS, NOTICED_AFTER = 1.8 / 30, 6.0, 5
PARAMS = RetrainParams()


class World:
    """What is lost, and what the stages would have stored about it."""

    def __init__(self, seed, *, changing=True):
        self.rng = np.random.default_rng(seed)
        days = sorted(self.rng.choice(NIGHTS, size=2, replace=False)) if changing else []
        self.change_nights, self.changing = [int(day) for day in days], changing
        self.stale = self.provider = self.total = 0.0
        self.embedded = self.chunks = "0"
        self.history, self.actions = [], 0

    def live(self, policy):
        for night in range(NIGHTS):
            if self.changing:
                self.stale += STALE_POINTS_A_NIGHT
                self.chunks = str(night // 7)  # new documents once a week
            self.provider += CHANGE_POINTS * (night in self.change_nights)
            for repair in policy(self, night):
                self.mend(repair)
            self.total += (self.stale + self.provider) * PARAMS.value_usd_per_point_day
        return self.total

    def mend(self, repair):
        """Apply a repair; it truly restores no less than the table says."""
        self.total, self.actions = self.total + PARAMS.cost_usd[repair], self.actions + 1
        gain = PARAMS.gain[repair]
        if repair == "fine_tune":  # generous to the rival: it mends whatever is lost
            gain = dict.fromkeys(("stale_index", "provider_change"), gain["quality_drop"])
        if gain.get("stale_index"):
            self.stale *= 1 - self.rng.uniform(gain["stale_index"], 1)
            self.embedded = self.chunks
        if gain.get("provider_change"):
            self.provider *= 1 - self.rng.uniform(gain["provider_change"], 1)

    def stored(self, night):
        known = [at for at in self.change_nights if at <= night]
        noticed = [at + NOTICED_AFTER for at in known if at + NOTICED_AFTER <= night]
        watched = monitor(
            *(alarm("output_tokens", day=START + timedelta(days=at)) for at in noticed),
            changes=[change(day=START + timedelta(days=at)) for at in known],
            as_of=START + timedelta(days=night),
        )
        return stored(monitor=watched, index=Index(self.chunks.ljust(64, "c"), self.embedded.ljust(64, "c")))


def never(world, night):
    return []


def calendar(world, night):
    return ["fine_tune"] if night % 30 == 29 else []


def diagnosed(world, night):
    new = decide(world.stored(night), world.history, PARAMS).new
    world.history += new
    return [item["repair"] for item in new]


def mean_cost(policy, **options):
    return np.mean([World(seed, **options).live(policy) for seed in SEEDS])


@pytest.mark.slow
def test_diagnosis_costs_less_than_a_calendar_and_a_calendar_less_than_nothing():
    assert mean_cost(diagnosed) < mean_cost(calendar) < mean_cost(never)


@pytest.mark.slow
def test_when_nothing_is_wrong_the_policy_does_nothing_and_the_calendar_pays():
    assert mean_cost(diagnosed, changing=False) == mean_cost(never, changing=False) == 0
    assert mean_cost(calendar, changing=False) == 12 * PARAMS.cost_usd["fine_tune"]


@pytest.mark.slow
def test_no_cause_is_proposed_for_twice_within_its_cool_down():
    world = World(3)
    world.live(diagnosed)
    days = {}
    for item in world.history:
        for trigger in item["triggers"]:
            days.setdefault(trigger["cause"], []).append(date.fromisoformat(item["as_of"]))

    assert set(days) == {"stale_index", "provider_change"}
    assert all(np.min(np.diff(dates)) >= timedelta(days=PARAMS.cooldown_days) for dates in days.values())
    assert len(days["provider_change"]) == 2

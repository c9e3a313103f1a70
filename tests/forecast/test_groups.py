"""Sums by use case, model and token type, bottom-up."""

from datetime import date

import numpy as np
import pandas as pd
import pytest

from flows.forecast.groups import by_part
from flows.forecast.outlook import look_ahead, total_bounds
from flows.forecast.params import Event, ForecastParams
from flows.forecast.series import Usage

PARAMS = ForecastParams()
IDS = ("answer/big/input", "answer/big/output", "answer/vendor/small/input", "search/big/input")


def outlook(y, ids=IDS, params=PARAMS, price=None):
    days = pd.date_range(end="2026-10-31", periods=y.shape[1], freq="D", tz="UTC")
    rates = price or dict.fromkeys(ids, 1e-6)
    return look_ahead(
        Usage(ids, days, y), lambda names, when: np.array([[rates.get(n, 1e-6)] * len(when) for n in names]), params
    )


def test_the_groups_of_each_part_add_up_to_the_total(world):
    found = outlook(world(4, 120))

    rows = pd.DataFrame(by_part(found, PARAMS))

    assert rows.groupby("by")["name"].apply(sorted).to_dict() == {
        "model": ["big", "vendor/small"], "token_type": ["input", "output"], "use_case": ["answer", "search"],
    }  # fmt: skip
    for _, group in rows.groupby("by"):
        assert group["mean"].sum() == pytest.approx(found.total_cost.sum(), abs=1e-5)
        assert group["mean"].is_monotonic_decreasing
    assert (rows["lower_80"] < rows["mean"]).all()
    assert (rows["mean"] < rows["upper_80"]).all()


def test_the_interval_of_a_sum_is_its_own_and_narrower_than_the_sum_of_bounds(world):
    found = outlook(world(2, 120), ids=IDS[:2])

    (model,) = [row for row in by_part(found, PARAMS) if row["by"] == "model"]
    kinds = [row for row in by_part(found, PARAMS) if row["by"] == "token_type"]

    lower, upper = (side[-1] for side in total_bounds(found, PARAMS, 80, np.zeros(28)))
    assert (model["lower_80"], model["upper_80"]) == pytest.approx((lower, upper), abs=1e-5)
    assert model["upper_80"] - model["lower_80"] < sum(row["upper_80"] - row["lower_80"] for row in kinds)


def test_a_group_without_a_price_is_left_out_and_other_names_have_none(world):
    price = dict.fromkeys(IDS, 1e-6) | {"search/big/input": np.nan}

    names = [row["name"] for row in by_part(outlook(world(4, 60), price=price), PARAMS)]

    assert "search" not in names
    assert by_part(outlook(world(1, 60), ids=("plain",)), PARAMS) == []


def test_after_a_switch_both_models_have_their_days(world):
    switch = Event(name="s", date=date(2026, 11, 15), series="answer/big/*", model="next")
    params = ForecastParams(events=(switch,))

    found = {row["name"]: row["mean"] for row in by_part(outlook(np.full((1, 90), 1e6), IDS[:1], params), params)}

    assert (found["big"], found["next"]) == (14, 14)

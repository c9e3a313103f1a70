"""The forecaster as a tool of its own."""

import json

import numpy as np
import pandas as pd
import pytest

from flows.core.errors import ContractError, InputError
from flows.forecast.frame import run_on_frame


def test_a_table_of_daily_totals_gives_the_promised_shape(usage_frame, world):
    y = world(2, 90)

    found = run_on_frame(usage_frame({"a": y[0], "b": y[1]}), budget_usd=40_000)

    assert list(found["series"]) == ["a", "b"]
    assert len(found["series"]["a"]) == 28
    assert set(found["series"]["a"][0]) == {"ds", "mean", "lower_80", "upper_80", "lower_95", "upper_95"}
    assert found["series"]["a"][0]["ds"] == "2026-08-30"
    assert set(found["total"]) == {"mean", "lower_80", "upper_80", "lower_95", "upper_95"}
    assert found["total"]["lower_95"] < found["total"]["lower_80"] < found["total"]["mean"] < found["total"]["upper_80"]
    assert set(found["budget"]) == {"usd", "p_exceed", "date_p10", "date_p50", "date_p90"}
    json.dumps(found, allow_nan=False)


def test_the_total_is_the_sum_of_the_series(usage_frame, world):
    y = world(3, 70)

    found = run_on_frame(usage_frame(dict(zip("abc", y, strict=True))))

    assert found["total"]["mean"] == pytest.approx(
        sum(row["mean"] for rows in found["series"].values() for row in rows)
    )


def test_prices_by_date_turn_tokens_into_dollars(usage_frame):
    prices = pd.DataFrame(
        {"unique_id": ["a", "a"], "valid_from": ["2026-01-01", "2026-08-20"], "usd_per_mtok": [10.0, 6.0]}
    )

    found = run_on_frame(usage_frame({"a": [1e6] * 70, "b": [5.0] * 70}), prices=prices)

    assert [row["mean"] for row in found["series"]["a"]] == pytest.approx([10.0] * 10 + [6.0] * 18)
    assert found["series"]["b"][0]["mean"] is None
    assert found["total"]["mean"] == pytest.approx(208.0)
    assert "unpriced, not in the total: b" in found["notes"]


def test_less_than_three_weeks_say_cold_start(usage_frame):
    found = run_on_frame(usage_frame({"a": [10.0] * 10}))

    assert found["total"]["mean"] == pytest.approx(280.0)
    assert any(note.startswith("cold start") for note in found["notes"])


def test_one_day_has_a_mean_and_no_interval(usage_frame):
    found = run_on_frame(usage_frame({"a": [10.0]}), budget_usd=100)

    assert found["total"]["mean"] == pytest.approx(280.0)
    assert found["total"]["lower_80"] is None
    assert found["budget"]["p_exceed"] is None
    assert any("no interval yet" in note for note in found["notes"])


def test_bursty_usage_is_called_so(usage_frame):
    rng = np.random.default_rng(4)
    y = rng.lognormal(3, 2, 120) * (rng.random(120) < 0.3)

    notes = run_on_frame(usage_frame({"a": y}))["notes"]

    assert any("wide interval: daily totals are not forecastable" in note for note in notes)


def test_rows_within_the_day_leave_the_last_day_open(usage_frame):
    frame = usage_frame({"a": [1.0] * 30}).assign(ds=lambda rows: rows["ds"] + pd.Timedelta("09:00:00"))

    assert run_on_frame(frame)["as_of"] == "2026-06-29"
    assert run_on_frame(usage_frame({"a": [1.0] * 30}))["as_of"] == "2026-06-30"


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (lambda frame: frame.drop(columns="y"), ContractError),
        (lambda frame: frame.iloc[:0], InputError),
        (lambda frame: frame.assign(y=-frame["y"]), ContractError),
        (lambda frame: frame.assign(y="ten"), ContractError),
        (lambda frame: frame.head(1).assign(ds="2026-06-01T10:00:00Z"), InputError),
    ],
)
def test_unusable_tables_are_refused(usage_frame, change, error):
    with pytest.raises(error):
        run_on_frame(change(usage_frame({"a": [1.0] * 30})))


@pytest.mark.slow
def test_a_thousand_series_of_a_year_fit_at_once(world, usage_frame):
    y = world(1000, 400)

    found = run_on_frame(usage_frame({f"s{i:03}": row for i, row in enumerate(y)}))

    assert len(found["series"]) == 1000

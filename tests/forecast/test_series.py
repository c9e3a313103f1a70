"""Every token lands on the right UTC day, and every day is accounted for."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flows.core.errors import ContractError
from flows.forecast.series import daily, token_rows


def day_values(usage):
    return dict(zip(usage.days.strftime("%m-%d"), np.nan_to_num(usage.y).sum(axis=0), strict=True))


def test_tokens_are_split_by_use_case_model_and_type(make_calls, noons):
    calls = make_calls(noons(3), input_tokens=1000, cached_input_tokens=300, output_tokens=50)

    found = token_rows(calls, [])

    assert found.rows.groupby("unique_id")["y"].sum().to_dict() == {
        "answer/gpt-4.1-mini/cached_input": 900,
        "answer/gpt-4.1-mini/input": 2100,
        "answer/gpt-4.1-mini/output": 150,
    }
    assert found.keys["answer/gpt-4.1-mini/output"].model == "gpt-4.1-mini"
    assert found.keys["answer/gpt-4.1-mini/input"].input_tokens == 1000


def test_own_work_is_no_traffic(make_calls, noons):
    calls = pd.concat([make_calls(noons(3)), make_calls(noons(3), use_case="evaluation")])

    assert {name.split("/")[0] for name in token_rows(calls, ["evaluation"]).keys} == {"answer"}


def test_calls_of_unknown_usage_are_counted_and_not_taken_for_zero(make_calls, noons):
    lost = make_calls(noons(2), input_tokens=pd.NA, output_tokens=pd.NA, status="unknown_outcome", model="other")

    found = token_rows(pd.concat([make_calls(noons(3)), lost]), [])

    assert found.notes == ("2 call(s) of unknown usage are not counted",)
    assert not any("other" in name for name in found.keys)


def test_only_calls_of_unknown_usage_give_no_series(make_calls, noons):
    assert token_rows(make_calls(noons(2), input_tokens=pd.NA, output_tokens=pd.NA), []).rows.empty


def test_a_model_at_two_providers_is_two_series(make_calls, noons):
    calls = pd.concat([make_calls(noons(2)), make_calls(noons(2), provider="azure")])

    names = set(token_rows(calls, []).keys)

    assert {"answer/azure:gpt-4.1-mini/input", "answer/openai:gpt-4.1-mini/input"} <= names


def test_days_without_calls_are_zeros_and_days_before_a_series_began_are_unknown(usage_frame):
    frame = pd.concat([usage_frame({"a": [5, 0, 0, 7]}).query("y > 0"), usage_frame({"b": [1]}, start="2026-06-03")])

    usage = daily(frame, open_day=None, gap_days_max=90)

    assert usage.ids == ("a", "b")
    np.testing.assert_array_equal(usage.y, [[5, 0, 0, 7], [np.nan, np.nan, 1, 0]])


def test_the_open_day_is_left_out_and_a_later_call_of_any_kind_closes_it(usage_frame):
    frame = usage_frame({"a": [1, 2, 3]})

    still_open = daily(frame, open_day=pd.Timestamp("2026-06-03", tz="UTC"), gap_days_max=90)
    closed = daily(frame, open_day=pd.Timestamp("2026-06-04", tz="UTC"), gap_days_max=90)

    assert f"{still_open.days[-1]:%m-%d}" == "06-02"
    assert f"{closed.days[-1]:%m-%d}" == "06-03"


def test_no_complete_day_is_no_usage(usage_frame):
    assert daily(usage_frame({"a": [1]}), open_day=pd.Timestamp("2026-06-01", tz="UTC"), gap_days_max=90) is None


def test_days_of_clock_change_are_utc_days_and_sum_to_the_total():
    times = ["2026-11-01T01:30:00-04:00", "2026-11-01T01:30:00-05:00", "2026-10-25T02:30:00+02:00",
             "2026-10-25T02:30:00+01:00", "2026-10-31T23:59:59.999999Z", "2026-11-01T23:30:00-05:00"]  # fmt: skip
    frame = pd.DataFrame({"ds": pd.to_datetime(times, utc=True, format="ISO8601"), "unique_id": "a", "y": 1.0})

    usage = daily(frame, open_day=None, gap_days_max=90)

    assert {day: n for day, n in day_values(usage).items() if n} == {"10-25": 2, "10-31": 1, "11-01": 2, "11-02": 1}


@settings(max_examples=25)
@given(st.permutations(range(12)))
def test_late_and_unordered_rows_change_nothing(order):
    days = pd.date_range("2026-06-01", periods=6, freq="D")
    frame = pd.DataFrame({"ds": [*days, *days], "unique_id": ["a"] * 6 + ["b"] * 6, "y": np.arange(12.0)})

    sorted_rows = daily(frame, open_day=None, gap_days_max=90)
    mixed = daily(frame.iloc[list(order)], open_day=None, gap_days_max=90)

    np.testing.assert_array_equal(sorted_rows.y, mixed.y)


@pytest.mark.parametrize(("bad", "word"), [(-1.0, "1 negative"), (np.nan, "1 missing"), (np.inf, "1 infinite")])
def test_impossible_amounts_are_refused_with_counts(usage_frame, bad, word):
    with pytest.raises(ContractError, match=rf"{word} value\(s\) of `y` among 3 rows.*'a'"):
        daily(usage_frame({"a": [1.0, bad, 2.0]}), open_day=None, gap_days_max=90)


def test_a_row_from_the_far_future_does_not_stretch_the_history(usage_frame):
    frame = pd.concat([usage_frame({"a": [1] * 30}), usage_frame({"a": [9]}, start="2126-01-01")])

    usage = daily(frame, open_day=None, gap_days_max=90)

    assert f"{usage.days[-1]:%Y-%m-%d}" == "2026-06-30"
    assert "2 pieces" in usage.notes[0]
    assert "1 day(s) are set aside" in usage.notes[0]

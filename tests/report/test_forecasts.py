"""The report's section on forecasts that have come true."""

import pandas as pd

from flows.report.collect import JSON_FILES, TABLE_FILES, Facts
from flows.report.forecasts import judged, review

DAYS = pd.date_range("2026-06-01", periods=30, freq="D", tz="UTC")
SPENT = pd.DataFrame({"ds": DAYS, "cost_usd": 2.0})
AGAIN = {
    "as_of": "2026-06-28", "days": 2, "mean_usd": 5.0, "lower_80": 3.0, "upper_80": 6.0, "lower_95": 2.0,
    "upper_95": 9.0, "actual_usd": 4.0,
    "by_day": [{"ds": f"2026-06-{day}", "forecast": 2.5, "actual": 2.0} for day in (29, 30)],
}  # fmt: skip
TOTALS = {
    "7": {
        "origins": 9, "wape_forecast": 0.1, "wape_seasonal_naive": 0.2, "wape_mean": 0.15, "coverage_80": 0.78,
        "coverage_95": None,
    }
}  # fmt: skip


def said(*days):
    line = {"horizon_days": 7, "mean_usd": 10.0, "lower_80": 8.0, "upper_80": None}
    return [line | {"as_of": day} for day in days]


def facts(backtest, lines=()):
    known = dict.fromkeys(JSON_FILES) | {"backtest": backtest}
    return Facts(json=known, tables=dict.fromkeys(TABLE_FILES), runs={}, baseline_answers=None, said=list(lines))


def test_nothing_is_claimed_before_a_forecast_has_come_true():
    assert "Not measured" in review(facts(None), SPENT).body
    assert "Not measured" in review(facts({"as_of": "2026-06-30"}, said("2026-06-29")), SPENT).body


def test_the_past_forecast_stands_beside_what_came_true_with_a_picture():
    body = review(facts({"as_of": "2026-06-30", "a_while_ago": AGAIN, "totals": TOTALS, "library": None}), SPENT).body

    assert "$5.00" in body
    assert "$4.00" in body
    assert "-20% of the forecast" in body
    assert "80 % interval held" in body
    assert body.count("<svg") == 1
    assert "<td>78%</td><td>not measured</td>" in body


def test_shorter_totals_come_first():
    totals = {days: TOTALS["7"] for days in ("14", "28", "7")}

    body = review(facts({"as_of": "2026-06-30", "a_while_ago": AGAIN, "totals": totals, "library": None}), SPENT).body

    assert body.index(">7 days<") < body.index(">14 days<") < body.index(">28 days<")


def test_what_was_said_is_judged_once_its_days_are_over_and_a_horizon_apart():
    lines = said("2026-05-20", "2026-06-01", "2026-06-10", "2026-06-12", "2026-06-20", "2026-06-25")

    found = judged(lines, SPENT, "2026-06-30")

    assert [line["as_of"] for line in found] == ["2026-06-20", "2026-06-12", "2026-06-01"]
    assert {line["actual"] for line in found} == {14.0}
    assert "$8.00 to not measured" in review(facts({"as_of": "2026-06-30"}, lines), SPENT).body

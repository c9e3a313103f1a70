"""Sums of the calls log: exact, in any order, unpriced is not free, and one absurd record poisons no mean."""

from decimal import Decimal

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.core.errors import ContractError, UsageError
from flows.forecast.params import OWN_USE_CASES
from flows.forecast.reconcile import read_bill, reconcile
from flows.forecast.spending import exact, spending
from flows.provider.prices import price_of_model


def priced(provider, model, when, size):
    return price_of_model(provider, model, when, input_tokens=size)


def spent(calls, *by):
    return spending(calls, by, priced, own_use_cases=OWN_USE_CASES, documents=10, outlier_factor=10.0)


def test_groups_add_up_to_the_total(make_calls, noons):
    calls = pd.concat([make_calls(noons(5)), make_calls(noons(5), model="gpt-4.1", step="rewrite")])

    found = spent(calls, "model", "day")

    assert len(found.groups) == 10
    assert sum(Decimal(row["cost_usd_exact"]) for row in found.groups) == Decimal(found.total["cost_usd_exact"])
    assert found.groups[0]["day"] == "2026-06-01"
    assert found.total["calls"] == 10


def test_unpriced_calls_are_counted_apart_and_never_free(make_calls, noons):
    costs = [0.001, None, 0.003, None]

    found = spent(make_calls(noons(4), model="gpt-99", cost_usd=costs))

    assert (found.total["cost_usd_exact"], found.total["unpriced_calls"]) == ("0.004", 2)
    assert found.total["mean_cost_usd"] == pytest.approx(0.002)
    assert spent(make_calls(noons(2), cost_usd=[None, None])).total["cost_usd"] is None


@pytest.mark.parametrize("model", ["gpt-4.1-mini", "gpt-99"])
def test_a_record_of_791000_times_its_price_is_named_and_in_no_mean(make_calls, noons, model):
    fair = (1000 * 0.4 + 100 * 1.6) / 1e6
    calls = make_calls(noons(30), model=model, cost_usd=[fair] * 29 + [fair * 791_000])

    found = spent(calls)

    assert found.total["mean_cost_usd"] == pytest.approx(fair)
    assert (found.total["outlier_calls"], len(found.outliers)) == (1, 1)
    assert found.outliers[0]["times"] == (pytest.approx(791_000) if model == "gpt-4.1-mini" else None)
    assert found.units["per_answer_usd"] == pytest.approx(fair)


def test_an_answer_costs_all_its_steps_and_only_accepted_ones_count_as_accepted(make_calls, noons):
    answers = make_calls(noons(4), metadata=['{"refused": true}'] + ['{"refused": false}'] * 3, cost_usd=0.004)
    checks = make_calls(noons(4), model="gpt-4.1", step="check", cost_usd=0.002)
    own = make_calls(noons(4), use_case="evaluation", cost_usd=1.0)
    indexing = make_calls(noons(1), use_case="indexing", step="embed", cost_usd=0.0002)

    units = spent(pd.concat([answers, checks, own, indexing])).units

    assert units["per_answer_usd"] == pytest.approx(0.006)
    assert units["per_accepted_answer_usd"] == pytest.approx(0.024 / 3)
    assert units["per_document_usd"] == pytest.approx(0.00002)


def test_other_currencies_are_in_no_sum_of_dollars(make_calls, noons):
    euros = ['{"currency": "EUR", "cost": "1.10"}', '{"currency": "EUR", "cost": "0.20"}']

    found = spent(make_calls(noons(2), cost_usd=[None, None], metadata=euros))

    assert found.other_currencies == {"EUR": {"calls": 2, "cost": "1.3"}}
    assert found.total["cost_usd"] is None


def test_a_dimension_that_does_not_exist_is_refused(make_calls, noons):
    with pytest.raises(UsageError, match="Did you mean 'model'"):
        spent(make_calls(noons(1)), "modle")


def test_an_empty_log_spends_nothing_and_breaks_nothing(make_calls):
    assert spent(make_calls([]), "model").total["calls"] == 0


@given(st.lists(st.decimals(0, 1000, places=9), max_size=50), st.randoms())
def test_sums_are_exact_in_any_order(amounts, random):
    shuffled = list(amounts)
    random.shuffle(shuffled)

    assert exact(pd.Series([float(x) for x in shuffled], dtype="float64")) == sum(amounts)


@pytest.fixture
def bill(tmp_path):
    def write(text):
        path = tmp_path / "bill.csv"
        path.write_text(text)
        return read_bill(path)

    return write


def test_a_bill_that_agrees_to_the_cent_agrees(make_calls, noons, bill):
    calls = make_calls(noons(2), cost_usd=[0.104, 0.2])

    found = reconcile(calls, bill("date,model,amount\n2026-06-01,gpt-4.1-mini,0.10\n2026-06-02,gpt-4.1-mini,0.2\n"))

    assert found["agrees"]
    assert found["total"] == {"billed_usd": "0.30", "logged_usd": "0.30", "difference_usd": "0.00"}


def test_each_difference_has_its_row_and_reason(make_calls, noons, bill):
    calls = make_calls(noons(4), cost_usd=[0.10, None, 0.30, 0.40])
    lines = ["2026-06-01,0.15", "2026-06-02,0.2", "2026-06-04,0.40", "2026-06-09,1"]

    found = reconcile(calls, bill("\n".join(["day,cost_usd", *lines])))

    rows = {row["day"][-2:]: (row["difference_usd"], row["reason"]) for row in found["rows"]}
    assert rows == {
        "01": ("0.05", "other price, or calls missing on one side"),
        "02": ("0.20", "unpriced in the log"),
        "03": ("-0.30", "not on the bill"),
        "04": ("0.00", "agrees"),
        "09": ("1.00", "not in the log"),
    }
    assert not found["agrees"]


def test_calls_outside_the_bills_days_are_not_compared(make_calls, noons, bill):
    assert reconcile(make_calls(noons(9), cost_usd=0.5), bill("day,cost_usd\n2026-06-03,0.5\n"))["agrees"]


def test_a_bill_by_month_is_held_against_those_months(make_calls, noons, bill):
    found = reconcile(make_calls(noons(61), cost_usd=0.5), bill("month,cost_usd\n2026-06,15.00\n"))

    assert (found["keys"], found["total"]["logged_usd"], found["agrees"]) == (["month"], "15.00", True)


def test_a_model_is_found_under_the_name_that_bills(make_calls, noons, bill):
    calls = make_calls(noons(1), model="gpt-4.1", response_model="gpt-4.1-2025-04-14", cost_usd=0.5)

    assert (
        reconcile(calls, bill("line_item,amount_value\n'',0\n\"gpt-4.1-2025-04-14, input\",0.5\n"))["total"][
            "difference_usd"
        ]
        == "0.00"
    )


def test_thousands_of_fractions_of_a_cent_are_summed_before_they_are_rounded(make_calls, bill):
    times = pd.date_range("2026-06-01", periods=1000, freq="min", tz="UTC")

    assert reconcile(make_calls(times, cost_usd=0.0049), bill("day,cost_usd\n2026-06-01,4.90\n"))["agrees"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("day,what\n", "names no amount"),
        ('day,cost_usd\n2026-06-01,"1,50"\n', "line 2"),
        ("day,cost_usd\n06/01/2026,1\n", "no ISO date .line 2"),
        ("month,cost_usd\n2026-06,1\n2026-13,1\n", "no ISO date .line 3"),
        ("day,cost_usd,currency\n2026-06-01,1,EUR\n", "no amount in USD: 1 line"),
    ],
)
def test_a_bill_that_cannot_be_read_is_refused(bill, text, said):
    with pytest.raises(ContractError, match=said):
        bill(text)

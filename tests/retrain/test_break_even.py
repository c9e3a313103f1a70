"""Break-even of fine-tuning: published examples by hand, and what must hold of any numbers."""

import argparse
from math import exp

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.core.errors import UsageError
from flows.retrain.break_even import Request, break_even
from flows.retrain.commands import add_to


def compare(few_shot, tuned, **options):
    return break_even(few_shot, tuned, **({"fixed_usd": 120, "requests_per_day": 1000, "horizon_days": 365} | options))


SHORT = Request(500, 180, 3.75, 15)


def test_a_job_of_120_usd_that_shortens_2600_tokens_to_500_pays_after_32215_requests():
    found = compare(Request(2600, 180, 2.5, 10), SHORT)

    assert round(found.requests) == 32_215
    assert found.days == pytest.approx(32.215, abs=0.001)


def test_a_small_saving_with_long_answers_never_pays():
    found = compare(Request(800, 600, 2.5, 10), Request(500, 600, 3.75, 15))

    assert found.requests is None
    assert found.days is None
    assert found.ev_usd < -120


def test_the_handbooks_example():
    found = compare(Request(2600, 300, 2, 8), Request(600, 300, 3, 12))

    assert found.saving_usd == pytest.approx(0.0022)
    assert found.requests == pytest.approx(54_545, abs=1)


def test_with_the_cached_price_the_same_job_never_pays():
    cached = Request(2600, 180, 2.5, 10, cached_tokens=2100, cached_usd_per_mtok=0.25)

    assert compare(cached, SHORT).requests is None


def test_caching_at_a_tenth_takes_away_nine_tenths_of_what_the_prefix_costs():
    full, none = Request(2600, 180, 2.5, 10), Request(500, 180, 2.5, 10)
    cached = Request(2600, 180, 2.5, 10, cached_tokens=2100, cached_usd_per_mtok=0.25)

    assert (cached.cost_usd - none.cost_usd) / (full.cost_usd - none.cost_usd) == pytest.approx(0.1)


def test_a_model_that_may_be_retired_pays_later_or_never():
    few_shot = Request(2600, 180, 2.5, 10)

    assert compare(few_shot, SHORT, retired_within_year=0.5).days > compare(few_shot, SHORT).days
    assert compare(few_shot, SHORT, retired_within_year=0.999, requests_per_day=1, fixed_usd=10_000).days is None


def test_the_expected_value_is_the_saving_over_the_models_life():
    found = compare(Request(2600, 180, 2.5, 10), SHORT, retired_within_year=1 - exp(-1))

    assert found.ev_usd == pytest.approx(3.725 * 365 * (1 - exp(-1)) - 120)


@given(fixed=st.floats(1, 1e5), volume=st.floats(1, 1e6), chance=st.floats(0, 0.99))
def test_at_the_break_even_day_the_expected_value_is_zero(fixed, volume, chance):
    options = {"fixed_usd": fixed, "requests_per_day": volume, "retired_within_year": chance}
    days = compare(Request(2600, 180, 2.5, 10), SHORT, **options).days

    if days is not None:
        options["horizon_days"] = days
        assert compare(Request(2600, 180, 2.5, 10), SHORT, **options).ev_usd == pytest.approx(0, abs=1e-6 * fixed)


def verb(*words):
    parser = argparse.ArgumentParser()
    add_to(parser.add_subparsers())
    options = parser.parse_args(["break-even", *words])
    return options.handler(options)


NUMBERS = (
    "--few-shot-tokens=2600", "--tuned-tokens=500", "--output-tokens=180", "--input-price=2.5", "--output-price=10",
    "--tuned-input-price=3.75", "--tuned-output-price=15", "--fixed-usd=120",
)  # fmt: skip


def test_the_verb_prints_one_sentence(capsys):
    assert verb(*NUMBERS) == 0
    assert capsys.readouterr().out.startswith("pays after 32,215 requests (32 days); saves $0.003725 a request")

    verb(*NUMBERS, "--cached-tokens=2100", "--cached-price=0.25")
    assert capsys.readouterr().out.startswith("never pays")


@pytest.mark.parametrize("wrong", ["--fixed-usd=-1", "--retired-within-year=1", "--cached-tokens=9999"])
def test_numbers_out_of_range_are_refused(wrong):
    with pytest.raises(UsageError, match="out of range"):
        verb(*NUMBERS, wrong)

"""What tokens cost: dated, sourced, additive, and unknown when it is unknown."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from flows.core.errors import ParamsError
from flows.provider.outcomes import Tokens
from flows.provider.prices import (
    Price,
    batched,
    cost_usd,
    load_prices,
    local_price,
    maker_of,
    price_at,
    price_of_model,
    read_prices,
)

NOW = datetime(2026, 11, 1, tzinfo=UTC)
ENTRY = {
    "provider": "openai",
    "model": "mine",
    "token_type": "input",
    "usd_per_mtok": 2.0,
    "valid_from": "2026-01-01",
    "source": "contract",
    "read_on": "2026-01-01",
}
COUNTS = st.integers(0, 10**9)
RATES = st.one_of(st.none(), st.floats(0, 1000))


@st.composite
def tokens(draw):
    cached, written, plain = draw(COUNTS), draw(COUNTS), draw(COUNTS)
    return Tokens(cached + written + plain, draw(COUNTS), cached=cached, cache_write=written)


def write(project, *entries, name="own.yaml"):
    path = project.data("prices", name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump({"prices": list(entries)}))
    return path


def test_the_library_knows_published_prices_and_names_itself():
    price = price_at("openai", "gpt-4.1-mini", NOW)
    assert (price.input, price.cached_input, price.output) == (0.4, 0.1, 1.6)
    assert price.source.startswith("genai-prices")


def test_a_dated_model_costs_what_its_name_costs():
    dated, named = (price_at("openai", model, NOW) for model in ("gpt-4.1-mini-2025-04-14", "gpt-4.1-mini"))
    assert (dated.input, dated.output) == (named.input, named.output)


@pytest.mark.parametrize(
    ("model", "maker"),
    [
        ("gpt-4.1-mini", "openai"),
        ("text-embedding-3-small", "openai"),
        ("claude-sonnet-4-5", "anthropic"),
        ("none", ""),
    ],
)
def test_the_maker_of_a_model_is_known_by_its_name(model, maker):
    assert maker_of(model) == maker


def test_a_tuned_model_is_not_sold_at_the_price_of_its_base():
    tuned, base = (price_of_model("", name, NOW) for name in ("ft:gpt-4o-mini-2024-07-18:org::x", "gpt-4o-mini"))

    assert tuned.output > base.output
    assert price_of_model("", "ft:gpt-4.1-mini-2025-04-14:org::x", NOW) is None


def test_the_provider_may_stand_in_the_models_name(project):
    write(project, ENTRY | {"provider": "azure", "model": "mine"})

    assert price_of_model("", "azure/mine", NOW, own=load_prices(project)).input == 2.0
    assert price_of_model("", "azure/gpt-4o", NOW).output == 10.0


def test_a_larger_request_may_cost_more_per_token():
    small, large = (price_at("anthropic", "claude-sonnet-4-5", NOW, input_tokens=n) for n in (1_000, 250_000))
    assert small.input < large.input


@pytest.mark.parametrize(("provider", "model"), [("openai", "no-such-model"), ("example.org", "gpt-4.1-mini")])
def test_what_nobody_knows_is_unknown_and_not_free(provider, model):
    assert price_at(provider, model, NOW) is None
    assert cost_usd(Tokens(1, 1), None) is None


def test_local_models_are_free_and_say_why():
    price = price_at("local", "local-extract-1", NOW)
    assert price == local_price("local-extract-1")
    assert (cost_usd(Tokens(10**6, 10**6), price), price.source) == (0.0, "runs on this machine")


def test_own_prices_win_and_hold_from_their_date(project):
    write(
        project,
        ENTRY | {"model": "gpt-4.1-mini"},
        ENTRY | {"model": "gpt-4.1-mini", "usd_per_mtok": 3, "valid_from": "2026-06-01"},
    )
    own = load_prices(project)
    at = [price_at("openai", "gpt-4.1-mini", datetime(2026, month, 1, tzinfo=UTC), own=own) for month in (2, 6, 7)]
    assert [price.input for price in at] == [2.0, 3.0, 3.0]
    assert price_at("openai", "gpt-4.1-mini", datetime(2025, 12, 31, tzinfo=UTC), own=own).source.startswith("genai")
    assert at[0].source == "data/prices: contract (read 2026-01-01)"


def test_a_missing_rate_makes_the_cost_unknown_only_where_it_is_needed(project):
    write(project, ENTRY)
    price = price_at("openai", "mine", NOW, own=load_prices(project))
    assert cost_usd(Tokens(1_000_000, 0), price) == 2.0
    assert cost_usd(Tokens(1_000_000, 1), price) is None


def test_an_own_price_may_end(project):
    write(project, ENTRY | {"valid_until": "2026-06-01"})
    assert price_at("openai", "mine", NOW, own=load_prices(project)) is None


@pytest.mark.parametrize(
    "change",
    [
        {"usd_per_mtok": float("nan")},
        {"usd_per_mtok": float("inf")},
        {"usd_per_mtok": -1},
        {"usd_per_mtok": "1,50"},
        {"usd_per_mtok": "1.5"},
        {"usd_per_mtok": True},
        {"usd_per_1k": 0.1},
        {"token_type": "inputs"},
        {"valid_from": "soon"},
        {"source": ""},
        {"currency": "EUR"},
    ],
)
def test_a_wrong_price_is_refused_by_name(project, change):
    path = write(project, ENTRY | change)
    with pytest.raises(ParamsError, match=next(iter(change))):
        read_prices(path)


@pytest.mark.parametrize(
    "text", ["models: {a: {input_per_mtok: 1}}", "prices: []", "prices: {a: 1}", "prices: 3", "prices:\n- x\n"]
)
def test_another_form_of_price_file_is_refused(project, text):
    path = write(project)
    path.write_text(text)
    with pytest.raises(ParamsError):
        read_prices(path)


@pytest.mark.parametrize("second", [{}, {"valid_from": "2026-03-01"}])
def test_two_prices_of_one_day_are_refused(project, second):
    write(project, ENTRY | {"valid_until": "2026-06-01"})
    write(project, ENTRY | second, name="second.yaml")
    with pytest.raises(ParamsError, match="openai/mine"):
        load_prices(project)


def test_cached_tokens_are_inside_the_input_and_reasoning_inside_the_output():
    price = Price("p", "m", "s", input=1.0, cached_input=0.1, cache_write=1.25, output=4.0)
    usage = Tokens(1_000_000, 500_000, cached=400_000, reasoning=300_000, cache_write=100_000)
    assert cost_usd(usage, price) == pytest.approx(0.5 + 0.04 + 0.125 + 2.0)


@given(first=tokens(), second=tokens(), rates=st.tuples(RATES, RATES, RATES, RATES))
def test_cost_is_additive_and_unknown_if_any_part_is(first, second, rates):
    price = Price("p", "m", "s", *rates)
    both = Tokens(
        first.input + second.input, first.output + second.output, first.cached + second.cached,
        cache_write=first.cache_write + second.cache_write,
    )  # fmt: skip
    parts = [cost_usd(first, price), cost_usd(second, price)]
    if None in parts:
        assert cost_usd(both, price) is None
    else:
        assert cost_usd(both, price) == pytest.approx(sum(parts), rel=1e-9, abs=1e-12)


@given(usage=tokens(), rates=st.tuples(*[st.floats(0, 1000)] * 4))
def test_cost_is_never_negative(usage, rates):
    assert cost_usd(usage, Price("p", "m", "s", *rates)) >= 0


KINDS = ("input", "output", "reasoning", "audio_input", "audio_output", "image_input", "batch_input", "training")


def test_every_kind_of_token_may_have_an_own_price(project):
    rates = {kind: float(number) for number, kind in enumerate(KINDS, start=1)}
    write(project, *(ENTRY | {"token_type": kind, "usd_per_mtok": rate} for kind, rate in rates.items()))
    price = price_at("openai", "mine", NOW, own=load_prices(project))
    assert {kind: getattr(price, kind) for kind in KINDS} == rates
    usage = Tokens(1_000_000, 1_000_000, reasoning=400_000, audio_input=200_000, audio_output=100_000)
    assert cost_usd(usage, price) == pytest.approx(0.8 * 1 + 0.2 * 4 + 0.5 * 2 + 0.4 * 3 + 0.1 * 5)


@pytest.mark.parametrize("tokens", [Tokens(10, 0, audio_input=1), Tokens(10, 5, image_output=1)])
def test_audio_and_images_are_never_sold_as_text(tokens):
    assert cost_usd(tokens, Price("p", "m", "s", input=1.0, output=2.0)) is None


def test_counts_that_overlap_are_unknown():
    assert cost_usd(Tokens(10, 0, cached=8, audio_input=5), Price("p", "m", "s", input=1.0, audio_input=9.0)) is None


def test_a_batch_costs_half_unless_the_model_has_a_batch_price():
    price = Price("p", "m", "s", input=2.0, cached_input=0.5, output=8.0, training=3.0)
    half = batched(price)
    assert (half.input, half.cached_input, half.output, half.training) == (1.0, 0.25, 4.0, 3.0)
    own = batched(replace(price, batch_input=1.5))
    assert (own.input, own.output, own.source) == (1.5, 4.0, "s; batch at its batch price")
    assert batched(None) is None


def test_an_own_price_of_a_family_covers_what_is_tuned_from_it_and_a_base_price_does_not(project):
    write(project, ENTRY | {"model": "ft:gpt-4.1-mini"}, ENTRY | {"model": "gpt-9"})
    own = load_prices(project)
    for name in ("ft:gpt-4.1-mini", "ft:gpt-4.1-mini:org::a", "ft:gpt-4.1-mini-2025-04-14:org:mine:b"):
        assert price_at("openai", name, NOW, own=own).input == 2.0
    assert price_at("openai", "ft:gpt-9:org::a", NOW, own=own) is None

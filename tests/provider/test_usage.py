"""Every provider's usage body ends in the same meaning."""

import json
from datetime import UTC, datetime
from decimal import Decimal

import pandas as pd
import pytest

from flows.core.errors import InputError
from flows.provider.outcomes import Tokens
from flows.provider.prices import OwnPrice
from flows.provider.usage import price_body, usage_from_body

NOW = datetime(2026, 11, 1, tzinfo=UTC)
OPENAI = {
    "model": "gpt-4.1-mini",
    "usage": {"prompt_tokens": 1000, "completion_tokens": 100, "prompt_tokens_details": {"cached_tokens": 600}},
}
ANTHROPIC = {
    "model": "claude-sonnet-4-5",
    "usage": {
        "input_tokens": 400,
        "cache_read_input_tokens": 600,
        "cache_creation_input_tokens": 50,
        "output_tokens": 100,
    },
}
LIBRARY_IS_NEWER = (348, "azure/responses")  # it learned to read the cache-write tokens of this form
PRICES_MOVED_MAX = 40  # pairs whose model got, lost or changed a price since, or whose web searches are billed


def test_cached_tokens_inside_and_beside_the_input_become_the_same():
    assert usage_from_body(OPENAI, "openai") == Tokens(1000, 100, cached=600)
    assert usage_from_body(ANTHROPIC, "anthropic") == Tokens(1050, 100, cached=600, cache_write=50)


def test_a_gateway_that_serves_several_forms_is_read_by_the_form_of_the_body():
    assert usage_from_body(ANTHROPIC, "azure") == usage_from_body(ANTHROPIC, "anthropic")
    assert usage_from_body(OPENAI, "azure") == usage_from_body(OPENAI, "openai")


def test_a_body_is_priced_at_its_moment():
    billed = price_body(OPENAI, "openai", "gpt-4.1-mini", NOW)
    assert billed.cost_usd == pytest.approx((400 * 0.4 + 600 * 0.1 + 100 * 1.6) / 1e6)
    assert billed.price_source.startswith("genai-prices")


def test_a_model_nobody_knows_is_unpriced():
    assert price_body(OPENAI, "openai", "no-such-model", NOW).cost_usd is None


@pytest.mark.parametrize(("body", "provider"), [({}, "openai"), ({"usage": {}}, "openai"), (OPENAI, "opneai")])
def test_a_body_without_usage_or_of_nobody_is_an_input_error(body, provider):
    with pytest.raises(InputError):
        usage_from_body(body, provider)


@pytest.mark.slow
@pytest.mark.shared_data
def test_real_bodies_are_read_and_priced_exactly_in_every_form(shared_data):
    rows = pd.read_parquet(shared_data / "22_usage_bodies" / "usage_bodies.parquet")
    keys = ("input_tokens", "output_tokens", "cache_read_tokens", "output_reasoning_tokens", "cache_write_tokens")
    wrong, moved, pairs = [], 0, 0
    for row in rows.itertuples():
        want, model = json.loads(row.expected_usage_json), row.model if isinstance(row.model, str) else "unnamed"
        for form, prices in json.loads(row.expected_prices_json).items():
            billed = price_body(json.loads(row.body_json), form, model, NOW)
            got = billed.tokens
            pairs += 1
            if [got.input, got.output, got.cached, got.reasoning, got.cache_write] != [want.get(k, 0) for k in keys]:
                wrong.append((row.i, form))
            expected = None if prices[0] is None else float(Decimal(prices[0]) + Decimal(prices[1]))
            moved += expected != (None if billed.cost_usd is None else pytest.approx(billed.cost_usd, rel=1e-9))

    assert pairs > 10_000
    assert wrong == [LIBRARY_IS_NEWER]
    assert moved <= PRICES_MOVED_MAX


def test_a_form_may_be_named_and_must_then_fit():
    assert usage_from_body(OPENAI, "azure/chat") == usage_from_body(OPENAI, "openai")
    with pytest.raises(InputError):
        usage_from_body(OPENAI, "azure/no-such-form")


@pytest.mark.parametrize("usage", [{"prompt_tokens": -5, "completion_tokens": 1}, {"prompt_tokens": 2**70}])
def test_impossible_counts_are_refused(usage):
    with pytest.raises(InputError):
        usage_from_body({"usage": {"prompt_tokens": 1, "completion_tokens": 1} | usage}, "openai")


def test_audio_in_a_body_is_priced_by_its_own_rate_or_not_at_all():
    details = {"prompt_tokens_details": {"audio_tokens": 400}, "completion_tokens_details": {"audio_tokens": 50}}
    body = {"model": "talker", "usage": {"prompt_tokens": 1000, "completion_tokens": 100} | details}
    assert usage_from_body(body, "openai") == Tokens(1000, 100, audio_input=400, audio_output=50)
    rates = {"input": 1.0, "output": 4.0, "audio_input": 10.0, "audio_output": 20.0}
    own = tuple(
        OwnPrice(provider="openai", model="talker", token_type=kind, usd_per_mtok=rate, valid_from="2026-01-01",
                 source="test", read_on="2026-01-01")
        for kind, rate in rates.items()
    )  # fmt: skip
    billed = price_body(body, "openai", "talker", NOW, own=own)
    assert billed.cost_usd == pytest.approx((600 * 1 + 400 * 10 + 50 * 4 + 50 * 20) / 1e6)
    assert price_body(body, "openai", "talker", NOW, own=own[:2]).cost_usd is None

"""Every provider's usage body ends in the same meaning."""

import json
from datetime import UTC, datetime

import pandas as pd
import pytest

from flows.core.errors import InputError
from flows.provider.outcomes import Tokens
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
# Their expectations were made by reading some bodies in a form these are not in (without cached tokens).
SEVERAL_FORMS = {"azure", "minimax", "x-ai"}


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
def test_real_bodies_are_read_exactly_for_the_provider_that_sent_them(shared_data):
    rows = pd.read_parquet(shared_data / "22_usage_bodies" / "usage_bodies.parquet")
    keys = ("input_tokens", "output_tokens", "cache_read_tokens", "output_reasoning_tokens", "cache_write_tokens")
    checked = set()
    for row in rows.itertuples():
        want = json.loads(row.expected_usage_json)
        senders = {key.split("/")[0] for key in json.loads(row.expected_prices_json)}
        for sender in senders - SEVERAL_FORMS:
            got = usage_from_body(json.loads(row.body_json), sender)
            assert [got.input, got.output, got.cached, got.reasoning, got.cache_write] == [want.get(k, 0) for k in keys]
            checked.add(row.i)
    assert len(checked) == len(rows)

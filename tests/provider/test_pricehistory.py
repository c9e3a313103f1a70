"""A history of price changes prices the calls of its time, and says which ones it does not explain."""

from collections import Counter
from datetime import UTC, datetime

import pandas as pd
import pytest

from flows.core.errors import ContractError
from flows.provider.outcomes import Tokens
from flows.provider.pricehistory import from_changes
from flows.provider.prices import cost_usd, price_of_model

NONE = float("nan")


def change(day, model, event="added", *, fed=2.0, cached=NONE, made=8.0, provider=None):
    return {
        "snapshot_date": pd.Timestamp(day), "event": event, "model": model, "provider": provider,
        "input_cost_per_mtok": fed, "cache_read_input_cost_per_mtok": cached,
        "cache_creation_input_cost_per_mtok": NONE, "output_cost_per_mtok": made,
    }  # fmt: skip


def at(day, model, own):
    price = price_of_model("", model, datetime.fromisoformat(day).replace(tzinfo=UTC), own=own)
    return None if price is None else (price.input, price.output)


def test_a_price_holds_from_the_day_it_was_read_until_the_next_one():
    rows = [change("2024-06-01", "acme/one"), change("2024-09-01", "acme/one", "changed", fed=1.0)]
    own = tuple(from_changes(pd.DataFrame(rows), source="a table"))

    days = ("2024-05-31", "2024-06-01", "2024-08-31", "2024-09-01", "2026-01-01")
    assert [at(day, "acme/one", own) for day in days] == [None, (2.0, 8.0), (2.0, 8.0), (1.0, 8.0), (1.0, 8.0)]


def test_a_removed_model_has_no_price_any_more():
    rows = [change("2024-06-01", "acme/one"), change("2024-09-01", "acme/one", "removed")]

    assert at("2024-09-01", "acme/one", tuple(from_changes(pd.DataFrame(rows), source="a table"))) is None


def test_a_model_that_names_nobody_belongs_to_whoever_makes_models_of_that_name():
    rows = [change("2024-06-01", "gpt-4o-mini"), change("2024-06-01", "deepseek/deepseek-chat", provider="deepseek")]
    found = {(price.provider, price.model) for price in from_changes(pd.DataFrame(rows), source="a table")}

    assert found == {("openai", "gpt-4o-mini"), ("deepseek", "deepseek-chat")}


def test_a_table_of_another_form_is_refused():
    with pytest.raises(ContractError, match="input_cost_per_mtok"):
        from_changes(pd.DataFrame({"model": ["a"]}), source="a table")


def explain(call, price):
    """Why a logged cost differs from tokens x price: what cached tokens can explain, and what they cannot."""
    fed, made = price.input * call.prompt_tokens / 1e6, price.output * call.completion_tokens / 1e6
    if "genai-prices" in price.source:
        return "no price of its day in the history: today's price of the library"
    if 0.1 * fed + made <= call.cost_usd * 1.01 and call.cost_usd <= (1.25 * fed + made) * 1.01:
        return "cache reads or writes, which that log does not count"
    return "unexplained"


@pytest.mark.slow
@pytest.mark.shared_data
def test_real_calls_cost_what_the_history_says(shared_data):
    calls = pd.read_parquet(shared_data / "20_usage_logs" / "aider_calls_until_2025-02.parquet")
    history = pd.read_parquet(shared_data / "21_price_history" / "tokencost_changes_until_2025-02.parquet")
    own = tuple(from_changes(history, source="a public price table"))
    priced, reasons = 0, Counter()
    for call in calls[calls["model"].notna()].itertuples():
        price = price_of_model("", call.model, call.ts.tz_localize("UTC").to_pydatetime(), own=own)
        cost = cost_usd(Tokens(call.prompt_tokens, call.completion_tokens), price)
        if cost is None:
            continue
        priced += 1
        if cost != pytest.approx(call.cost_usd, rel=0.01, abs=1e-9):
            reasons[explain(call, price)] += 1

    assert priced > 2_400
    assert sum(reasons.values()) <= 0.03 * priced
    assert reasons["unexplained"] == 0


def test_batch_and_audio_prices_are_taken_where_the_history_has_them():
    row = {"snapshot_date": pd.Timestamp("2026-01-01"), "model": "openai/m", "input_cost_per_mtok": 1.0}
    row |= {"output_cost_per_mtok": 4.0, "input_cost_per_mtok_batches": 0.4, "input_cost_per_mtok_audio": 9.0}
    found = {price.token_type: price.usd_per_mtok for price in from_changes(pd.DataFrame([row]), source="test")}
    assert found == {"input": 1.0, "output": 4.0, "batch_input": 0.4, "audio_input": 9.0}


def test_a_price_in_another_currency_is_refused_and_not_converted():
    row = {"snapshot_date": pd.Timestamp("2026-01-01"), "model": "m", "input_cost_per_mtok": 1.0, "currency": "EUR"}
    with pytest.raises(ContractError, match="EUR"):
        from_changes(pd.DataFrame([row | {"output_cost_per_mtok": 4.0}]), source="test")

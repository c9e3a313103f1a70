"""What a token costs: own prices in `data/prices/*.yaml` first, then the offline library genai-prices.

Unknown stays unknown (None), never 0. A price is USD per million tokens and holds from its date on.
"""

from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any

from flows.provider.ownprices import OwnPrice, OwnPrices, load_prices, own_price, read_prices
from flows.provider.rates import BATCH_SHARE, MTOK, Price, batched, cost_usd

__all__ = [
    "BATCH_SHARE",
    "MTOK",
    "OwnPrice",
    "OwnPrices",
    "Price",
    "batched",
    "cost_usd",
    "load_prices",
    "own_price",
    "price_at",
    "price_of_model",
    "read_prices",
]

MAKERS = ("openai", "anthropic", "google", "mistral", "cohere", "deepseek", "x-ai", "voyageai")  # not resellers
LOCAL_SOURCE = "runs on this machine"
_LIBRARY = {
    "input": "input_mtok", "cached_input": "cache_read_mtok", "cache_write": "cache_write_mtok",
    "output": "output_mtok", "reasoning": "output_reasoning_mtok", "audio_input": "input_audio_mtok",
    "audio_output": "output_audio_mtok", "image_input": "input_image_mtok", "image_output": "output_image_mtok",
}  # fmt: skip


def local_price(model: str) -> Price:
    """Return the price of a model that runs in this project: an explicit 0."""
    return Price("local", model, LOCAL_SOURCE, 0.0, 0.0, 0.0, 0.0)


def price_at(
    provider: str,
    model: str,
    when: datetime,
    *,
    own: OwnPrices = (),
    input_tokens: int = 0,
    base_url: str | None = None,
) -> Price | None:
    """Return what a model costs at a moment, or None when nobody knows.

    Args:
        provider: Provider id, such as `openai`; `local` is free by definition.
        model: The model that bills.
        when: The moment of the request.
        own: The project's own prices, which win.
        input_tokens: Size of the request; some models cost more beyond a limit.
        base_url: Where the provider is; helps the library to recognise it.
    """
    if provider == "local":
        return local_price(model)
    return own_price(provider, model, when, own) or _library_price(provider, model, when, input_tokens, base_url)


def price_of_model(
    provider: str, model: str, when: datetime, *, own: OwnPrices = (), input_tokens: int = 0
) -> Price | None:
    """Return what a model costs; a `provider` that is empty, or inside the model's name (`azure/gpt-4o`), is found."""
    name, _, rest = model.partition("/")
    guesses = [(provider, model)] if provider else [(maker_of(model), model)]
    guesses += [(name, rest)] if rest else []
    known = [(who, what) for who, what in guesses if who]
    found = [own_price(who, what, when, own) for who, what in known]
    found += [price_at(who, what, when, input_tokens=input_tokens) for who, what in known]
    return next((price for price in found if price), None)


@lru_cache(maxsize=4096)
def maker_of(model: str) -> str:
    """Return the provider whose models are named so, or who sells one of exactly this name, or an empty text."""
    from genai_prices.data_snapshot import get_snapshot

    snapshot, name = get_snapshot(), model.lower()
    name = name.split(":")[1] if name.startswith("ft:") else name  # tuned models are served by who made their base
    try:
        return str(snapshot.find_provider(name, None, None).id)
    except LookupError:
        sellers = {provider.id for provider in snapshot.providers if provider.find_model(name)}
        return next((maker for maker in MAKERS if maker in sellers), "")


@lru_cache(maxsize=512)
def library_model(provider: str, model: str, base_url: str | None) -> Any:
    """Return what genai-prices knows about a model, or None."""
    from genai_prices.data_snapshot import get_snapshot

    snapshot = get_snapshot()
    for provider_id, url in ((provider, None), (None, base_url)):
        if provider_id is None and url is None:
            continue
        try:
            return snapshot.find_provider_model(model, None, provider_id, url)[1]
        except LookupError:
            continue
    return None


def _library_price(provider: str, model: str, when: datetime, size: int, base_url: str | None) -> Price | None:
    from importlib.metadata import version

    info = library_model(provider, model, base_url)
    if info is None:
        return None
    prices = info.get_prices(when)
    rates = {name: _rate(getattr(prices, key), size) for name, key in _LIBRARY.items()}
    if rates["input"] is None and rates["output"] is None:
        return None
    return Price(provider, model, f"genai-prices {version('genai-prices')}", **rates)


def _rate(value: Any, size: int) -> float | None:
    if value is None or isinstance(value, Decimal | int | float):
        return None if value is None else float(value)
    reached = [tier.price for tier in value.tiers if size > tier.start]
    return float(reached[-1] if reached else value.base)

"""What a token costs: own prices in `data/prices/*.yaml` first, then the offline library genai-prices.

Unknown stays unknown (None), never 0. A price is USD per million tokens and holds from its date on.
An own price file is a list of entries under `prices`:

    prices:
      - {provider: openai, model: my-tuned-model, token_type: input, usd_per_mtok: 0.8,
         valid_from: 2026-01-01, source: contract of 2025-12-20, read_on: 2026-01-02}
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from flows.core.errors import ParamsError
from flows.core.params import read_yaml
from flows.core.project import Project
from flows.provider.outcomes import Tokens

TokenType = Literal["input", "cached_input", "cache_write", "output"]
MTOK = 1_000_000
MAKERS = ("openai", "anthropic", "google", "mistral", "cohere", "deepseek", "x-ai", "voyageai")  # not resellers
BATCH_SHARE = 0.5  # of the price; what every provider with a batch interface charges
LOCAL_SOURCE = "runs on this machine"


@dataclass(frozen=True)
class Price:
    """Prices of one model at one time, in USD per million tokens; None = not published."""

    provider: str
    model: str
    source: str
    input: float | None = None
    cached_input: float | None = None
    cache_write: float | None = None
    output: float | None = None


class OwnPrice(BaseModel):
    """One entry of an own price file."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, protected_namespaces=())

    provider: str = Field(min_length=1)
    model: str = Field(min_length=1)
    token_type: TokenType
    usd_per_mtok: float = Field(ge=0, le=100_000, strict=True)
    currency: Literal["USD"] = "USD"  # another one must be converted, with the rate's date in `source`
    valid_from: date
    valid_until: date | None = None  # exclusive; None = until the next entry
    source: str = Field(min_length=3)
    read_on: date

    @field_validator("usd_per_mtok", mode="before")
    @classmethod
    def _number(cls, value: Any) -> Any:
        return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


OwnPrices = tuple[OwnPrice, ...]


def load_prices(project: Project) -> OwnPrices:
    """Read every own price file of the project.

    Raises:
        ParamsError: Names each wrong key and value, and entries whose periods overlap.
    """
    entries: list[OwnPrice] = []
    for path in sorted(project.data("prices").glob("*.yaml")):
        entries += read_prices(path)
    _check_overlap(entries)
    return tuple(entries)


def read_prices(path: Path) -> list[OwnPrice]:
    """Read one own price file; see the module's head for its form."""
    values = read_yaml(path)
    rows = values.get("prices")
    if set(values) != {"prices"} or not isinstance(rows, list) or not rows:
        raise ParamsError(
            f"{path.name!r} must hold one list called 'prices' and has {sorted(map(str, values))}. "
            "Each entry needs provider, model, token_type, usd_per_mtok, valid_from, source and read_on."
        )
    try:
        return [OwnPrice.model_validate(row) for row in rows]
    except ValidationError as error:
        lines = [f"{'.'.join(map(str, item['loc']))} = {item['input']!r}: {item['msg']}" for item in error.errors()]
        raise ParamsError(
            f"{path.name!r} has {len(lines)} wrong value(s):\n  " + "\n  ".join(lines)
            + "\nPrices are numbers in USD per million tokens (usd_per_mtok)."
        ) from None  # fmt: skip


def _check_overlap(entries: list[OwnPrice]) -> None:
    ordered = sorted(entries, key=lambda e: (e.provider, e.model, e.token_type, e.valid_from))
    for first, second in pairwise(ordered):
        same = (first.provider, first.model, first.token_type) == (second.provider, second.model, second.token_type)
        overlap = first.valid_from == second.valid_from or (first.valid_until or date.min) > second.valid_from
        if same and overlap:
            raise ParamsError(
                f"two prices of {first.provider}/{first.model} ({first.token_type}) hold on {second.valid_from}. "
                "Give one of them another valid_from or valid_until in data/prices."
            )


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

    snapshot = get_snapshot()
    try:
        return str(snapshot.find_provider(model.lower(), None, None).id)
    except LookupError:
        sellers = {provider.id for provider in snapshot.providers if provider.find_model(model.lower())}
        return next((name for name in MAKERS if name in sellers), "")


def own_price(provider: str, model: str, when: datetime, own: OwnPrices) -> Price | None:
    """Return the project's own price at a moment, or None."""
    day = when.astimezone(UTC).date()
    active = [
        entry
        for entry in own
        if entry.provider == provider
        and entry.model == model
        and entry.valid_from <= day
        and (entry.valid_until is None or day < entry.valid_until)
    ]
    if not active:
        return None
    latest = {entry.token_type: entry for entry in sorted(active, key=lambda entry: entry.valid_from)}
    rates: dict[str, float] = {kind: entry.usd_per_mtok for kind, entry in latest.items()}
    source = "; ".join(dict.fromkeys(f"{entry.source} (read {entry.read_on})" for entry in latest.values()))
    return Price(provider, model, f"data/prices: {source}", **rates)


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
    keys = {"input": "input_mtok", "cached_input": "cache_read_mtok", "cache_write": "cache_write_mtok"}
    rates = {name: _rate(getattr(prices, key), size) for name, key in (keys | {"output": "output_mtok"}).items()}
    if rates["input"] is None and rates["output"] is None:
        return None
    return Price(provider, model, f"genai-prices {version('genai-prices')}", **rates)


def _rate(value: Any, size: int) -> float | None:
    if value is None or isinstance(value, Decimal | int | float):
        return None if value is None else float(value)
    reached = [tier.price for tier in value.tiers if size > tier.start]
    return float(reached[-1] if reached else value.base)


def cost_usd(tokens: Tokens, price: Price | None) -> float | None:
    """Return what the tokens cost, or None when a rate that is needed is unknown.

    Cached and cache-write tokens are inside `tokens.input` and are taken out of it; a model without a
    cached rate bills them as input. Reasoning tokens are inside `tokens.output`.
    """
    if price is None:
        return None
    plain = tokens.input - tokens.cached - tokens.cache_write
    parts = [
        (price.input, plain),
        (price.cached_input if price.cached_input is not None else price.input, tokens.cached),
        (price.cache_write if price.cache_write is not None else price.input, tokens.cache_write),
        (price.output, tokens.output),
    ]
    if any(rate is None and count for rate, count in parts):
        return None
    exact = sum((Decimal(repr(float(rate or 0.0))) * count for rate, count in parts), Decimal(0))
    return float(exact / MTOK)

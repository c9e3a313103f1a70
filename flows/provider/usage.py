"""Read billed tokens out of any provider's response body, and price them.

Providers disagree: Anthropic counts cached tokens beside the input, OpenAI inside it; some put reasoning
inside the output and some beside it. genai-prices knows each provider's forms; here all of them become
one meaning (`outcomes.Tokens`: cached inside input, reasoning inside output).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flows.core.errors import InputError, did_you_mean
from flows.provider.outcomes import Tokens
from flows.provider.prices import (
    BATCH_SHARE,
    OwnPrices,
    batched,
    cost_usd,
    library_model,
    own_price,
    price_at,
)

_COUNTS = {
    "input": "input_tokens", "output": "output_tokens", "cached": "cache_read_tokens",
    "reasoning": "output_reasoning_tokens", "cache_write": "cache_write_tokens", "audio_input": "input_audio_tokens",
    "audio_output": "output_audio_tokens", "image_input": "input_image_tokens", "image_output": "output_image_tokens",
}  # fmt: skip
COUNT_MAX = 2**53  # no body bills more tokens than a float can count


@dataclass(frozen=True)
class BilledBody:
    """What one response body was billed for; `cost_usd` is None when the model is unpriced."""

    tokens: Tokens
    cost_usd: float | None
    price_source: str | None


def usage_from_body(body: Mapping[str, Any], provider: str) -> Tokens:
    """Return the billed tokens of a response body.

    Args:
        body: The decoded JSON of the response.
        provider: Whose form it has: `openai`, `anthropic`, `google`, `aws`, …. A gateway that serves several forms
            may name one: `azure/anthropic`. Without a name the form that explains most of the body is taken.

    Raises:
        InputError: The provider's forms are not known, the body has none of them, or a count is impossible.
    """
    return _tokens(_extract(body, provider))


def price_body(
    body: Mapping[str, Any], provider: str, model: str, when: datetime, *, own: OwnPrices = (), batch: bool = False
) -> BilledBody:
    """Return what a response body was billed for and what that cost at a moment.

    The project's own prices win; the library also prices web searches, which have no own prices.
    """
    usage = _extract(body, provider)
    tokens = _tokens(usage)
    provider = provider.partition("/")[0]
    price = price_at(provider, model, when, own=own, input_tokens=tokens.input)
    if price is None:
        return BilledBody(tokens, None, None)
    charged = batched(price) if batch else price
    source = charged.source if charged else None
    if provider == "local" or own_price(provider, model, when, own) is not None:
        return BilledBody(tokens, cost_usd(tokens, charged), source)
    total = float(library_model(provider, model, None).get_prices(when).calc_price(usage)["total_price"])
    return BilledBody(tokens, total * BATCH_SHARE if batch else total, source)


def _extract(body: Mapping[str, Any], provider: str) -> Any:
    from genai_prices.data_snapshot import find_provider_by_id, get_snapshot

    providers = get_snapshot().providers
    name, _, form_name = provider.partition("/")
    found = find_provider_by_id(providers, "openai" if name == "local" else name)
    extractors = [item for item in (found.extractors or []) if form_name in ("", item.api_flavor)] if found else []
    if not extractors:
        known = [item.id for item in providers if item.extractors]
        raise InputError(
            f"the form of usage of provider {provider!r} is not known.{did_you_mean(provider, known)} "
            "Name one of: " + ", ".join(sorted(known)) + "."
        )
    usages = [(form.root, usage) for form in extractors if (usage := _read(form, body)) is not None]
    if usages:
        first = usages[0][0]  # where several forms fit one place of the body, the right one explains most of it
        return max((usage for root, usage in usages if root == first), key=_explained)
    forms = ", ".join(extractor.api_flavor for extractor in extractors)
    raise InputError(f"the body holds no usage in a form of {provider!r} ({forms}). Pass the whole response body.")


def _read(extractor: Any, body: Mapping[str, Any]) -> Any:
    try:
        return extractor.extract(body)[1]
    except ValueError:
        return None


def _explained(usage: Any) -> int:
    return len(vars(usage))


def _tokens(usage: Any) -> Tokens:
    counts = {name: usage.reported_value(key) for name, key in _COUNTS.items()}
    if not all(count == int(count) and 0 <= count <= COUNT_MAX for count in counts.values()):
        raise InputError(f"the body counts impossible tokens: {counts}. Check its origin.")
    return Tokens(**{name: int(count) for name, count in counts.items()})

"""What one kind of token costs, and what tokens cost together.

A price is USD per million tokens; a rate that nobody published is None and makes a cost unknown where it is needed,
never 0. Embeddings are input. Audio and image tokens have rates of their own and are never sold as text.
"""

from dataclasses import dataclass, fields, replace
from decimal import Decimal
from typing import Literal

from flows.provider.outcomes import Tokens

TokenType = Literal[
    "input", "cached_input", "cache_write", "output", "reasoning", "audio_input", "audio_output", "image_input",
    "image_output", "batch_input", "batch_cached_input", "batch_output", "training",
]  # fmt: skip
MTOK = 1_000_000
BATCH_SHARE = 0.5  # of the price, where no batch rate is given; what every provider with a batch interface charges


@dataclass(frozen=True)
class Price:
    """Prices of one model at one time, in USD per million tokens; None = not published."""

    provider: str
    model: str
    source: str
    input: float | None = None
    cached_input: float | None = None  # None = billed as input
    cache_write: float | None = None  # None = billed as input
    output: float | None = None
    reasoning: float | None = None  # None = billed as output
    audio_input: float | None = None
    audio_output: float | None = None
    image_input: float | None = None
    image_output: float | None = None
    batch_input: float | None = None  # None = half, as for the next two
    batch_cached_input: float | None = None
    batch_output: float | None = None
    training: float | None = None


def batched(price: Price | None) -> Price | None:
    """Return what the same tokens cost in a batch: the model's own batch rates, else half of every rate."""
    if price is None:
        return None
    named = {item.name: getattr(price, item.name) for item in fields(price)}
    half = {name: rate * BATCH_SHARE for name, rate in named.items() if isinstance(rate, float) and name != "training"}
    own = {name.removeprefix("batch_"): rate for name, rate in named.items() if name.startswith("batch_") and rate}
    said = "at its batch price" if own else f"at {BATCH_SHARE:.0%}"
    return replace(price, source=f"{price.source}; batch {said}", **half | own)


def cost_usd(tokens: Tokens, price: Price | None) -> float | None:
    """Return what the tokens cost, or None when a rate that is needed is unknown.

    Cached, cache-write, audio and image tokens are inside `tokens.input` and are taken out of it, reasoning, audio and
    image tokens out of `tokens.output`. Counts that overlap (cached audio) cannot be told apart: unknown.
    """
    if price is None:
        return None
    plain = tokens.input - tokens.cached - tokens.cache_write - tokens.audio_input - tokens.image_input
    thought = 0 if price.reasoning is None else tokens.reasoning
    said = tokens.output - thought - tokens.audio_output - tokens.image_output
    parts = [
        (price.input, plain),
        (price.cached_input if price.cached_input is not None else price.input, tokens.cached),
        (price.cache_write if price.cache_write is not None else price.input, tokens.cache_write),
        (price.output, said),
        (price.reasoning, thought),
        (price.audio_input, tokens.audio_input),
        (price.audio_output, tokens.audio_output),
        (price.image_input, tokens.image_input),
        (price.image_output, tokens.image_output),
    ]
    if min(plain, said) < 0 or any(rate is None and count for rate, count in parts):
        return None
    exact = sum((Decimal(repr(float(rate or 0.0))) * count for rate, count in parts), Decimal(0))
    return float(exact / MTOK)

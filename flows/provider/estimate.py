"""What a stage would ask and what that would cost, said before it is spent; estimates of stages add up."""

from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Any


@dataclass(frozen=True)
class Span:
    """A number that is not known yet: what it will be at least, probably and at most."""

    low: float = 0.0
    expected: float = 0.0
    high: float = 0.0

    def __add__(self, other: "Span") -> "Span":
        return Span(self.low + other.low, self.expected + other.expected, self.high + other.high)


@dataclass(frozen=True)
class Estimate:
    """What a stage would ask; estimates of several stages add up.

    Attributes:
        calls: Requests.
        cached: Rows that the cache answers, which cost nothing.
        input_tokens: Read by the models.
        output_tokens: Written by them.
        usd: What the provider will bill; None = some model has no known price.
        work: Whether the stage would do anything at all.
        known: False = something it depends on does not exist yet, and no bound can be given.
        notes: What the numbers rest on.
    """

    calls: Span = Span()
    cached: int = 0
    input_tokens: Span = Span()
    output_tokens: Span = Span()
    usd: Span | None = Span()
    work: bool = True
    known: bool = True
    notes: tuple[str, ...] = ()

    def __add__(self, other: "Estimate") -> "Estimate":
        usd = None if self.usd is None or other.usd is None else self.usd + other.usd
        return Estimate(
            self.calls + other.calls, self.cached + other.cached, self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens, usd, self.work or other.work, self.known and other.known,
            tuple(dict.fromkeys(self.notes + other.notes)),
        )  # fmt: skip


IDLE = Estimate(work=False)


def added(estimates: Iterable[Estimate]) -> Estimate:
    """Return the sum; nothing to do where there is nothing to add."""
    return sum(estimates, IDLE)


def plain(found: Estimate) -> dict[str, Any]:
    """Return an estimate as JSON holds it; counts are whole, money is rounded to a millionth of a dollar."""
    values: dict[str, Any] = {item.name: getattr(found, item.name) for item in fields(found)}
    for name, value in values.items():
        if isinstance(value, Span):
            digits = 6 if name == "usd" else None
            values[name] = {part.name: round(getattr(value, part.name), digits) for part in fields(value)}
    return values | {"notes": list(found.notes)}


def sentence(found: Estimate) -> str:
    """Say an estimate in one line."""
    if not found.known and not found.calls.high:
        return "unknown"
    if not found.calls.high:
        cached = f", {found.cached:,} row(s) from the cache" if found.cached else ""
        return f"0 calls, $0{cached}"
    usd = "unpriced" if found.usd is None else _money(found.usd)
    parts = [f"{_count(found.calls)} calls", f"{_count(found.input_tokens)} tokens in"]
    parts += [f"{_count(found.output_tokens)} out"] if found.output_tokens.high else []
    parts += [f"{found.cached:,} row(s) from the cache"] if found.cached else []
    return f"{usd}, {', '.join(parts)}" + ("" if found.known else ", and what is unknown")


def _count(span: Span) -> str:
    middle = f"{span.expected:,.0f}"
    return middle if span.low == span.expected == span.high else f"{middle} ({span.low:,.0f} to {span.high:,.0f})"


def _money(span: Span) -> str:
    return "$0" if not span.high else f"${span.expected:,.4f} (${span.low:,.4f} to ${span.high:,.4f})"

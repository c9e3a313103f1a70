"""The quality, cost and latency front: which options are not beaten in everything by another one?

An option is beaten when another is at least as good in all three and better in one (Pareto). Which
of the others to take is a business decision. An option with an unknown quality, cost or latency is
not placed: unknown is not zero.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Place = Literal["front", "beaten", "unknown"]


@dataclass(frozen=True)
class Option:
    """One thing to choose; None = unknown."""

    quality: float | None
    cost_usd: float | None
    latency_ms: float | None


def places(options: Sequence[Option]) -> list[Place]:
    """Return for every option whether it is on the front, beaten by another, or unknown."""
    points = [_point(option) for option in options]
    known = [point for point in points if point is not None]
    return [
        "unknown" if point is None else "beaten" if any(_beats(other, point) for other in known) else "front"
        for point in points
    ]


def _point(option: Option) -> tuple[float, float, float] | None:
    """Return the option with more being better in every place."""
    if option.quality is None or option.cost_usd is None or option.latency_ms is None:
        return None
    return option.quality, -option.cost_usd, -option.latency_ms


def _beats(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    return one != other and all(ours >= theirs for ours, theirs in zip(one, other, strict=True))

"""The project's own prices, `data/prices/*.yaml`: dated, with their source, in US dollars; they win over any library.

    prices:
      - {provider: openai, model: my-tuned-model, token_type: input, usd_per_mtok: 0.8,
         valid_from: 2026-01-01, source: contract of 2025-12-20, read_on: 2026-01-02}

An entry for `ft:gpt-4.1-mini` covers every model tuned from it; a base's price never covers a tuned model.
"""

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from flows.core.errors import ParamsError
from flows.core.params import read_yaml
from flows.core.project import Project
from flows.provider.rates import Price, TokenType


class OwnPrice(BaseModel):
    """One entry of an own price file."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, protected_namespaces=())

    provider: str = Field(min_length=1)
    model: str = Field(min_length=1)
    token_type: TokenType
    usd_per_mtok: float = Field(ge=0, le=100_000, strict=True)
    currency: Literal["USD"] = "USD"  # another one is refused: who converts it says at which rate, in `source`
    valid_from: date
    valid_until: date | None = None  # exclusive; None = until the next entry
    source: str = Field(min_length=3)
    read_on: date

    @field_validator("usd_per_mtok", mode="before")
    @classmethod
    def _number(cls, value: Any) -> Any:
        return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


OwnPrices = tuple[OwnPrice, ...]
_DATED = re.compile(r"-\d{4}-\d{2}-\d{2}$")


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


def own_price(provider: str, model: str, when: datetime, own: OwnPrices) -> Price | None:
    """Return the project's own price at a moment, or None."""
    return next((found for name in _names(model) if (found := _named(provider, name, when, own))), None)


def _names(model: str) -> Iterator[str]:
    """Yield a model's name, and for a tuned one those of its family: `ft:gpt-4.1-mini-2025-04-14:org::id`."""
    yield model
    if model.startswith("ft:"):
        base = model.split(":")[1]
        yield f"ft:{base}"
        yield f"ft:{_DATED.sub('', base)}"


def _named(provider: str, model: str, when: datetime, own: OwnPrices) -> Price | None:
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

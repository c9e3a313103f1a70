"""Turn a log of price changes into an own price file: each price holds from the day it was first read.

The log is a table of snapshots, one row per model whose price was added, changed or removed (the form in which
public price tables keep their history). A price seen on a day is known to hold from that day on, not before;
a removed model has no price from then on. Who serves a model that names nobody is asked of the price library.
"""

from collections.abc import Iterator, Mapping
from datetime import date
from typing import TYPE_CHECKING, Any

from flows.core.errors import ContractError
from flows.provider.prices import OwnPrice, maker_of

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = {
    "input": "input_cost_per_mtok",
    "cached_input": "cache_read_input_cost_per_mtok",
    "cache_write": "cache_creation_input_cost_per_mtok",
    "output": "output_cost_per_mtok",
    "batch_input": "input_cost_per_mtok_batches",
    "batch_output": "output_cost_per_mtok_batches",
    "reasoning": "output_cost_per_mtok_reasoning",
    "audio_input": "input_cost_per_mtok_audio",
    "audio_output": "output_cost_per_mtok_audio",
    "training": "training_cost_per_mtok",
}
NEEDED = ("snapshot_date", "model", "input_cost_per_mtok", "output_cost_per_mtok")


def from_changes(table: "pd.DataFrame", *, source: str) -> list[OwnPrice]:
    """Return the own prices a log of changes amounts to, by provider, model, token type and day.

    Args:
        table: Columns snapshot_date, model, those of `COLUMNS` (USD per million tokens; only input and output must
            be there), and if known provider, event (`added`, `changed`, `removed`) and currency.
        source: Where the log comes from; every price names it.

    Raises:
        ContractError: A column is missing, or some price is not in US dollars.
    """
    missing = [name for name in NEEDED if name not in table.columns]
    if missing:
        raise ContractError(f"the price history lacks column(s) {missing}. Its columns are {', '.join(NEEDED)}.")
    _refuse_other_currencies(table)
    columns = {kind: column for kind, column in COLUMNS.items() if column in table.columns}
    found: dict[tuple[str, str, str], dict[date, float | None]] = {}
    for row in table.sort_values("snapshot_date", kind="stable").to_dict("records"):
        provider, model = _names(row)
        for kind, column in columns.items():
            rate = row[column]
            price = None if row.get("event") == "removed" or rate is None or rate != rate else float(rate)
            found.setdefault((provider, model, kind), {})[row["snapshot_date"].date()] = price
    return [price for key, days in sorted(found.items()) for price in _holding(key, days, source)]


def _refuse_other_currencies(table: "pd.DataFrame") -> None:
    if "currency" not in table.columns:
        return
    other = sorted({str(name) for name in table["currency"].dropna() if str(name).upper() != "USD"})
    if other:
        raise ContractError(
            f"the price history holds prices in {', '.join(other[:3])}. Nothing is converted silently: give prices in "
            "USD, and say in --source at which rate of which day they were converted."
        )


def _names(row: Mapping[Any, Any]) -> tuple[str, str]:
    """Return provider and model, whose name may repeat the provider: `deepseek/deepseek-chat`."""
    model, provider = str(row["model"]), row.get("provider")
    head, _, rest = model.partition("/")
    if not isinstance(provider, str):
        provider = head if rest else maker_of(model) or "unknown"
    return provider, rest if rest and head == provider else model


def _holding(key: tuple[str, str, str], days: Mapping[date, float | None], source: str) -> Iterator[OwnPrice]:
    provider, model, kind = key
    ordered = sorted(days.items())
    for (day, price), following in zip(ordered, [*(day for day, _ in ordered[1:]), None], strict=True):
        if price is not None:
            yield OwnPrice(
                provider=provider, model=model, token_type=kind, usd_per_mtok=price, valid_from=day,
                valid_until=following, source=source, read_on=day,
            )  # fmt: skip

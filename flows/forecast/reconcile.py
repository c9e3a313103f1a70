"""Hold the calls log against a provider's bill, to the cent, and say where and why they differ.

A bill is a table with an amount and any of day (or month), model, provider; those columns are the key on which both
sides are summed in decimal. Both are rounded only in the end, half a cent away from zero, as invoices are.
"""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flows.core.errors import ContractError, InputError
from flows.forecast.callfiles import form_of, lines
from flows.forecast.callrow import BILL
from flows.forecast.spending import NOBODY, exact

if TYPE_CHECKING:
    import pandas as pd

CENT = Decimal("0.01")
TIMES = {"day": 10, "month": 7}  # so many characters of an ISO date
NAMES = {
    "day": ("day", "date", "ds", "ChargePeriodStart", "start_time_iso", "usage_date"),
    "month": ("month", "billing_month"),
    "model": ("model", "line_item", "SkuId", "ResourceName"),
    "provider": ("provider", "ProviderName"),
    "amount": ("cost_usd", "amount_usd", "amount", "amount_value", "cost", "usd", "BilledCost"),
    "currency": ("currency", "amount_currency", "BillingCurrency"),
}
Key = tuple[str, ...]


@dataclass(frozen=True)
class Bill:
    """Amounts by key; `keys` names the key's parts. Rows of another currency are counted, not summed."""

    keys: tuple[str, ...]
    amounts: Mapping[Key, Decimal]
    other_currency_rows: int = 0


def read_bill(path: Path) -> Bill:
    """Read a bill: a CSV file, or the JSON of OpenAI's or Anthropic's cost endpoint.

    Raises:
        InputError: The file cannot be read or holds no row.
        ContractError: It has no amount in USD, or some amount is no number or some day no date; names the lines.
    """
    rows, header = _exported(path) if path.suffix.lower() in (".json", ".jsonl") else _csv(path)
    columns = {part: next((name for name in names if name in header), None) for part, names in NAMES.items()}
    if columns["amount"] is None:
        raise ContractError(f"{path.name!r} names no amount. Its header needs one of {', '.join(NAMES['amount'])}.")
    if not rows:
        raise InputError(f"{path.name!r} holds no row. Export the bill again.")
    when = "day" if columns["day"] else "month"
    keys = tuple(part for part in (when, "provider", "model") if columns[part])
    return _sum(path, rows, columns, keys)


def _csv(path: Path) -> tuple[list[dict[str, str]], list[str]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.DictReader(stream)
            return list(reader), list(reader.fieldnames or [])
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path.name!r} cannot be read ({type(error).__name__}). Give a CSV file in UTF-8.") from None


def _exported(path: Path) -> tuple[list[dict[str, str]], list[str]]:
    """Return the lines of a cost export as rows of a bill."""
    rows: list[dict[str, str]] = []
    for item in lines(path):
        record = item.value
        if not isinstance(record, Mapping) or not isinstance(record.get("data"), list):
            raise ContractError(f"{path.name!r} is no cost export: record {item.number} has no list called 'data'.")
        for fields, _ in form_of("auto", record, None)(record):
            if fields.get("step") != BILL:
                raise ContractError(f"{path.name!r} is a usage export. Give the JSON of the cost endpoint.")
            named = {"day": str(fields["time"])[:10], "provider": fields["provider"], "model": fields["model"]}
            rows.append(named | {"amount": str(fields["cost"]), "currency": str(fields["currency"] or "USD")})
    return rows, ["day", "provider", "model", "amount", "currency"]


def _sum(path: Path, rows: Sequence[Mapping[str, str]], columns: Mapping[str, Any], keys: tuple[str, ...]) -> Bill:
    amounts: dict[Key, Decimal] = {}
    wrong, undated, other = [], [], 0
    for line, row in enumerate(rows, start=2):
        if columns["currency"] and (row[columns["currency"]] or "USD").strip().upper() != "USD":
            other += 1
            continue
        try:
            amount = Decimal((row[columns["amount"]] or "").strip())
        except InvalidOperation:
            amount = Decimal("NaN")
        if not amount.is_finite():
            wrong.append(line)
            continue
        key = tuple(_part(part, row[columns[part]] or "") for part in keys)
        if "" in key:
            undated.append(line)
        amounts[key] = amounts.get(key, Decimal(0)) + amount
    for bad, name in ((wrong, "amount(s) that are no number"), (undated, "day(s) or month(s) that are no ISO date")):
        if bad:
            shown = ", ".join(map(str, bad[:3]))
            raise ContractError(f"{path.name!r} has {len(bad)} {name} (line {shown}). Mend them.")
    if not amounts:
        raise ContractError(f"{path.name!r} has no amount in USD: {other} line(s) in another currency. Convert them.")
    return Bill(keys, amounts, other)


def _part(part: str, text: str) -> str:
    if part in TIMES:
        return _time(text.strip()[: TIMES[part]])
    return text.split(",")[0].strip() or NOBODY  # `gpt-4o, input` is a line of gpt-4o


def _time(text: str) -> str:
    """Return a day or month as it is, or nothing when it is none."""
    try:
        date.fromisoformat(text if len(text) > TIMES["month"] else f"{text}-01")
    except ValueError:
        return ""
    return text


def reconcile(calls: "pd.DataFrame", bill: Bill) -> dict[str, Any]:
    """Compare the log with a bill.

    Args:
        calls: By the calls contract; on a bill with days (months), only calls of its first to its last one count.
            Imported lines of bills are no calls and are left out.
        bill: The bill.

    Returns:
        `rows` with billed, logged, difference (billed - logged, cents) and a likely reason; `total`; `agrees`.
    """
    logged, unpriced = _logged(calls[calls["step"] != BILL], bill)
    rows = []
    for key in sorted({*bill.amounts, *logged, *unpriced}):
        billed, found = bill.amounts.get(key, Decimal(0)), logged.get(key, Decimal(0))
        rows.append(
            dict(zip(bill.keys, key, strict=True))
            | _difference(billed, found)
            | {"unpriced_calls": unpriced.get(key, 0), "reason": _reason(key, bill, logged, unpriced)}
        )
    total = _difference(sum(bill.amounts.values(), Decimal(0)), sum(logged.values(), Decimal(0)))
    differing = [row for row in rows if row["difference_usd"] != "0.00"]
    return {
        "keys": list(bill.keys), "rows": rows, "total": total, "differing_rows": len(differing),
        "agrees": not differing and total["difference_usd"] == "0.00", "other_currency_rows": bill.other_currency_rows,
    }  # fmt: skip


def _difference(billed: Decimal, logged: Decimal) -> dict[str, str]:
    off = (billed - logged).quantize(CENT, ROUND_HALF_UP)
    off = abs(off) if off == 0 else off  # no minus before nothing
    return {
        "billed_usd": f"{billed.quantize(CENT, ROUND_HALF_UP)}",
        "logged_usd": f"{logged.quantize(CENT, ROUND_HALF_UP)}",
        "difference_usd": f"{off}",
    }


def _logged(calls: "pd.DataFrame", bill: Bill) -> tuple[dict[Key, Decimal], dict[Key, int]]:
    day = calls["started_at"].dt.strftime("%Y-%m-%d")
    keyed = calls.assign(day=day, month=day.str[: TIMES["month"]], model=_billed_names(calls, bill))
    if bill.keys[:1] in (("day",), ("month",)):
        times = [key[0] for key in bill.amounts]
        keyed = keyed[keyed[bill.keys[0]].between(min(times), max(times))]
    groups = keyed.groupby(list(bill.keys)) if bill.keys else [((), keyed)]
    logged: dict[Key, Decimal] = {}
    unpriced: dict[Key, int] = {}
    for values, rows in groups:
        key = tuple(map(str, values))
        priced = rows["cost_usd"].dropna()
        if len(priced):
            logged[key] = exact(priced)
        if len(priced) < len(rows):
            unpriced[key] = len(rows) - len(priced)
    return logged, unpriced


def _billed_names(calls: "pd.DataFrame", bill: Bill) -> "pd.Series[str]":
    """Return the name under which each call is on the bill: asked for, or answered by."""
    asked, answered = calls["request_model"], calls["response_model"]
    if "model" not in bill.keys:
        return asked
    known = {key[bill.keys.index("model")] for key in bill.amounts}
    return asked.where(asked.isin(known) | ~answered.isin(known), answered)


def _reason(key: Key, bill: Bill, logged: Mapping[Key, Decimal], unpriced: Mapping[Key, int]) -> str:
    if key not in bill.amounts:
        return "not on the bill" if key in logged else "unpriced in the log and not on the bill"
    if key not in logged:
        return "unpriced in the log" if key in unpriced else "not in the log"
    if abs(bill.amounts[key] - logged[key]).quantize(CENT, ROUND_HALF_UP) == 0:
        return "agrees"
    return "some calls are unpriced" if key in unpriced else "other price, or calls missing on one side"

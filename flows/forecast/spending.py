"""What was spent, by whom, for what: sums of the calls log that add up to the last digit.

Money is summed in decimal from the logged numbers, so that no order of rows changes a cent. A call without a cost is
unpriced and counted apart, never free. A call whose logged cost is far beyond tokens x price is an outlier (a real
log has one of 791,000 times its price): it stays in the sum, because it was logged, but is named, and no mean uses it.
A line of an imported cost export stands for the calls of its day: it counts only where none of them is in the log.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

from flows.core.errors import UsageError, did_you_mean
from flows.core.project import Project
from flows.forecast.callrow import BILL
from flows.provider.outcomes import Tokens
from flows.provider.prices import MTOK, Price, cost_usd

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = {
    "model": "request_model", "release": "release_id", "prompt": "prompt_id", "step": "step", "use_case": "use_case",
    "provider": "provider", "day": "started_at",
}  # fmt: skip
NEEDED = (
    "call_id", "started_at", "provider", "request_model", "release_id", "prompt_id", "step", "use_case", "status",
    "operation", "input_tokens", "cached_input_tokens", "output_tokens", "cost_usd", "metadata",
)  # fmt: skip
LARGE = 10**9  # input tokens of a request in the dearest tier
PICO = Decimal("1e-12")  # beyond it, a logged float holds the noise of its own arithmetic
NOBODY = "none"
ANSWERING = "answer"  # the step that answers a user

PriceOf = Callable[[str, str, datetime, int], Price | None]


@dataclass(frozen=True)
class Spending:
    """Groups, totals, unit costs and what does not fit, as JSON values."""

    groups: list[dict[str, Any]]
    total: dict[str, Any]
    units: dict[str, Any]
    outliers: list[dict[str, Any]]
    other_currencies: dict[str, dict[str, Any]]
    bills_left_out: dict[str, Any]


def spending(
    calls: "pd.DataFrame", by: Sequence[str], price_of: PriceOf, *, own_use_cases: Sequence[str],
    documents: int | None, outlier_factor: float,
) -> Spending:  # fmt: skip
    """Sum the log.

    Args:
        calls: At least the columns `NEEDED` of the calls contract.
        by: Dimensions, some of `COLUMNS`.
        price_of: (provider, model, month's first moment, input tokens) -> price; finds outliers.
        own_use_cases: Use cases of our own work, whose answers nobody asked for.
        documents: Documents in the index, for the cost of one; None = unknown.
        outlier_factor: A cost beyond this times tokens x price is an outlier; no discount or tier goes so far.

    Raises:
        UsageError: A dimension does not exist.
    """
    wrong = [name for name in by if name not in COLUMNS]
    if wrong:
        raise UsageError(
            f"there is no dimension {wrong[0]!r}.{did_you_mean(wrong[0], COLUMNS)} Use {', '.join(COLUMNS)}."
        )
    counts = ["input_tokens", "cached_input_tokens", "output_tokens"]
    twice = _billed_twice(calls)
    left_out, calls = calls[twice], calls[~twice]
    calls = calls.assign(**calls[counts].fillna(0))
    calls = calls.assign(outlier=_outliers(calls, price_of, outlier_factor))
    odd = calls[calls["outlier"]]
    return Spending(
        groups=_groups(calls, by),
        total=summed(calls),
        units=_units(calls, own_use_cases, documents),
        outliers=[_named(row, price_of) for row in odd.head(20).to_dict("records")],
        other_currencies=_currencies(calls),
        bills_left_out={"rows": len(left_out), "cost_usd": plain(exact(left_out["cost_usd"].dropna()))},
    )


def _billed_twice(calls: "pd.DataFrame") -> "pd.Series[bool]":
    """Return which lines of cost exports lie on a day of a provider whose calls are in the log themselves."""
    line = calls["step"] == BILL
    day = calls["provider"].astype(object) + "/" + calls["started_at"].dt.strftime("%Y-%m-%d")
    twice: pd.Series[bool] = line & day.isin(set(day[~line & calls["cost_usd"].notna()]))
    return twice


def summed(calls: "pd.DataFrame") -> dict[str, Any]:
    """Return counts, tokens and cost of some calls; `cost_usd` is None when nothing is priced."""
    priced = calls[calls["cost_usd"].notna()]
    usual = priced[~priced["outlier"]]
    cost, fair = exact(priced["cost_usd"]), exact(usual["cost_usd"])
    return {
        "calls": len(calls),
        "unpriced_calls": len(calls) - len(priced),
        "input_tokens": int(calls["input_tokens"].sum()),
        "cached_input_tokens": int(calls["cached_input_tokens"].sum()),
        "output_tokens": int(calls["output_tokens"].sum()),
        "cost_usd": float(cost) if len(priced) else None,
        "cost_usd_exact": plain(cost) if len(priced) else None,
        "mean_cost_usd": float(fair / len(usual)) if len(usual) else None,
        "outlier_calls": len(priced) - len(usual),
        "outlier_usd": float(cost - fair),
    }


def exact(amounts: "pd.Series[float]") -> Decimal:
    """Return the sum of amounts as they were written in decimal, each to a millionth of a millionth of a dollar."""
    return sum((Decimal(repr(value)).quantize(PICO) for value in amounts.tolist()), Decimal(0))


def plain(amount: Decimal) -> str:
    """Return an amount as digits without an exponent and without idle zeros."""
    return f"{amount.normalize():f}" if amount else "0"


def _groups(calls: "pd.DataFrame", by: Sequence[str]) -> list[dict[str, Any]]:
    if not by or calls.empty:
        return []
    keys = [_key(calls, name) for name in by]
    rows = []
    for values, group in calls.groupby(keys, sort=True):
        rows.append(dict(zip(by, values, strict=True)) | summed(group))
    return rows


def _key(calls: "pd.DataFrame", name: str) -> "pd.Series[str]":
    column = calls[COLUMNS[name]]
    text = column.dt.strftime("%Y-%m-%d") if name == "day" else column.astype(object).where(column.notna(), NOBODY)
    return text.rename(name)


def _outliers(calls: "pd.DataFrame", price_of: PriceOf, factor: float) -> "pd.Series[bool]":
    """Return which costs lie beyond the factor from tokens x price, or from their model's median without a price."""
    fed, made = calls["input_tokens"].astype("float64"), calls["output_tokens"].astype("float64")
    per_token = (calls["cost_usd"] / (fed + made)).where(fed + made > 0)
    usual = per_token.groupby([calls["provider"], calls["request_model"]]).transform("median") * (fed + made)
    rates = _dearest_rates(calls, price_of)
    priced = fed * rates["fed"] + made * rates["made"]
    ceiling = factor * priced.where(priced > 0, usual)
    return (calls["cost_usd"] > ceiling).fillna(False).astype(bool)  # nothing to compare with: no outlier


def _dearest_rates(calls: "pd.DataFrame", price_of: PriceOf) -> "pd.DataFrame":
    """Return USD per token at the dearest rates of each call's model and month; NaN = unpriced."""
    import pandas as pd

    month = calls["started_at"].dt.strftime("%Y-%m")
    groups = calls.groupby([calls["provider"], calls["request_model"], month])
    first = groups[["provider", "request_model", "started_at"]].first()
    keys = zip(first["provider"], first["request_model"], first["started_at"], strict=True)
    found = [_dearest(price_of(who, model, when.to_pydatetime(), LARGE)) for who, model, when in keys]
    rates = pd.DataFrame(found, columns=["fed", "made"], dtype="float64") / MTOK
    return rates.iloc[groups.ngroup()].set_index(calls.index)


def _dearest(price: Price | None) -> tuple[float, float]:
    if price is None or price.input is None:
        return float("nan"), float("nan")
    return max(price.input, price.cache_write or 0.0), price.output or 0.0


def _named(row: Mapping[Any, Any], price_of: PriceOf) -> dict[str, Any]:
    fed, made = int(row["input_tokens"]), int(row["output_tokens"])
    price = price_of(row["provider"], row["request_model"], row["started_at"].to_pydatetime(), fed)
    expected = cost_usd(Tokens(fed, made), price)
    return {
        "call_id": row["call_id"], "started_at": row["started_at"].isoformat(), "model": row["request_model"],
        "cost_usd": row["cost_usd"], "expected_usd": expected,
        "times": round(row["cost_usd"] / expected, 1) if expected else None,
    }  # fmt: skip


def _units(calls: "pd.DataFrame", own_use_cases: Sequence[str], documents: int | None) -> dict[str, Any]:
    """Return the cost of an answer, of an accepted one, and of a document; None = unknown, outliers left out."""
    traffic = calls[~calls["use_case"].isin(own_use_cases) & ~calls["outlier"]]
    answers = traffic[(traffic["step"] == ANSWERING) & (traffic["status"] == "ok")]
    said = answers["metadata"].str.extract(r'"refused":\s*(true|false)', expand=False)
    indexing = calls[(calls["use_case"] == "indexing") & ~calls["outlier"]]
    return {
        "answers": len(answers),
        "per_answer_usd": _per(traffic, len(answers)),
        "accepted_answers": int((said == "false").sum()) if said.notna().any() else None,
        "per_accepted_answer_usd": _per(traffic, int((said == "false").sum())),
        "documents": documents,
        "per_document_usd": _per(indexing, documents or 0),
    }


def _per(calls: "pd.DataFrame", count: int) -> float | None:
    priced = calls[calls["cost_usd"].notna()]
    return float(exact(priced["cost_usd"]) / count) if count and len(priced) else None


def _currencies(calls: "pd.DataFrame") -> dict[str, dict[str, Any]]:
    """Return what was billed in another currency; it is in no sum of dollars."""
    found: dict[str, list[Decimal]] = {}
    for text in calls["metadata"][calls["cost_usd"].isna() & calls["metadata"].str.contains('"currency"')].tolist():
        values = json.loads(text)
        try:
            found.setdefault(str(values["currency"]), []).append(Decimal(str(values["cost"])))
        except (KeyError, InvalidOperation):  # somebody's own metadata of that name
            continue
    return {name: {"calls": len(costs), "cost": plain(sum(costs, Decimal(0)))} for name, costs in sorted(found.items())}


def documents_of(project: Project) -> int | None:
    """Return how many documents are ingested, None before the first ingest."""
    import pyarrow.parquet as parquet

    path = project.data("ingest", "documents.parquet")
    return int(parquet.read_metadata(path).num_rows) if path.is_file() else None

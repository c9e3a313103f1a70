"""Turn a usage file of unknown quality into rows the forecast can trust, and say what was left out.

Two shapes are read: amounts (`ds, unique_id, y`) and calls (`started_at, request_model, input_tokens,
output_tokens` and whatever else the calls log has, under its own or another tool's well-known names). Logged costs
of calls are not read: tokens x price is forecast. The policy for bad rows:

- what is unreadable, negative, missing, not finite or beyond 2^53 is set aside, counted and named by line;
- equal rows with one key (series and time; or call_id) count once; of unequal ones the last amount is the restated one,
  while calls contradict each other and are set aside;
- amounts in another currency than the rest are set aside: nothing here converts;
- times without a zone are UTC, and it is said;
- rows ahead of the clock after more than a week without any are set aside: one of them would stretch the history;
- a daily total that was set aside is unknown, not zero: it is read as the mean of the same weekday around it.
"""

from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from flows.core.errors import ContractError, InputError
from flows.forecast.callrow import FIRST_DAY
from flows.forecast.frame import COLUMNS
from flows.forecast.mappings import ALIASES
from flows.forecast.rowfile import SetAside, read_rows
from flows.forecast.series import BoolArray, FloatArray, SeriesKey, token_rows

if TYPE_CHECKING:
    import pandas as pd

CALL_COLUMNS = ("started_at", "request_model", "input_tokens", "output_tokens")
OUR_NAMES = {"id": "call_id", "time": "started_at", "model": "request_model"}  # where the mappings say it otherwise
DEFAULTS = {"use_case": "answer", "provider": "", "cached_input_tokens": "0"}
AMOUNT_MAX = float(2**53)  # whole numbers above are not exact
WEEK_DAYS = 7
ZONE = r"(?i)(?:z|utc|gmt|[+-]\d\d:?\d\d)\s*$"
NOT_NUMBERS = {"", "nan", "null", "none"}


@dataclass(frozen=True)
class UsageFile:
    """Rows `ds, unique_id, y`, what each series is when they were calls, and what was left out."""

    rows: "pd.DataFrame"
    keys: dict[str, SeriesKey] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def read_usage(path: Path, *, now: datetime) -> UsageFile:
    """Read a usage file of either shape.

    Args:
        path: CSV, JSON lines or Parquet.
        now: Tells rows of the future.

    Raises:
        InputError: The file cannot be read or holds no usable row.
        ContractError: Columns of both shapes are missing.
    """
    aside = SetAside()
    table = read_rows(path, aside)
    if set(COLUMNS) <= set(table.columns):
        found = _amounts(_one_currency(table, aside), aside, now)
    elif set(CALL_COLUMNS) <= set((calls := _named(table)).columns):
        found = _calls(calls, aside, now)
    else:
        raise ContractError(
            f"{path.name!r} has columns {sorted(set(table.columns) - {'line'})[:12]}. Give {', '.join(COLUMNS)}, or "
            f"those of calls: {', '.join(CALL_COLUMNS)} (separated by commas)."
        )
    if found.rows.empty:
        raise InputError(f"{path.name!r} holds no usable row. {'; '.join(aside.notes()) or 'No row counts anything'}.")
    return UsageFile(found.rows, found.keys, (*aside.notes(), *found.notes))


def _named(table: "pd.DataFrame") -> "pd.DataFrame":
    """Return calls under our column names; the first well-known name that is there counts."""
    new: dict[str, str] = {}
    for field_name, names in ALIASES.items():
        ours = OUR_NAMES.get(field_name, field_name)
        if ours not in table.columns and (theirs := next((name for name in names if name in table.columns), None)):
            new[theirs] = ours
    return table.rename(columns=new)


def _one_currency(table: "pd.DataFrame", aside: SetAside) -> "pd.DataFrame":
    """Return the rows in dollars, or else in the currency of most rows, when a column says which."""
    if "currency" not in table.columns:
        return table
    currency = table["currency"].str.strip().str.upper().replace("", "USD")
    kept = "USD" if (currency == "USD").any() else str(currency.mode().min())
    return _without(table, currency != kept, f"in another currency than {kept}", aside)


def _amounts(table: "pd.DataFrame", aside: SetAside, now: datetime) -> UsageFile:
    table = _timed(table.assign(unique_id=table["unique_id"].str.strip()), "ds", aside, now)
    table = _without(table, table["unique_id"] == "", "no unique_id", aside)
    y, reasons = _numbers(table["y"])
    good = table.assign(y=y)[reasons == ""]
    for reason in sorted(set(reasons) - {""}):
        aside.add(reason, table["line"][reasons == reason].tolist())
    notes = []
    key = ["unique_id", "ds"]
    copies = good.duplicated([*key, "y"])
    if copies.any():
        notes.append(f"{int(copies.sum())} exact copies counted once")
    late = good[~copies].duplicated(key, keep="last")
    if late.any():
        notes.append(
            f"{int(late.sum())} amount(s) restated by a later row of the same series and time; the last counts"
        )
    good = good[~copies][~late]
    rows, filled = _fill(good[list(COLUMNS)], table[reasons != ""][key])
    if filled:
        notes.append(f"{filled} daily total(s) unknown: read as the mean of the same weekday around them")
    return UsageFile(rows.reset_index(drop=True), notes=tuple(notes))


def _calls(table: "pd.DataFrame", aside: SetAside, now: datetime) -> UsageFile:
    table = table.assign(**{name: text for name, text in DEFAULTS.items() if name not in table.columns})
    zoned = table["started_at"].str.contains(ZONE).to_numpy()
    table = _timed(table.assign(zoned=zoned), "started_at", aside, now)
    table = _without(table, table["started_at"] < FIRST_DAY, f"before {FIRST_DAY:%Y}", aside)
    naive = int((~table["zoned"]).sum())
    table = _without(table.drop(columns="zoned"), table["request_model"].str.strip() == "", "no request_model", aside)
    for name in ("input_tokens", "output_tokens", "cached_input_tokens"):
        text = table[name].where(table[name].str.strip() != "", "0") if name != "input_tokens" else table[name]
        amounts, reasons = _numbers(text)
        reasons = np.where((reasons == "") & (amounts != np.floor(amounts)), "not a whole number", reasons)
        for reason in sorted(set(reasons) - {""}):
            aside.add(f"{name} {reason}", table["line"][reasons == reason].tolist())
        table = table.assign(**{name: amounts})[reasons == ""]
    table, notes = _once(table, aside)
    if naive:
        notes.append(f"{naive} time(s) without a zone read as UTC")
    found = token_rows(table, ())
    return UsageFile(found.rows, found.keys, (*notes, *found.notes))


def _once(table: "pd.DataFrame", aside: SetAside) -> "tuple[pd.DataFrame, list[str]]":
    if "call_id" not in table.columns:
        return table, []
    content = [name for name in table.columns if name != "line"]
    copies = table.duplicated(content) & (table["call_id"] != "")
    alone = table[~copies]
    conflict = alone.duplicated("call_id", keep=False) & (alone["call_id"] != "")
    aside.add("one call_id with different content", alone["line"][conflict].tolist())
    return alone[~conflict], [f"{int(copies.sum())} exact copies counted once"] if copies.any() else []


def _timed(table: "pd.DataFrame", name: str, aside: SetAside, now: datetime) -> "pd.DataFrame":
    import pandas as pd

    when = pd.to_datetime(table[name].str.strip(), utc=True, format="ISO8601", errors="coerce").dt.as_unit("us")
    plain = table[name].str.fullmatch(r"\s*[\d.]+\s*") & (table[name].str.strip().str.len() != 8)
    table = table.assign(**{name: when})
    table = _without(table, when.isna() | plain, f"{name} is no ISO date or time", aside)
    return _without(table, _ahead(table[name], now), "in the future", aside)


def _ahead(when: "pd.Series[pd.Timestamp]", now: datetime) -> BoolArray:
    """Return which rows lie ahead of the clock behind a silence of more than a week."""
    days = np.unique(when.dt.floor("D").to_numpy("datetime64[D]"))
    today = np.datetime64(now.strftime("%Y-%m-%d"), "D")
    after = [day for day, gap in zip(days[1:], np.diff(days), strict=True) if day > today and gap > WEEK_DAYS]
    floor = min(after, default=None)
    ahead: BoolArray = np.zeros(len(when), bool) if floor is None else when.to_numpy("datetime64[D]") >= floor
    return ahead


def _without(
    table: "pd.DataFrame", wrong: "pd.Series[bool] | BoolArray", reason: str, aside: SetAside
) -> "pd.DataFrame":
    aside.add(reason, table["line"][wrong].tolist())
    return table[~wrong]


def _numbers(text: "pd.Series[str]") -> tuple[FloatArray, "np.ndarray"]:
    """Return the numbers and why each is none; `""` = it is one."""
    import pandas as pd

    value = pd.to_numeric(text.str.strip(), errors="coerce").to_numpy("float64", na_value=np.nan)
    missing = text.str.strip().str.lower().isin(NOT_NUMBERS).to_numpy()
    reasons = np.select(
        [missing, np.isnan(value), np.isinf(value), value < 0, value > AMOUNT_MAX],
        ["missing", "not a number", "not finite", "negative", "beyond 2^53"],
        default="",
    )
    return value, reasons


def _fill(good: "pd.DataFrame", unknown: "pd.DataFrame") -> "tuple[pd.DataFrame, int]":
    """Add the unknown days of daily totals from the nearest weeks that are known."""
    import pandas as pd

    daily = bool((good["ds"].dt.floor("D") == good["ds"]).all())
    if not daily or unknown.empty or good.empty:
        return good, 0
    known = good.set_index(["unique_id", "ds"])["y"]
    holes = unknown.drop_duplicates()
    holes = holes[[key not in known.index for key in zip(holes["unique_id"], holes["ds"], strict=True)]]
    week = pd.Timedelta(days=WEEK_DAYS)
    rows = []
    for name, day in zip(holes["unique_id"], holes["ds"], strict=True):
        around = [known[name, near] for near in (day - week, day + week) if (name, near) in known.index]
        if around:
            rows.append({"ds": day, "unique_id": name, "y": float(np.mean(around))})
    return (pd.concat([good, pd.DataFrame(rows)], ignore_index=True), len(rows)) if rows else (good, 0)

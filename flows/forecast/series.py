"""Turn calls into daily token series, with every day accounted for.

A series is one use case, one model and one token type; a day is a UTC day, so daylight saving
cannot bend it. Days without a call between the first and the last are zeros; days before a series
began are unknown. The day of the log's newest call is not over yet and is left out, so that the
same log gives the same forecast whenever it is made: nothing here asks for the time.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from flows.core.errors import ContractError, first_three

if TYPE_CHECKING:
    import pandas as pd

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]
TOKEN_TYPES = ("input", "cached_input", "output")  # disjoint: cached is taken out of input, reasoning is in output


@dataclass(frozen=True)
class SeriesKey:
    """Whose tokens a series counts; `input_tokens` is the mean size of a request, which may set the price."""

    provider: str
    model: str
    token_type: str
    input_tokens: int


@dataclass(frozen=True)
class Usage:
    """Daily values of several series up to the last complete day (`days[-1]`).

    `y` is (series, days), NaN before a series began; `ids` are sorted.
    """

    ids: tuple[str, ...]
    days: "pd.DatetimeIndex"
    y: FloatArray
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class TokenRows:
    """Tokens as `ds, unique_id, y` rows, what each series is, and what was left out."""

    rows: "pd.DataFrame"
    keys: dict[str, SeriesKey]
    notes: tuple[str, ...]


def token_rows(calls: "pd.DataFrame", own_use_cases: Sequence[str]) -> TokenRows:
    """Split the calls of production traffic into rows of one token type each.

    Args:
        calls: By the calls contract; order does not matter.
        own_use_cases: Use cases to leave out.
    """
    import pandas as pd

    traffic = calls[~calls["use_case"].isin(own_use_cases)]
    unknown = traffic["input_tokens"].isna() & traffic["output_tokens"].isna()
    notes = [f"{int(unknown.sum())} call(s) of unknown usage are not counted"] if unknown.any() else []
    known = traffic[~unknown]
    tokens = known[["input_tokens", "cached_input_tokens", "output_tokens"]].fillna(0).astype("float64")
    cached = tokens["cached_input_tokens"].clip(upper=tokens["input_tokens"])
    parts = {"input": tokens["input_tokens"] - cached, "cached_input": cached, "output": tokens["output_tokens"]}
    name = known["use_case"].str.cat(_model_names(known), sep="/")
    long = [pd.DataFrame({"ds": known["started_at"], "name": name, "type": kind, "y": y}) for kind, y in parts.items()]
    rows = pd.concat(long, ignore_index=True).query("y > 0 or type == 'input'")  # a failed call is usage of 0
    rows = rows.assign(unique_id=rows["name"] + "/" + rows["type"])
    keys = _keys(known.assign(name=name, size=tokens["input_tokens"]), rows.drop_duplicates("unique_id"))
    return TokenRows(rows[["ds", "unique_id", "y"]], keys, tuple(notes))


def _keys(known: "pd.DataFrame", series: "pd.DataFrame") -> dict[str, SeriesKey]:
    models = known.groupby("name").agg({"provider": "first", "request_model": "first", "size": "mean"})
    found = models.loc[series["name"].to_numpy()]
    columns = (found["provider"], found["request_model"], series["type"], found["size"].round().astype(int))
    rows = zip(*(column.tolist() for column in columns), strict=True)
    return {name: SeriesKey(*row) for name, row in zip(series["unique_id"].tolist(), rows, strict=True)}


def _model_names(calls: "pd.DataFrame") -> "pd.Series[str]":
    """Return model names, with the provider where two of them serve the same model."""
    providers = calls.groupby("request_model")["provider"].transform("nunique")
    alone = calls["request_model"]
    return alone.where(providers == 1, calls["provider"] + ":" + alone)


def daily(frame: "pd.DataFrame", *, open_day: "pd.Timestamp | None", gap_days_max: int) -> Usage | None:
    """Add rows up to one value per series and UTC day, or return None when no day is complete.

    Args:
        frame: Columns ds (time; without a zone it is UTC), unique_id, y (>= 0); any order.
        open_day: The day that is not over yet: it and later ones are left out. None = none is.
        gap_days_max: A longer silence parts the rows; the piece with the most days is used.

    Raises:
        ContractError: Some y is negative, infinite or missing; says how many.
    """
    import pandas as pd

    _require_amounts(frame)
    day = pd.to_datetime(frame["ds"], utc=True).dt.floor("D").dt.as_unit("us")
    kept = day < open_day if open_day is not None else pd.Series(True, index=frame.index)
    present = pd.DatetimeIndex(np.sort(day[kept].unique()))
    if present.empty:
        return None
    first, last, notes = _largest_piece(present, gap_days_max)
    kept &= (day >= first) & (day <= last)
    days = pd.date_range(first, last, freq="D", unit="us")
    table = frame[kept].groupby([frame["unique_id"][kept], day[kept].rename("day")])["y"].sum().unstack("day")
    table = table.sort_index().reindex(columns=days)
    y = table.to_numpy("float64")
    began = np.logical_or.accumulate(~np.isnan(y), axis=1)
    return Usage(tuple(table.index), days, np.where(began, np.nan_to_num(y), np.nan), notes)


def _require_amounts(frame: "pd.DataFrame") -> None:
    y = frame["y"].to_numpy("float64", na_value=np.nan)
    wrong = {"missing": np.isnan(y), "negative": y < 0, "infinite": np.isposinf(y)}
    found = {name: int(mask.sum()) for name, mask in wrong.items() if mask.any()}
    if found:
        ids = sorted({str(name) for name in frame["unique_id"][np.logical_or.reduce(list(wrong.values()))]})
        counts = ", ".join(f"{count} {name}" for name, count in found.items())
        raise ContractError(
            f"{counts} value(s) of `y` among {len(y)} rows of usage, in series {first_three(ids)}. "
            "Amounts are numbers from 0; a day that is not known must be left out, not filled in."
        )


def _largest_piece(
    present: "pd.DatetimeIndex", gap_days_max: int
) -> "tuple[pd.Timestamp, pd.Timestamp, tuple[str, ...]]":
    gaps = np.diff(present.to_numpy()) / np.timedelta64(1, "D")
    pieces = np.split(np.arange(len(present)), np.flatnonzero(gaps > gap_days_max) + 1)
    best = max(pieces, key=lambda piece: (len(piece), piece[0]))
    first, last = present[best[0]], present[best[-1]]
    if len(pieces) == 1:
        return first, last, ()
    note = (
        f"the days fall into {len(pieces)} pieces more than {gap_days_max} days apart; "
        f"the longest is used ({first:%Y-%m-%d} to {last:%Y-%m-%d}), {len(present) - len(best)} day(s) are set aside"
    )
    return first, last, (note,)

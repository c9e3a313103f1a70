"""Turn the calls log into daily channels: one number per UTC day for each thing worth watching.

The unit of analysis is the day, because calls of one day share its noise. Tokens, latency and
cost are watched on the log scale, rates on the arcsine of the square root, which makes a change
of ten per cent equally visible at every level (research: daily tests on every column raise an
alarm on 54 of 100 days in which nothing changed).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pandas as pd

FloatArray = NDArray[np.float64]
Scale = Literal["log", "rate"]


@dataclass(frozen=True)
class Channel:
    """What is averaged over a day's answers, in which unit, and what a change of it points to."""

    name: str
    unit: str
    scale: Scale
    points_to: str
    values: Callable[["pd.DataFrame"], "pd.Series[float]"]


def _refused(answers: "pd.DataFrame") -> "pd.Series[float]":
    said = answers["metadata"].str.extract(r'"refused":\s*(true|false)', expand=False)
    return said.map({"true": 1.0, "false": 0.0}).astype(float)  # an answer that does not say is not counted


def _failed(answers: "pd.DataFrame") -> "pd.Series[float]":
    return (answers["status"] != "ok").astype(float)


def _number(column: str) -> Callable[["pd.DataFrame"], "pd.Series[float]"]:
    def read(answers: "pd.DataFrame") -> "pd.Series[float]":
        return answers[column].astype("Float64").astype(float).where(answers["status"] == "ok")

    return read


CHANNELS = (
    Channel("input_tokens", "tokens per answer", "log", "input", _number("input_tokens")),
    Channel("output_tokens", "tokens per answer", "log", "output", _number("output_tokens")),
    Channel("latency_ms", "ms per answer", "log", "latency", _number("latency_ms")),
    Channel("cost_usd", "USD per answer", "log", "cost", _number("cost_usd")),
    Channel("refusal_share", "share of answers", "rate", "output", _refused),
    Channel("error_share", "share of answers", "rate", "availability", _failed),
)


@dataclass(frozen=True)
class Days:
    """A channel's daily history; every array has one entry per UTC day, gaps included."""

    channel: Channel
    dates: "pd.DatetimeIndex"
    mean: FloatArray  # in the channel's unit; NaN = too few answers that day
    watched: FloatArray  # on the scale that is tested
    sd_min: FloatArray  # smallest believable day-to-day sd on that scale
    answers: NDArray[np.integer[Any]]


def traffic(calls: "pd.DataFrame", own_use_cases: list[str]) -> "pd.DataFrame":
    """Return the final answers of production traffic, without our own evaluation and indexing."""
    return calls[(calls["operation"] == "chat") & (calls["step"] == "answer") & ~calls["use_case"].isin(own_use_cases)]


def daily(answers: "pd.DataFrame", channel: Channel, *, answers_min: int) -> Days:
    """Return one channel's days, from the first to the last day with an answer."""
    import pandas as pd

    day = answers["started_at"].dt.floor("D")
    dates = pd.date_range(day.min(), day.max(), freq="D", name="ds")
    values = channel.values(answers)
    per_day = pd.DataFrame({"day": day, "value": values}).groupby("day")["value"]
    counts = per_day.count().reindex(dates, fill_value=0).to_numpy(dtype=np.int64)
    mean = np.where(counts >= answers_min, per_day.mean().reindex(dates).to_numpy(dtype=float), np.nan)
    return Days(channel, dates, mean, _scaled(mean, channel.scale), _sd_min(counts, channel.scale), counts)


def _scaled(mean: FloatArray, scale: Scale) -> FloatArray:
    if scale == "rate":
        return np.arcsin(np.sqrt(mean))
    with np.errstate(divide="ignore"):
        return np.where(mean > 0, np.log(mean), np.nan)


def _sd_min(counts: NDArray[np.integer[Any]], scale: Scale) -> FloatArray:
    """A rate of n answers cannot be steadier than 1 / (2 sqrt(n)) on the arcsine scale."""
    return 0.5 / np.sqrt(np.maximum(counts, 1)) if scale == "rate" else np.zeros(counts.size)

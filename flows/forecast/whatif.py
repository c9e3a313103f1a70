"""What the logged calls would have cost otherwise: another model, shorter context, more caching, batches.

The calls are replayed, not modelled: their own tokens at prices of one day, for what was and for what might have
been, so that neither price history nor a guess about traffic enters the difference. What a replay cannot know (another
tokenizer, longer answers, worse ones) is said as an assumption beside the numbers.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from flows.core.errors import InputError, UsageError
from flows.forecast import spread
from flows.forecast.callrow import LARGE_REQUEST
from flows.forecast.fewer import Fewer, fewer
from flows.forecast.series import FloatArray
from flows.provider.prices import BATCH_SHARE, MTOK, Price, batched

if TYPE_CHECKING:
    import pandas as pd

PriceOf = Callable[[str, str, datetime, int], Price | None]
NEEDED = (
    "call_id",
    "started_at",
    "conversation_id",
    "metadata",
    "provider",
    "request_model",
    "operation",
    "use_case",
    "input_tokens",
    "cached_input_tokens",
    "output_tokens",
    "cost_usd",
)
AS_LOGGED = "as logged"
ROW = (
    "model", "usd", "usd_per_day", "usd_per_day_lower_95", "usd_per_day_upper_95", "change_usd", "change_share",
    "change_share_lower_95", "change_share_upper_95",
)  # fmt: skip


@dataclass(frozen=True)
class Scenario:
    """What is different; None or 1 = as logged.

    Shares are from 0 to 1, `context` multiplies the input, `retrieved_chunks` is the most chunks a request has.
    """

    models: tuple[str, ...] = ()
    cached_share: float | None = None
    batch_share: float = 0.0
    context: float = 1.0
    retrieved_chunks: int | None = None

    def check(self) -> None:
        """Raise UsageError for a share outside 0 to 1 or a context that is no factor."""
        shares = {"--cached-share": self.cached_share or 0.0, "--batch-share": self.batch_share}
        wrong = [
            f"{name} must lie between 0 and 1, not {value!r}" for name, value in shares.items() if not 0 <= value <= 1
        ]
        if not 0 < self.context <= 100:
            wrong.append(f"--context must be a factor above 0 up to 100, not {self.context!r}")
        if self.retrieved_chunks is not None and self.retrieved_chunks < 0:
            wrong.append(f"--retrieved-chunks must be 0 or more, not {self.retrieved_chunks!r}")
        if wrong:
            raise UsageError("; ".join(wrong) + ".")


@dataclass(frozen=True)
class _Tokens:
    fed: FloatArray
    cached: FloatArray
    made: FloatArray


def replay(
    calls: "pd.DataFrame", scenario: Scenario, price_of: PriceOf, *, when: datetime,
    texts: Mapping[str, str] | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Price the chat calls of a log as they were and as they might have been.

    Args:
        calls: At least the columns `NEEDED`; calls without tokens are left out.
        scenario: What is different.
        price_of: (provider, model, moment, input tokens) -> price; an empty provider is found by the model's name.
        when: The day whose prices hold for both sides.
        texts: Of the chunks that the calls name, for `retrieved_chunks`.

    Returns:
        `baseline_usd`, `logged_usd`, a row per model under `scenarios` (cheapest first, unpriced last, with the 95 %
        interval of a day and of the change), `assumptions`.

    Raises:
        InputError: No chat call has known tokens and a known price, or none names a chunk whose text is known.
    """
    scenario.check()
    chat = calls[(calls["operation"] == "chat") & calls["input_tokens"].notna() & calls["output_tokens"].notna()]
    base = _costs(chat, _tokens(chat), price_of, when)
    priced = ~np.isnan(base)
    if not priced.any():
        raise InputError("no chat call of the log has known tokens and a known price. Write prices into data/prices.")
    chat, base = chat[priced], base[priced]
    less = None if scenario.retrieved_chunks is None else fewer(chat, scenario.retrieved_chunks, texts or {})
    after, waiting = _changed(_tokens(chat), scenario, less), scenario.batch_share
    sides = [(model, _costs_of(model, after, price_of, when, waiting)) for model in scenario.models]
    sides = sides or [(AS_LOGGED, _costs(chat, after, price_of, when, waiting))]
    rows = [_row(name, costs, base, chat) for name, costs in sides]
    return {
        "calls": len(chat), "unpriced_calls": int((~priced).sum()), "days": _days(chat),
        "priced_at": f"{when:%Y-%m-%d}",
        "logged_usd": float(chat["cost_usd"].sum()), "baseline_usd": float(base.sum()),
        "scenarios": sorted(rows, key=lambda row: (row["usd"] is None, row["usd"] or 0.0)),
        "assumptions": [*_assumptions(scenario, int((~priced).sum())), *_of_chunks(less, len(chat)), *_of_spread(chat)],
    }  # fmt: skip


def _tokens(calls: "pd.DataFrame") -> _Tokens:
    names = ("input_tokens", "cached_input_tokens", "output_tokens")
    return _Tokens(*(calls[name].fillna(0).to_numpy("float64") for name in names))


def _changed(tokens: _Tokens, scenario: Scenario, less: Fewer | None) -> _Tokens:
    fed = tokens.fed if less is None else np.maximum(tokens.fed - less.tokens, 0.0)
    fed = fed * scenario.context
    share = scenario.cached_share
    cached = np.minimum(tokens.cached, fed) if share is None else fed * share
    return _Tokens(fed, cached, tokens.made)


def _costs(
    calls: "pd.DataFrame", tokens: _Tokens, price_of: PriceOf, when: datetime, batch_share: float = 0.0
) -> FloatArray:
    """Return the cost of each call at its own model, NaN = unpriced."""
    costs = np.full(len(calls), np.nan)
    models = calls.groupby(["provider", "request_model"])
    for number, (provider, model) in enumerate(models.first().index):
        where = np.flatnonzero(models.ngroup().to_numpy() == number)
        part = _Tokens(tokens.fed[where], tokens.cached[where], tokens.made[where])
        costs[where] = _priced(part, partial(price_of, provider, model, when), batch_share)
    return costs


def _costs_of(model: str, tokens: _Tokens, price_of: PriceOf, when: datetime, batch_share: float) -> FloatArray:
    return _priced(tokens, partial(price_of, "", model, when), batch_share)


def _priced(tokens: _Tokens, price_at: Callable[[int], Price | None], batch_share: float) -> FloatArray:
    """Return the cost of each call; large requests are priced by the tier of their mean size."""
    costs = np.full(len(tokens.fed), np.nan)
    large = tokens.fed > LARGE_REQUEST
    for mask in (large, ~large):
        price = price_at(int(tokens.fed[mask].mean())) if mask.any() else None
        if price is not None and price.input is not None and price.output is not None:
            part = _Tokens(tokens.fed[mask], tokens.cached[mask], tokens.made[mask])
            costs[mask] = _charged(part, price) * (1 - batch_share)
            if batch_share and (waiting := batched(price)):
                costs[mask] += _charged(part, waiting) * batch_share
    return costs


def _charged(tokens: _Tokens, price: Price) -> FloatArray:
    fresh, rate = price.input or 0.0, price.output or 0.0
    cached = fresh if price.cached_input is None else price.cached_input
    return ((tokens.fed - tokens.cached) * fresh + tokens.cached * cached + tokens.made * rate) / MTOK


def _row(name: str, costs: FloatArray, base: FloatArray, calls: "pd.DataFrame") -> dict[str, Any]:
    usd, before = float(costs.sum()), float(base.sum())
    if np.isnan(usd):
        return dict.fromkeys(ROW) | {"model": name}
    day, share = spread.mean_day(costs, calls), spread.change(costs, base, calls)
    values = (
        name, usd, usd / _days(calls), *(day or (None, None)), usd - before, usd / before - 1 if before else None,
        *(share or (None, None)),
    )  # fmt: skip
    return dict(zip(ROW, values, strict=True))


def _days(calls: "pd.DataFrame") -> int:
    return int(calls["started_at"].dt.floor("D").nunique())


def _assumptions(scenario: Scenario, unpriced: int) -> list[str]:
    said = ["both sides are priced at the prices of one day; logged_usd is what was logged at the time"]
    if scenario.models:
        said.append("another model reads and writes as many tokens as the logged one (tokenizers differ by up to 30 %)")
        said.append("another model answers as well: hold it against the gate before changing anything")
    if scenario.context != 1:
        said.append(f"the input is {scenario.context:g} times as long, its cached start stays, answers do not change")
    if scenario.cached_share is not None:
        said.append(f"{scenario.cached_share:.0%} of the input is read from the cache; writing to it is not billed")
        said.append("a model without a cached price bills cached tokens as input")
    if scenario.batch_share:
        rate = f"its batch price, else {BATCH_SHARE:.0%} of the price"
        said.append(f"{scenario.batch_share:.0%} of the calls can wait for a batch, each model at {rate}")
    if unpriced:
        said.append(f"{unpriced} call(s) of models without a price are in neither side")
    return said


def _of_chunks(less: Fewer | None, calls: int) -> list[str]:
    if less is None:
        return []
    said = [f"{less.shortened:,} of {calls:,} calls name more chunks and lose their last ones; answers do not change"]
    return said + ([f"{less.guessed:,} chunk(s) are gone and count as the mean of the others"] if less.guessed else [])


def _of_spread(calls: "pd.DataFrame") -> list[str]:
    if _days(calls) < 2:
        return ["one day is logged: how much days differ is unknown"]
    unit = "days" if _days(calls) >= spread.DAYS_MIN else "conversations"
    return [f"95 % intervals of the change are over {unit}, those of a day over days, for traffic like the logged one"]


def mean_request(calls: "pd.DataFrame") -> tuple[float, float, float, float]:
    """Return the mean input, cached and output tokens of the chat calls, and calls a day; for a break-even.

    Raises:
        InputError: There is no chat call with known tokens.
    """
    chat = calls[(calls["operation"] == "chat") & calls["input_tokens"].notna() & calls["output_tokens"].notna()]
    if chat.empty:
        raise InputError("the log holds no chat call with known tokens. Log or import calls first.")
    tokens = _tokens(chat)
    return float(tokens.fed.mean()), float(tokens.cached.mean()), float(tokens.made.mean()), len(chat) / _days(chat)


def chosen(calls: "pd.DataFrame", use_cases: Sequence[str]) -> "pd.DataFrame":
    """Return the calls of some use cases; of all when none is named."""
    return calls[calls["use_case"].isin(use_cases)] if use_cases else calls

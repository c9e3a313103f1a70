"""Turn one outside record into a row of the calls log, or say by a code why it is none.

Nothing is guessed: a count that is no count, a time without a zone or a cost that is not finite sends the record to
quarantine. A cost in another currency is kept beside the row and never added to dollars; without a cost the
row is priced at its day, and stays unpriced where nobody knows the price.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any

from flows.core.calls import Privacy
from flows.core.ids import canonical_json, content_id, sha256
from flows.provider.outcomes import Tokens, clean, redact
from flows.provider.prices import OwnPrices, Price, batched, cost_usd, maker_of, price_of_model

FIELDS = (
    "id", "time", "provider", "model", "response_model", "input_tokens", "cached_input_tokens", "output_tokens",
    "reasoning_tokens", "cache_write_tokens", "audio_input_tokens", "audio_output_tokens", "image_input_tokens",
    "image_output_tokens", "cost", "currency", "operation", "step", "use_case", "conversation_id",
    "release_id", "prompt_id", "prompt", "completion", "latency_ms", "time_to_first_token_ms", "finish_reason",
    "status", "error",
)  # fmt: skip
REQUIRED = ("id", "time", "model", "input_tokens")
COUNTS = ("input_tokens", "cached_input_tokens", "output_tokens", "reasoning_tokens")
OTHER_COUNTS = (  # without a column of their own: they decide the price and stand in `metadata`
    "cache_write_tokens", "audio_input_tokens", "audio_output_tokens", "image_input_tokens", "image_output_tokens",
)  # fmt: skip
BILL = "cost_export"  # the step of a row that is a line of a bill: an amount of a day, no request
COUNT_MAX = 2**53
FIRST_DAY = datetime(2015, 1, 1, tzinfo=UTC)  # older times are a broken clock: nobody sold calls then
CLOCK_SKEW = timedelta(days=1)
LARGE_REQUEST = 100_000  # no model's price depends on sizes below
GOOD = {"ok", "success", "succeeded", "completed", "200", "default", "unset", ""}


class RejectedError(Exception):
    """The record is no call; `code` names the kind, `rule` what was broken (never a value)."""

    def __init__(self, code: str, rule: str) -> None:
        super().__init__(code)
        self.code, self.rule = code, rule


@dataclass(frozen=True)
class Reader:
    """What a record is read with: the time, the prices, how much text is kept, and whether numbers come as text."""

    now: datetime
    own: OwnPrices = ()
    privacy: Privacy = "full"
    text_numbers: bool = False
    text_chars_max: int = 20_000  # of a prompt or completion; the rest is kept as its hash and length

    def row(self, fields: Mapping[str, Any], extra: Mapping[str, Any]) -> dict[str, Any]:
        """Return the columns of the calls contract and `row`, the hash of the record, which `metadata` carries too.

        Args:
            fields: By the names in `FIELDS`.
            extra: Further plain values, kept in `metadata` without keys and cut.

        Raises:
            RejectedError: The record is no call.
        """
        bill = fields.get("step") == BILL
        for name in REQUIRED if not bill else (*REQUIRED[:-1], "cost"):
            if fields.get(name) in (None, ""):
                raise RejectedError("missing_field", name)
        when, model = self._time(fields["time"]), self._name(fields, "model")
        counts = {name: self._count(fields.get(name), name) for name in COUNTS}
        others = {name: self._count(fields.get(name), name) or 0 for name in OTHER_COUNTS}
        if (counts["cached_input_tokens"] or 0) + others["cache_write_tokens"] > (counts["input_tokens"] or 0):
            raise RejectedError("inconsistent", "cached tokens beyond input_tokens")
        provider = str(fields.get("provider") or "") or maker_of(model) or "unknown"
        operation = fields.get("operation") or ("embeddings" if "embed" in model else "chat")
        cost, money = self._cost(fields, _price_key(provider, model, when), counts | others, operation)
        texts, cut = self._texts(fields)
        cut |= {name: count for name, count in others.items() if count}
        kept = {name: _plain(value) for name, value in extra.items() if isinstance(value, str | int | float | bool)}
        row = row_hash(fields, extra)
        kept |= money | cut | {"imported_id": _plain(str(fields["id"])), "row": row}
        failed = str(fields.get("status") or "").lower() not in GOOD
        return {
            "call_id": content_id("call", str(fields["id"])), "started_at": when,
            "step": _word(fields, "step", "unknown"), "use_case": _word(fields, "use_case", "answer"),
            "operation": operation, "provider": provider, "request_model": model,
            "status": "error" if failed else "ok",
            **{name: _word(fields, name, None) for name in OPTIONAL_WORDS}, **texts, **counts,
            "latency_ms": _number(fields.get("latency_ms")),
            "time_to_first_token_ms": _number(fields.get("time_to_first_token_ms")),
            "error_class": redact(str(fields["error"])) if fields.get("error") else None,
            "cost_usd": cost, "metadata": canonical_json(kept), "row": row,
        }  # fmt: skip

    def _time(self, value: Any) -> datetime:
        if not isinstance(value, datetime):
            if not isinstance(value, str):
                raise RejectedError("bad_timestamp", "no ISO 8601 text")
            try:
                value = datetime.fromisoformat(value.strip())
            except ValueError:
                raise RejectedError("bad_timestamp", "no ISO 8601 text") from None
        if value.tzinfo is None:
            raise RejectedError("naive_timestamp", "no time zone")
        if value > self.now + CLOCK_SKEW:
            raise RejectedError("future", "later than tomorrow")
        if value < FIRST_DAY:
            raise RejectedError("bad_timestamp", "before 2015")
        when: datetime = value.astimezone(UTC)
        return when

    def _name(self, fields: Mapping[str, Any], name: str) -> str:
        if not isinstance(fields[name], str):
            raise RejectedError("missing_field", name)
        return clean(str(fields[name]))[:200]

    def _count(self, value: Any, name: str) -> int | None:
        if value is None or value == "":
            return None
        if self.text_numbers and isinstance(value, str):
            value = _parsed(value, name)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise RejectedError("not_integer", name)
        if isinstance(value, float) and not math.isfinite(value):
            raise RejectedError("not_finite", name)
        if value < 0:
            raise RejectedError("negative", name)
        if value > COUNT_MAX:
            raise RejectedError("out_of_range", name)
        if value != int(value):
            raise RejectedError("not_integer", name)
        return int(value)

    def _cost(
        self, fields: Mapping[str, Any], key: tuple[str, str, date], counts: Mapping[str, int | None], operation: str
    ) -> tuple[float | None, dict[str, str]]:
        amount = _amount(fields.get("cost"))
        currency = str(fields.get("currency") or "USD").strip().upper()
        if currency != "USD":
            return None, {"currency": currency[:8], "cost": f"{amount or 0:f}"}
        if amount is not None:
            return float(amount), {}
        size = counts["input_tokens"] or 0
        price = _price(*key, size if size > LARGE_REQUEST else 0, self.own)
        named = {name.removesuffix("_tokens"): count or 0 for name, count in counts.items()}
        tokens = Tokens(**{_TOKEN_NAMES.get(name, name): count for name, count in named.items()})
        return cost_usd(tokens, batched(price) if operation == "batch" else price), {}

    def _texts(self, fields: Mapping[str, Any]) -> tuple[dict[str, str | None], dict[str, Any]]:
        texts: dict[str, str | None] = {}
        cut: dict[str, Any] = {}
        for name in ("prompt", "completion"):
            value = fields.get(name)
            text = value if isinstance(value, str) or value is None else canonical_json(value)
            if text is None or self.privacy == "none":
                texts[name] = None
            elif self.privacy == "hashed":
                texts[name] = f"sha256:{sha256(clean(text))}"
            else:
                texts[name] = clean(text)[: self.text_chars_max]
                if len(text) > self.text_chars_max:
                    cut |= {f"{name}_chars": len(text), f"{name}_sha256": sha256(clean(text))}
        return texts, cut


_TOKEN_NAMES = {"cached_input": "cached"}
OPTIONAL_WORDS = ("conversation_id", "release_id", "response_model", "prompt_id", "finish_reason")


def row_hash(fields: Mapping[str, Any], extra: Mapping[str, Any]) -> str:
    """Return what tells an exact copy of a record from another version of it."""
    return sha256(repr((sorted(fields.items()), sorted(extra.items()))).encode("utf-8", "surrogatepass"))[:16]


def _word(fields: Mapping[str, Any], name: str, default: str | None) -> str | None:
    value = fields.get(name)
    return default if value in (None, "") else clean(str(value))[:200]


def _plain(value: str | float | bool) -> str | float | bool | None:
    if isinstance(value, str):
        return redact(clean(value))
    return value if not isinstance(value, float) or math.isfinite(value) else None


def _number(value: Any) -> float | None:
    """Return a duration, None where it is none: it decides no money."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if 0 <= number < float("inf") else None


def _parsed(text: str, name: str) -> int | float:
    try:
        return int(text) if text.strip().lstrip("-").isascii() and text.strip().lstrip("-").isdigit() else float(text)
    except ValueError:
        raise RejectedError("not_integer", name) from None


def _amount(value: Any) -> Decimal | None:
    if value is None or value == "":
        return None
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise RejectedError("bad_number", "cost")
    try:
        amount = Decimal(value.strip() if isinstance(value, str) else repr(value))
    except InvalidOperation:
        raise RejectedError("bad_number", "cost") from None
    if not amount.is_finite() or not math.isfinite(float(amount)):
        raise RejectedError("not_finite", "cost")
    if amount < 0:
        raise RejectedError("negative", "cost")
    return amount


def _price_key(provider: str, model: str, when: datetime) -> tuple[str, str, date]:
    return "" if provider == "unknown" else provider, model, when.date()


@lru_cache(maxsize=65_536)
def _price(provider: str, model: str, day: date, size: int, own: OwnPrices) -> Price | None:
    when = datetime(day.year, day.month, day.day, tzinfo=UTC)
    return price_of_model(provider, model, when, own=own, input_tokens=size)

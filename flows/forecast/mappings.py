"""Read other tools' records of calls: which of their fields is which of ours.

Every form ends in the fields of `callrow.FIELDS`, with one meaning: cached tokens inside the input, reasoning inside
the output. A record that is no model call (a span of a database, a trace's header) yields nothing and is counted.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from flows.core.errors import InputError, ParamsError, did_you_mean
from flows.core.ids import content_id
from flows.core.params import read_yaml
from flows.forecast.callrow import BILL, FIELDS, RejectedError
from flows.provider.outcomes import Tokens
from flows.provider.usage import usage_from_body

Fields = dict[str, Any]
Found = Iterator[tuple[Fields, Fields]]
Form = Callable[[Mapping[str, Any]], Found]
ALIASES: dict[str, tuple[str, ...]] = {
    "id": ("call_id", "event_id", "request_id", "id"),
    "time": ("started_at", "ts", "timestamp", "time"),
    "model": ("request_model", "model"),
    "input_tokens": ("input_tokens", "prompt_tokens"),
    "cached_input_tokens": ("cached_input_tokens", "cached_tokens"),
    "output_tokens": ("output_tokens", "completion_tokens"),
    "cost": ("cost", "cost_usd"),
    "conversation_id": ("conversation_id", "session_id"),
    "error": ("error", "error_class"),
}
UNIT_S = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}


def moment(value: Any, unit: str = "s") -> Any:
    """Return an epoch number as a time; anything else as it came, to be judged later."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return value
    try:
        return datetime.fromtimestamp(float(value) * UNIT_S[unit], UTC)
    except (ValueError, OverflowError, OSError):
        return value


def generic(mapping: Mapping[str, Any] | None = None) -> Form:
    """Return the form of flat records: well-known names, or those of a mapping."""
    named = {name: (name, *ALIASES.get(name, ())) for name in FIELDS}
    given = mapping or {}
    named |= {name: (source,) for name, source in given.get("fields", {}).items()}
    constants, unit = given.get("constants", {}), given.get("time_unit")
    known: dict[tuple[str, ...], tuple[dict[str, str], tuple[str, ...]]] = {}

    def read(record: Mapping[str, Any]) -> Found:
        keys = tuple(record)
        if keys not in known:
            chosen = {name: source for name, sources in named.items() if (source := _first(record, sources))}
            known[keys] = chosen, tuple(key for key in keys if key not in chosen.values())
        chosen, rest = known[keys]
        fields = constants | {name: _deep(record, source) for name, source in chosen.items()}
        if unit and "time" in fields:
            fields["time"] = moment(fields["time"], unit)
        yield fields, {key: record[key] for key in rest}

    return read


def _first(record: Mapping[str, Any], sources: tuple[str, ...]) -> str | None:
    return next((name for name in sources if name in record or _deep(record, name) is not None), None)


def _deep(record: Any, path: str) -> Any:
    if isinstance(record, dict) and path in record:
        return record[path]
    for part in path.split("."):
        if not isinstance(record, dict):
            return None
        record = record.get(part)
    return record


def read_mapping(path: Path) -> dict[str, Any]:
    """Read a mapping file: `fields` {our name: theirs, dots go inside}, `constants`, `time_unit` s|ms|us|ns.

    Raises:
        ParamsError: A key or one of our names does not exist.
    """
    values = read_yaml(path)
    wrong = [key for key in values if key not in ("fields", "constants", "time_unit")]
    wrong += [name for part in ("fields", "constants") for name in values.get(part, {}) if name not in FIELDS]
    if wrong:
        raise ParamsError(f"{path.name!r}: {wrong[0]!r} does not exist.{did_you_mean(wrong[0], FIELDS)}")
    if values.get("time_unit", "s") not in UNIT_S:
        raise ParamsError(f"{path.name!r}: time_unit = {values['time_unit']!r} is none of {', '.join(UNIT_S)}.")
    return values


def body(provider: str) -> Form:
    """Return the form of raw response bodies and of usage exports of `openai` or `anthropic`."""

    def read(record: Mapping[str, Any]) -> Found:
        if isinstance(record.get("data"), list):
            yield from _buckets(record, provider)
            return
        inner = _response(record)
        try:
            tokens = usage_from_body(inner, provider)
        except InputError:
            raise RejectedError("missing_field", "usage") from None
        when = record.get("started_at") or record.get("timestamp") or inner.get("created_at") or inner.get("created")
        yield {
            "id": inner.get("id"), "time": moment(when), "provider": provider, "model": inner.get("model"),
            "response_model": inner.get("model"), "input_tokens": tokens.input, "cached_input_tokens": tokens.cached,
            "output_tokens": tokens.output, "reasoning_tokens": tokens.reasoning,
            "cache_write_tokens": tokens.cache_write, "operation": "batch" if "custom_id" in record else None,
        } | _heard_and_seen(tokens), {}  # fmt: skip

    return read


def _heard_and_seen(tokens: Tokens) -> Fields:
    """Return the audio and image tokens of a body that has some."""
    names = ("audio_input", "audio_output", "image_input", "image_output")
    return {f"{name}_tokens": count for name in names if (count := getattr(tokens, name))}


def _response(record: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the body itself, out of a line that may wrap it (batch output, request logs)."""
    inner = record.get("response", record)
    inner = inner.get("body", inner) if isinstance(inner, Mapping) else record
    return inner if isinstance(inner, Mapping) else record


def _buckets(record: Mapping[str, Any], provider: str) -> Found:
    """Yield one row per bucket and result of a usage or cost export; the row stands for all requests it sums."""
    for bucket in record["data"]:
        start = bucket.get("start_time") or bucket.get("starting_at")
        for result in bucket.get("results", []):
            named = {key: value for key, value in result.items() if isinstance(value, str) and value}
            if "amount" in result:
                yield _billed(start, result, named, provider), {}
                continue
            written = sum((result.get("cache_creation") or {}).values())
            cached = result.get("input_cached_tokens", result.get("cache_read_input_tokens")) or 0
            beside = result.get("uncached_input_tokens")
            yield {
                "id": content_id("bucket", provider, start, named), "time": moment(start), "provider": provider,
                "model": result.get("model"), "cached_input_tokens": cached,
                "input_tokens": result.get("input_tokens", 0) if beside is None else beside + cached + written,
                "output_tokens": result.get("output_tokens", 0), "cache_write_tokens": written, "step": "usage_export",
                "operation": "batch" if result.get("batch") else None,
            }, {"requests": result.get("num_model_requests")}  # fmt: skip


def _billed(start: Any, result: Mapping[str, Any], named: Mapping[str, str], provider: str) -> Fields:
    """Return a line of a bill: an amount on a day, without tokens. Anthropic counts in cents, OpenAI in dollars."""
    amount: Any = result["amount"]
    money = amount if isinstance(amount, Mapping) else {"value": amount, "currency": result.get("currency")}
    value = cents(money.get("value")) if provider == "anthropic" else money.get("value")
    line = {key: value for key, value in named.items() if key != "amount"}
    model = result.get("model") or str(result.get("line_item") or "").split(",")[0].strip() or "other"
    return {
        "id": content_id("cost", provider, start, line), "time": moment(start), "provider": provider, "model": model,
        "cost": value, "currency": money.get("currency"), "step": BILL, "use_case": "bill",
    }  # fmt: skip


def cents(value: Any) -> Any:
    """Return a decimal text of cents as dollars; anything else as it came, to be judged later."""
    try:
        return str(Decimal(value).scaleb(-2)) if isinstance(value, str) else value
    except InvalidOperation:
        return value


def litellm(record: Mapping[str, Any]) -> Found:
    """Read a spend log of LiteLLM."""
    cached = _deep(record, "metadata.usage_object.prompt_tokens_details.cached_tokens")
    yield {
        "id": record.get("request_id"), "time": _zoned(record.get("startTime")), "model": record.get("model"),
        "provider": record.get("custom_llm_provider"), "input_tokens": record.get("prompt_tokens"),
        "cached_input_tokens": cached, "output_tokens": record.get("completion_tokens"), "cost": record.get("spend"),
        "operation": "embeddings" if "embedding" in str(record.get("call_type")) else None,
        "conversation_id": record.get("session_id"), "status": record.get("status"),
        "latency_ms": _between(record.get("startTime"), record.get("endTime")),
    }, _kept(record, ("user", "team_id", "end_user", "cache_hit", "model_group"))  # fmt: skip


def langfuse(record: Mapping[str, Any]) -> Found:
    """Read an observation exported from Langfuse; only generations are calls."""
    if record.get("type") not in ("GENERATION", "EMBEDDING"):
        return
    usage = record.get("usageDetails") or record.get("usage") or {}
    cached = usage.get("input_cached_tokens", usage.get("cache_read_input_tokens")) or 0
    yield {
        "id": record.get("id"), "time": _zoned(record.get("startTime")), "model": record.get("model"),
        "input_tokens": (usage.get("input") or usage.get("promptTokens") or 0) + cached,
        "cached_input_tokens": cached, "output_tokens": usage.get("output") or usage.get("completionTokens") or 0,
        "reasoning_tokens": usage.get("output_reasoning_tokens"),
        "cost": (record.get("costDetails") or {}).get("total", record.get("calculatedTotalCost")),
        "operation": "embeddings" if record["type"] == "EMBEDDING" else None, "step": record.get("name"),
        "conversation_id": record.get("sessionId") or record.get("traceId"), "prompt": record.get("input"),
        "completion": record.get("output"), "prompt_id": _prompt_id(record),
        "status": "error" if record.get("level") == "ERROR" else "ok", "error": record.get("statusMessage"),
        "latency_ms": _between(record.get("startTime"), record.get("endTime")),
    }, _kept(record, ("environment", "version", "userId"))  # fmt: skip


def _prompt_id(record: Mapping[str, Any]) -> str | None:
    name, version = record.get("promptName"), record.get("promptVersion")
    return f"{name}@{version}" if name and version is not None else name


def _kept(record: Mapping[str, Any], names: tuple[str, ...]) -> Fields:
    return {name: record[name] for name in names if record.get(name) is not None}


def _zoned(value: Any) -> Any:
    """Return a time of a tool whose times are UTC by its own documentation, with the zone it leaves out."""
    try:
        when = datetime.fromisoformat(value.strip())
    except (ValueError, AttributeError):
        return value
    return when if when.tzinfo else when.replace(tzinfo=UTC)


def _between(start: Any, end: Any) -> float | None:
    first, last = _zoned(start), _zoned(end)
    whole = isinstance(first, datetime) and isinstance(last, datetime)
    return (last - first).total_seconds() * 1000 if whole else None

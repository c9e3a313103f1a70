"""Calls as OpenTelemetry spans, both ways: the same names in an imported trace and in an exported one.

Names are those of the GenAI semantic conventions; where they were renamed, both are read and the new one is written.
Our own columns without a name there stand under `llmops.*`.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from flows.core.ids import sha256
from flows.forecast.mappings import Found, moment

READ = {
    "provider": ("gen_ai.provider.name", "gen_ai.system"),
    "model": ("gen_ai.request.model",),
    "response_model": ("gen_ai.response.model",),
    "input_tokens": ("gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens"),
    "cached_input_tokens": ("gen_ai.usage.cache_read.input_tokens", "gen_ai.usage.cached_input_tokens"),
    "output_tokens": ("gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens"),
    "reasoning_tokens": ("gen_ai.usage.reasoning.output_tokens", "gen_ai.usage.reasoning_tokens"),
    "conversation_id": ("gen_ai.conversation.id", "session.id"),
    "error": ("error.type",),
    "cost": ("llmops.cost_usd", "gen_ai.usage.cost"),
    "step": ("llmops.step",),
    "use_case": ("llmops.use_case",),
    "release_id": ("llmops.release_id",),
    "prompt_id": ("gen_ai.prompt.name",),
    "prompt": ("gen_ai.input.messages", "gen_ai.prompt"),
    "completion": ("gen_ai.output.messages", "gen_ai.completion"),
}
NS_PER_S, NS_PER_MS = 1_000_000_000, 1_000_000
ERROR_CODE = 2  # of a span's status
CLIENT = 3  # kind of a span that asks another service


def spans(record: Mapping[str, Any]) -> Found:
    """Read the model calls of an OTLP JSON trace; other spans are none."""
    for resource in record.get("resourceSpans", []):
        for scope in resource.get("scopeSpans", []):
            for span in scope.get("spans", []):
                values = {item["key"]: _value(item.get("value", {})) for item in span.get("attributes", [])}
                if any(name.startswith("gen_ai.") for name in values):
                    yield _fields(span, values), {}


def _fields(span: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    start, end = int(span.get("startTimeUnixNano") or 0), int(span.get("endTimeUnixNano") or 0)
    named = {name: next((values[key] for key in keys if key in values), None) for name, keys in READ.items()}
    operation = str(values.get("gen_ai.operation.name") or "")
    reasons, first_s = values.get("gen_ai.response.finish_reasons"), values.get("gen_ai.response.time_to_first_chunk")
    failed = (span.get("status") or {}).get("code") in (ERROR_CODE, "STATUS_CODE_ERROR")
    return named | {
        "id": values.get("llmops.call_id") or f"{span.get('traceId')}/{span.get('spanId')}",
        "time": moment(start // 1000, "us") if start else None,
        "latency_ms": (end - start) / NS_PER_MS if end >= start else None,
        "time_to_first_token_ms": first_s * 1000 if isinstance(first_s, int | float) else None,
        "operation": "embeddings" if operation == "embeddings" else None,
        "finish_reason": reasons[0] if isinstance(reasons, list) and reasons else None,
        "status": "error" if failed else "ok",
    }


def _value(value: Mapping[str, Any]) -> Any:
    if "intValue" in value:
        return int(value["intValue"])
    if "arrayValue" in value:
        return [_value(item) for item in value["arrayValue"].get("values", [])]
    return next(iter(value.values()), None)


def trace(calls: Iterable[Mapping[Any, Any]]) -> dict[str, Any]:
    """Return rows of the calls log as one OTLP JSON request; prompts, completions and metadata stay here."""
    service = {"key": "service.name", "value": {"stringValue": "llmops"}}
    return {
        "resourceSpans": [
            {
                "resource": {"attributes": [service]},
                "scopeSpans": [{"scope": {"name": "llmops.calls"}, "spans": [_span(call) for call in calls]}],
            }
        ]
    }


def _span(call: Mapping[Any, Any]) -> dict[str, Any]:
    when = call["started_at"]
    start = round(when.timestamp()) * NS_PER_S if when.microsecond == 0 else int(when.timestamp() * 1e6) * 1000
    latency = 0.0 if _missing(call["latency_ms"]) else float(call["latency_ms"])
    return {
        "traceId": sha256(str(call["conversation_id"] or call["call_id"]))[:32],
        "spanId": call["call_id"][:16],
        "name": f"{call['operation']} {call['request_model']}",
        "kind": CLIENT,
        "startTimeUnixNano": str(start),
        "endTimeUnixNano": str(start + round(latency * NS_PER_MS)),
        "attributes": list(_attributes(call)),
        "status": {"code": ERROR_CODE if call["status"] == "error" else 0},
    }


WRITTEN = {
    "gen_ai.operation.name": "operation", "gen_ai.provider.name": "provider", "gen_ai.request.model": "request_model",
    "gen_ai.response.model": "response_model", "gen_ai.usage.input_tokens": "input_tokens",
    "gen_ai.usage.cache_read.input_tokens": "cached_input_tokens", "gen_ai.usage.output_tokens": "output_tokens",
    "gen_ai.usage.reasoning.output_tokens": "reasoning_tokens", "gen_ai.conversation.id": "conversation_id",
    "error.type": "error_class", "llmops.call_id": "call_id", "llmops.step": "step", "llmops.use_case": "use_case",
    "llmops.release_id": "release_id", "gen_ai.prompt.name": "prompt_id", "llmops.cost_usd": "cost_usd",
    "openai.response.system_fingerprint": "system_fingerprint", "llmops.status": "status",
}  # fmt: skip


def _attributes(call: Mapping[Any, Any]) -> Iterator[dict[str, Any]]:
    for key, column in WRITTEN.items():
        value = call[column]
        if _missing(value):
            continue
        if column.endswith("_tokens"):
            yield {"key": key, "value": {"intValue": str(int(value))}}
        elif column == "cost_usd":
            yield {"key": key, "value": {"doubleValue": float(value)}}
        else:
            yield {"key": key, "value": {"stringValue": str(value)}}
    if not _missing(call["time_to_first_token_ms"]):
        seconds = float(call["time_to_first_token_ms"]) / 1000
        yield {"key": "gen_ai.response.time_to_first_chunk", "value": {"doubleValue": seconds}}
    if not _missing(call["finish_reason"]):
        reasons = {"arrayValue": {"values": [{"stringValue": str(call["finish_reason"])}]}}
        yield {"key": "gen_ai.response.finish_reasons", "value": reasons}


def _missing(value: Any) -> bool:
    import pandas as pd

    return value is None or bool(pd.isna(value))

"""Turn a request into what goes over the wire, and its answer into what was asked for.

The one place that knows OpenAI's request bodies. Reported usage is checked against our own count: a
missing or impossible one is replaced by it, a very different one is booked as reported and flagged.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from flows.core.ids import canonical_json
from flows.provider import tokens as count
from flows.provider.calling import Ask, Checked
from flows.provider.outcomes import (
    Answer,
    Tokens,
    UnusableAnswerError,
    Vectors,
    clean,
    parse_output,
    read_chat,
    read_vectors,
)
from flows.provider.params import ProviderParams
from flows.provider.requests import CallTags, ChatRequest, EmbedMode, Message
from flows.provider.wire import Endpoint

Parsed = tuple[str, dict[str, Any] | None]


def chat_ask(request: ChatRequest, model: str, endpoint: Endpoint, params: ProviderParams) -> Ask[Parsed]:
    """Build the call for one chat request."""
    messages = tuple(Message(message.role, clean(message.content)) for message in request.messages)

    def worst() -> Tokens:
        return worst_case(request, model, params)

    def check(body: bytes) -> Checked[Parsed]:
        answer = read_chat(body)
        counted, notes = _trusted(answer, request, model, endpoint, params)
        try:
            parsed = parse_output(answer.text, request.response_schema) if request.response_schema else None
        except UnusableAnswerError as error:
            raise UnusableAnswerError(error.error_class, str(error), counted) from None
        return Checked(
            (answer.text, parsed), answer.model, counted, answer.system_fingerprint, answer.finish_reason,
            answer.text, notes | _model_note(answer.model, model) | _refusal_note(parsed),
        )  # fmt: skip

    return Ask(
        endpoint, "/chat/completions", _chat_body(request, messages, model, endpoint, params), "chat", model,
        request.tags, canonical_json([{"role": m.role, "content": m.content} for m in messages]), worst, check,
    )  # fmt: skip


def worst_case(request: ChatRequest, model: str, params: ProviderParams) -> Tokens:
    """Return the most tokens a request can be billed for."""
    counted = count.count_messages(request.messages, model, request.response_schema)
    return Tokens(int(counted * params.reserve_factor) + 1, request.max_output_tokens)


def _chat_body(
    request: ChatRequest, messages: Sequence[Message], model: str, endpoint: Endpoint, params: ProviderParams
) -> dict[str, Any]:
    body: dict[str, Any] = {"model": model, "messages": [{"role": m.role, "content": m.content} for m in messages]}
    # OpenAI retired `max_tokens`; most compatible servers know nothing else.
    body["max_completion_tokens" if endpoint.openai_dialect else "max_tokens"] = request.max_output_tokens
    if not model.startswith(params.reasoning_models):
        body |= {"temperature": request.temperature, "seed": request.seed}
    if request.response_schema is not None:
        body["response_format"] = {"type": "json_schema", "json_schema": _named(request.response_schema)}
    return body


def _named(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Name the schema; OpenAI's strict mode takes closed schemas only."""
    return {"name": "answer", "schema": dict(schema), "strict": schema.get("additionalProperties") is False}


def _trusted(
    answer: Answer, request: ChatRequest, model: str, endpoint: Endpoint, params: ProviderParams
) -> tuple[Tokens, dict[str, Any]]:
    """Return the tokens to book, and a note where the provider's own numbers are doubtful."""
    if answer.tokens is not None and endpoint.name == "local":
        return answer.tokens, {}  # our own server, with a tokenizer of its own
    own = Tokens(
        count.count_messages(request.messages, model, request.response_schema), count.count(answer.text, model)
    )
    if answer.tokens is None:
        return own, {"usage": "counted_here"}
    seen = answer.tokens.output - answer.tokens.reasoning
    doubtful = answer.tokens.input > own.input * params.usage_factor_max or seen > own.output * params.usage_factor_max
    return answer.tokens, {"usage": "doubtful"} if doubtful else {}


def _model_note(answered: str, asked: str) -> dict[str, Any]:
    """Note a model that is neither the one asked for nor a dated version of it."""
    known = answered == asked or (answered.startswith(f"{asked}-") and answered[len(asked) + 1 :][:1].isdigit())
    return {} if known else {"model_differs": True}


def _refusal_note(parsed: Mapping[str, Any] | None) -> dict[str, Any]:
    """Note whether an answer by a schema with a `refused` field refuses; `monitor` watches the share."""
    refused = (parsed or {}).get("refused")
    return {"refused": refused} if isinstance(refused, bool) else {}


def embed_ask(
    texts: Sequence[str], mode: EmbedMode, model: str, endpoint: Endpoint, params: ProviderParams, step: str
) -> Ask[Vectors]:
    """Build the call for one batch of texts."""
    inputs = [clean(text) for text in texts]

    def own() -> Tokens:
        return Tokens(sum(count.count(text, model) for text in inputs), 0)

    def worst() -> Tokens:
        return Tokens(int(own().input * params.reserve_factor) + 1, 0)

    def check(body: bytes) -> Checked[Vectors]:
        vectors, answered, billed = read_vectors(body, count=len(inputs))
        notes = {} if billed else {"usage": "counted_here"}
        return Checked(vectors, answered, billed or own(), notes=notes)

    body = {"model": model, "input": inputs, "encoding_format": "base64"}
    tags = CallTags(step, metadata={"texts": len(inputs), "mode": mode})
    return Ask(endpoint, "/embeddings", body, "embeddings", model, tags, None, worst, check)

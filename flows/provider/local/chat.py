"""Turn a chat request into OpenAI's completion objects, whole or as a stream.

`usage` counts what was really read and written, with MiniLM's word-piece tokenizer: the local
models have no other. An answer longer than the allowed tokens is cut after the last whole token
and says `length`, as a hosted model's would be.
"""

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any, Protocol

from flows.provider.local.ask import Ask, Message, read_ask
from flows.provider.local.catalog import MODELS
from flows.provider.local.reply import Reply, as_json
from flows.provider.local.wire import ApiError, ChatRequest

_PIECES = re.compile(r"\S+\s*|\s+")


class Reader(Protocol):
    """A chat model: answers a request that was read."""

    @property
    def fingerprint(self) -> str:
        """Changes with everything that may change an answer."""

    def reply(self, ask: Ask, *, temperature: float, seed: int) -> Reply:
        """Answer."""


class Tokens(Protocol):
    """Counts tokens and cuts text at them."""

    def count(self, text: str) -> int:
        """Return the number of tokens."""

    def cut(self, text: str, limit: int) -> str:
        """Return the longest beginning of at most `limit` tokens."""


def complete(request: ChatRequest, reader: Reader, tokens: Tokens, *, id_: str, created: int) -> dict[str, Any]:
    """Return a `chat.completion` object.

    Raises:
        ApiError: 400 when the prompt exceeds the context or the format lacks its schema.
    """
    messages = [Message(message.role, message.text()) for message in request.messages]
    prompt_tokens = _prompt_tokens(request, messages, tokens)
    ask = read_ask(messages)
    seed = request.seed or 0
    choices = [
        _choice(number, request, reader.reply(ask, temperature=request.temperature or 0.0, seed=seed + number), tokens)
        for number in range(request.n or 1)
    ]
    return {
        "id": id_,
        "object": "chat.completion",
        "created": created,
        "model": request.model,
        "system_fingerprint": reader.fingerprint,
        "choices": choices,
        "usage": usage(prompt_tokens, sum(tokens.count(choice["message"]["content"]) for choice in choices)),
    }


def usage(prompt_tokens: int, completion_tokens: int) -> dict[str, Any]:
    """Return the `usage` object of a completion; nothing is cached or reasoned in secret here."""
    return {
        "prompt_tokens": prompt_tokens,
        "completion_tokens": completion_tokens,
        "total_tokens": prompt_tokens + completion_tokens,
        "prompt_tokens_details": {"cached_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0},
    }


def _prompt_tokens(request: ChatRequest, messages: Sequence[Message], tokens: Tokens) -> int:
    count = sum(tokens.count(message.text) for message in messages)
    base = request.model.split(":")[1] if request.model.startswith("ft:") else request.model
    limit = MODELS[base].context_tokens
    if count > limit:
        raise ApiError(
            f"The prompt has {count} tokens, {request.model!r} reads {limit}. Send fewer or shorter chunks.",
            code="context_length_exceeded",
            param="messages",
        )
    return count


def _choice(number: int, request: ChatRequest, reply: Reply, tokens: Tokens) -> dict[str, Any]:
    text = _stopped(_written(request, reply), request.stop)
    limit = request.max_completion_tokens or request.max_tokens
    short = tokens.cut(text, limit) if limit is not None else text
    return {
        "index": number,
        "message": {"role": "assistant", "content": short, "refusal": None},
        "logprobs": None,
        "finish_reason": "stop" if short == text else "length",
    }


def _written(request: ChatRequest, reply: Reply) -> str:
    wanted = request.response_format
    if wanted.type == "text":
        return reply.prose
    if wanted.type == "json_object":
        return as_json(reply, None)
    if wanted.json_schema is None or wanted.json_schema.body is None:
        raise ApiError("A format of type 'json_schema' needs a schema.", param="response_format.json_schema.schema")
    return as_json(reply, wanted.json_schema.body)


def _stopped(text: str, stop: str | list[str] | None) -> str:
    marks = [stop] if isinstance(stop, str) else stop or []
    return text[: min((at for mark in marks if mark and (at := text.find(mark)) >= 0), default=len(text))]


def stream(completion: dict[str, Any], *, include_usage: bool) -> Iterator[str]:
    """Yield a finished completion as server-sent events, one word at a time."""
    head = {key: completion[key] for key in ("id", "created", "model", "system_fingerprint")}
    head |= {"object": "chat.completion.chunk"} | ({"usage": None} if include_usage else {})
    for choice in completion["choices"]:
        for delta in _deltas(choice["message"]["content"]):
            yield _event(head, [_part(choice["index"], delta, None)])
        yield _event(head, [_part(choice["index"], {}, choice["finish_reason"])])
    if include_usage:
        yield _event(head | {"usage": completion["usage"]}, [])
    yield "data: [DONE]\n\n"


def _deltas(text: str) -> Iterator[dict[str, str]]:
    yield {"role": "assistant", "content": ""}
    for piece in _PIECES.findall(text):
        yield {"content": piece}


def _part(index: int, delta: dict[str, str], finish_reason: str | None) -> dict[str, Any]:
    return {"index": index, "delta": delta, "logprobs": None, "finish_reason": finish_reason}


def _event(head: dict[str, Any], choices: list[dict[str, Any]]) -> str:
    return f"data: {json.dumps(head | {'choices': choices}, ensure_ascii=False)}\n\n"

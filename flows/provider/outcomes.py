"""Check an answer before anything uses, stores or counts it.

The order matters: `finish_reason` comes before parsing, so that a cut answer is `truncated` and not
a JSON error; usage is checked against our own count; vectors are placed by `index`, never by
position. A body that is not what the wire promises is an *unknown* outcome: it was probably billed.
"""

import binascii
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt

from flows.core.ids import canonical_json

Vectors = npt.NDArray[np.float32]
_KEY_LIKE = re.compile(r"\b(?:sk|pk|rk)[-_][A-Za-z0-9*._-]{6,}|\bBearer\s+\S+")
ROUNDING = 1e-6  # a length this near to 1 is that of a vector in float32 that was scaled before
FLOAT_BYTES = 4  # of a float32, the wire's number
_DETAIL_CHARS = 300  # of a provider's message, so that an error stays readable


class BrokenBodyError(Exception):
    """The answer is not what the wire promises; it may have been billed."""


class UnusableAnswerError(Exception):
    """A well-formed answer that cannot be used; `error_class` names the kind."""

    def __init__(self, error_class: str, message: str, usage: "Tokens | None" = None) -> None:
        super().__init__(message)
        self.error_class, self.usage = error_class, usage


@dataclass(frozen=True)
class Tokens:
    """Billed tokens; cached ones, audio and images are inside `input`, reasoning, audio and images inside `output`."""

    input: int
    output: int
    cached: int = 0
    reasoning: int = 0
    cache_write: int = 0
    audio_input: int = 0
    audio_output: int = 0
    image_input: int = 0
    image_output: int = 0


@dataclass(frozen=True)
class Answer:
    """A chat answer that arrived whole; `tokens` is None when the provider gave no sound count."""

    text: str
    finish_reason: str
    model: str
    system_fingerprint: str | None
    tokens: Tokens | None


def redact(text: str, *keys: str) -> str:
    """Return a provider's message without keys: the given ones, their parts, and all that look like one."""
    for key in keys:
        if len(key) >= 8:
            text = text.replace(key, "[key]").replace(key[-8:], "[key]")
    return _KEY_LIKE.sub("[key]", text)[:_DETAIL_CHARS]


def clean(text: str) -> str:
    """Replace lone surrogates, which no encoder can store, and join pairs."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace") if not text.isascii() else text


def read_object(body: bytes) -> dict[str, Any]:
    """Parse a body that must be a JSON object without NaN or infinity.

    Raises:
        BrokenBodyError: It is not.
    """
    try:
        value = json.loads(body, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise BrokenBodyError(f"the body of {len(body)} bytes is not JSON") from None
    if not isinstance(value, dict):
        raise BrokenBodyError(f"the body is a JSON {type(value).__name__}, not an object")
    return value


def _no_constant(name: str) -> NoReturn:
    raise ValueError(name)


def read_chat(body: bytes) -> Answer:
    """Read a chat completion.

    Raises:
        BrokenBodyError: The body is damaged or holds no choice.
        UnusableAnswerError: The model stopped for another reason than being finished.
    """
    value = read_object(body)
    tokens = read_tokens(value.get("usage"))
    choices = value.get("choices")
    if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
        raise BrokenBodyError("the answer holds no choice")
    choice, message = choices[0], choices[0].get("message")
    if not isinstance(message, dict):
        raise BrokenBodyError("the answer holds no message")
    reason, text = choice.get("finish_reason"), message.get("content")
    _check_finish(reason, message.get("refusal"), text, tokens)
    return Answer(
        clean(str(text)), str(reason), str(value.get("model") or ""), _text(value.get("system_fingerprint")), tokens
    )


def _check_finish(reason: Any, refusal: Any, text: Any, tokens: Tokens | None) -> None:
    if reason == "length":
        raise UnusableAnswerError("truncated", "the answer was cut at max_output_tokens. Raise it.", tokens)
    if reason == "content_filter":
        raise UnusableAnswerError("content_filter", "the provider's filter withheld the answer", tokens)
    if refusal:
        raise UnusableAnswerError("refusal", "the model refused to answer", tokens)
    if reason != "stop":
        raise UnusableAnswerError("unknown_finish_reason", f"the answer ended with {str(reason)[:40]!r}", tokens)
    if not isinstance(text, str) or not text.strip():
        raise UnusableAnswerError("empty_answer", "the answer is empty", tokens)


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def read_tokens(usage: Any) -> Tokens | None:
    """Return the billed tokens of a chat or embedding body, or None when they are missing or impossible."""
    if not isinstance(usage, dict):
        return None
    inside = usage.get("prompt_tokens_details") or {}
    outside = usage.get("completion_tokens_details") or {}
    counts = [
        usage.get("prompt_tokens"),
        usage.get("completion_tokens", 0),
        inside.get("cached_tokens") or 0,
        outside.get("reasoning_tokens") or 0,
    ]
    if not all(isinstance(count, int) and not isinstance(count, bool) and 0 <= count < 2**53 for count in counts):
        return None
    tokens = Tokens(*counts)
    return tokens if tokens.cached <= tokens.input and tokens.reasoning <= tokens.output else None


def parse_output(text: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    """Parse an answer as JSON and check it against its schema.

    Raises:
        UnusableAnswerError: It is not JSON, not an object, or breaks the schema; says where, not what.
    """
    try:
        value = read_object(text.encode("utf-8", "replace"))
    except BrokenBodyError:
        raise UnusableAnswerError("schema_mismatch", "the answer is not a JSON object") from None
    fault = next(_validator(canonical_json(schema)).iter_errors(value), None)
    if fault is not None:
        where = "/".join(str(part) for part in fault.absolute_path) or "its top"
        raise UnusableAnswerError("schema_mismatch", f"the answer breaks {str(fault.validator)!r} at {where!r}")
    return value


@lru_cache(maxsize=32)
def _validator(schema: str) -> Any:
    from jsonschema import Draft202012Validator

    return Draft202012Validator(json.loads(schema))


def read_vectors(body: bytes, *, count: int) -> tuple[Vectors, str, Tokens | None]:
    """Read an embedding answer: unit vectors in the order of the inputs, the model's name, the tokens.

    Raises:
        BrokenBodyError: The body is damaged.
        UnusableAnswerError: Vectors are missing, doubled, of mixed length, not finite or zero.
    """
    value = read_object(body)
    tokens, data = read_tokens(value.get("usage")), value.get("data")
    if not isinstance(data, list):
        raise BrokenBodyError("the answer holds no vectors")
    try:
        placed = {int(item["index"]): _vector_bytes(item["embedding"]) for item in data}
    except (KeyError, TypeError, ValueError):
        raise BrokenBodyError("a vector is not readable") from None
    if len(data) != count or sorted(placed) != list(range(count)):
        raise UnusableAnswerError("bad_embedding", f"{len(data)} vectors came for {count} texts", tokens)
    if len(set(map(len, placed.values()))) != 1:
        raise UnusableAnswerError("bad_embedding", "the vectors differ in length", tokens)
    matrix = np.frombuffer(b"".join(placed[i] for i in range(count)), dtype="<f4").reshape(count, -1)
    return normalised(matrix, tokens), str(value.get("model") or ""), tokens


def _vector_bytes(value: Any) -> bytes:
    """Return a vector as little-endian float32, from base64 or from a list of numbers."""
    if isinstance(value, str):
        found = binascii.a2b_base64(value, strict_mode=True)
        if len(found) % FLOAT_BYTES:
            raise ValueError(len(found))
        return found
    if not isinstance(value, list):
        raise TypeError(type(value).__name__)
    with np.errstate(over="ignore"):  # infinity is found with the lengths
        return np.asarray(value, dtype="<f4").tobytes()


def normalised(matrix: Vectors, tokens: Tokens | None = None) -> Vectors:
    """Return the rows scaled to length 1; scaling them again changes no bit, so a kept vector is the first one.

    Raises:
        UnusableAnswerError: A row is empty, not finite, or has length 0.
    """
    norms = lengths(matrix) if matrix.ndim == 2 else np.zeros(1)
    bad = int(np.sum(norms == 0))
    if bad:
        raise UnusableAnswerError("bad_embedding", f"{bad} of {len(matrix)} vectors are zero or not finite", tokens)
    return np.asarray(matrix / norms[:, None], dtype=np.float32)


def lengths(matrix: Vectors) -> npt.NDArray[np.float64]:
    """Return what to divide each row by for length 1: exactly 1 where it is that long, and 0 where none would do."""
    norms = np.linalg.norm(matrix.astype(np.float64), axis=1)
    norms[~np.isfinite(norms)] = 0.0
    norms[np.abs(norms - 1) < ROUNDING] = 1.0
    return np.asarray(norms)

"""Count tokens offline, for budgets before a call and as a control of reported usage after it.

Exact for OpenAI's models (vocabularies inside `bpe-openai`; tiktoken would download them). Models of
other makers, local ones included, are approximated by the same vocabulary: `provider.reserve_factor` is the margin.
"""

from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

from flows.core.ids import canonical_json
from flows.provider.outcomes import clean
from flows.provider.requests import Message

# OpenAI's cookbook: every message is framed by 3 tokens and the answer is primed by 3.
FRAME_TOKENS = 3
PART_CHARS = 100_000  # the library refuses a million; a cut costs at most one token
_CL100K = ("gpt-4-", "gpt-4", "gpt-3.5", "text-embedding-")
_O200K = ("gpt-4o", "gpt-4.1", "gpt-4.5")


def encoding_name(model: str) -> str:
    """Return the vocabulary of a model; the newest one for models that are not known."""
    name = model.rsplit("/", 1)[-1].removeprefix("ft:").lower()
    return "cl100k_base" if name.startswith(_CL100K) and not name.startswith(_O200K) else "o200k_base"


@cache
def _encoding(name: str) -> Any:
    from bpe_openai import get_encoding

    return get_encoding(name)


def count(text: str, model: str) -> int:
    """Return the number of tokens of a text."""
    return len(_encode(text, model))


def count_messages(messages: Iterable[Message], model: str, schema: Mapping[str, Any] | None = None) -> int:
    """Return the input tokens of a chat request; a response schema travels with the prompt and is counted."""
    framed = sum(FRAME_TOKENS + 1 + count(message.content, model) for message in messages)
    return framed + FRAME_TOKENS + (count(canonical_json(schema), model) if schema else 0)


def truncate(text: str, tokens_max: int, model: str) -> str:
    """Return the longest beginning of a text that has at most `tokens_max` tokens."""
    tokens = _encode(text, model)
    if len(tokens) <= tokens_max:
        return text
    return str(_encoding(encoding_name(model)).decode(tokens[:tokens_max], errors="ignore"))


def _encode(text: str, model: str) -> list[int]:
    encoding, text = _encoding(encoding_name(model)), clean(text)
    parts = (text[start : start + PART_CHARS] for start in range(0, len(text), PART_CHARS))
    return [token for part in parts for token in encoding.encode_ordinary(part)]

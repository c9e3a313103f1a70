"""What any target may say to a question, and how that becomes a row of `answers`.

A target is whatever is evaluated: a release, an endpoint, a function, a file of answers. The last
two say as much as they like in one form (`reply_of`): a text, or a mapping with the keys of `KEYS`.
What a target never gives (contexts, tokens, …) is known to be missing, so the metrics that need it are
not measured instead of being 0. A text without a `refused` of its own is a refusal when its first
sentence holds one of `evaluate.refusal_phrases`.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from flows.core.contracts import ANSWERS
from flows.core.errors import ContractError, did_you_mean
from flows.core.tables import check, empty
from flows.evaluate.answering import Wanted
from flows.evaluate.cases import NOT_GIVEN
from flows.evaluate.words import SENTENCE

if TYPE_CHECKING:
    import pandas as pd

KEYS = (
    "answer", "refused", "format_valid", "contexts", "citations", "latency_ms", "cost_usd", "input_tokens",
    "output_tokens", "error", "mean_logprob",
)  # fmt: skip
CONTEXT_KEYS = ("text", "chunk_id", "id", "document_id", "document_version", "start", "end", "score")
NEEDS = {
    "contexts": ("groundedness", "retrieval_recall", "retrieval_precision", "mrr", "ndcg"),
    "citations": ("citation_precision", "citation_recall", "attribution"),
    "format_valid": ("format_validity", "format_robustness"),
    "input_tokens": ("input_tokens",),
    "output_tokens": ("output_tokens",),
    "latency_ms": ("latency_ms",),
    "cost_usd": ("cost_usd",),
}  # metrics that cannot be measured for a target that never gives the part


@dataclass(frozen=True)
class Reply:
    """One answer of a target; None = the target does not say."""

    answer: str = ""
    refused: bool | None = None
    format_valid: bool | None = None
    contexts: tuple[Mapping[str, Any], ...] | None = None  # best first; text, chunk_id and its place in a document
    citations: tuple[str, ...] | None = None  # chunk ids of contexts
    latency_ms: float | None = None
    cost_usd: float | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    error: str | None = None  # why there is no answer, in one word
    mean_logprob: float | None = None  # per token of the answer, natural log
    call_ids: tuple[str, ...] = ()


def reply_of(said: Any) -> Reply:
    """Read what a function returned or a file recorded.

    Args:
        said: A text, or a mapping of `KEYS`; `contexts` are texts or mappings with `text`, `citations` are
            chunk ids or places in `contexts` counted from 1.

    Raises:
        ContractError: Anything else; names the key.
    """
    if isinstance(said, str):
        return Reply(said)
    if not isinstance(said, Mapping):
        raise ContractError(f"an answer is a {type(said).__name__}. Give a text, or a mapping with the key 'answer'.")
    for name in said:
        if name not in KEYS:
            raise ContractError(f"key {name!r} is unknown.{did_you_mean(str(name), KEYS)} Known: {', '.join(KEYS)}.")
    given = {name: value for name, value in said.items() if value is not None}
    if "answer" not in given and "error" not in given:
        raise ContractError("there is no key 'answer'. Give the text, or the key 'error' with a reason.")
    contexts = None if "contexts" not in given else tuple(map(_context, enumerate(_list(given, "contexts"), start=1)))
    return Reply(
        answer=_kind(given, "answer", str, ""), refused=_kind(given, "refused", bool, None),
        format_valid=_kind(given, "format_valid", bool, None), contexts=contexts,
        citations=None if "citations" not in given else _citations(_list(given, "citations"), contexts or ()),
        latency_ms=_amount(given, "latency_ms"), cost_usd=_amount(given, "cost_usd"),
        input_tokens=_whole(given, "input_tokens"), output_tokens=_whole(given, "output_tokens"),
        error=_kind(given, "error", str, None), mean_logprob=_logprob(given),
    )  # fmt: skip


def _kind(given: Mapping[str, Any], key: str, kind: type, otherwise: Any) -> Any:
    value = given.get(key, otherwise)
    if value is not otherwise and not isinstance(value, kind):
        raise ContractError(f"{key!r} is a {type(value).__name__}. Give a {kind.__name__}.")
    return value


def _amount(given: Mapping[str, Any], key: str) -> float | None:
    value = given.get(key)
    if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
        raise ContractError(f"{key!r} is a {type(value).__name__}. Give a number of 0 or more, or leave it out.")
    if value is not None and not 0 <= value < math.inf:
        raise ContractError(f"{key!r} is {value!r}. Give a number of 0 or more, or leave it out.")
    return None if value is None else float(value)


def _logprob(given: Mapping[str, Any]) -> float | None:
    value = given.get("mean_logprob")
    number = isinstance(value, int | float) and not isinstance(value, bool) and -math.inf < value <= 0
    if value is not None and not number:
        raise ContractError("'mean_logprob' is no mean log-probability. Give a number of 0 or less, or leave it out.")
    return None if value is None else float(value)


def _whole(given: Mapping[str, Any], key: str) -> int | None:
    value = _amount(given, key)
    return None if value is None else round(value)


def _list(given: Mapping[str, Any], key: str) -> list[Any]:
    value = given[key]
    if not isinstance(value, list | tuple):
        raise ContractError(f"{key!r} is a {type(value).__name__}. Give a list, empty where there is nothing.")
    return list(value)


def _context(numbered: tuple[int, Any]) -> dict[str, Any]:
    number, item = numbered
    values = {"text": item} if isinstance(item, str) else item
    if not isinstance(values, Mapping) or not isinstance(values.get("text"), str):
        raise ContractError(f"context {number} has no text. Give texts, or mappings with the key 'text'.")
    for name in values:
        if name not in CONTEXT_KEYS:
            raise ContractError(f"context {number} has the unknown key {name!r}.{did_you_mean(name, CONTEXT_KEYS)}")
    start = int(values.get("start") or 0)
    return {
        "chunk_id": str(values.get("chunk_id") or values.get("id") or f"context {number}"),
        "document_id": str(values.get("document_id") or ""),
        "document_version": str(values.get("document_version") or ""),
        "start": start, "end": int(values.get("end") or start + len(values["text"])),
        "score": float(values.get("score") or 0.0), "text": values["text"],
    }  # fmt: skip


def _citations(named: list[Any], contexts: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    places = {number: item["chunk_id"] for number, item in enumerate(contexts, start=1)}
    return tuple(places.get(item, f"context {item}") if isinstance(item, int) else str(item) for item in named)


def refuses(answer: str, phrases: Sequence[str]) -> bool:
    """Return whether the first sentence of an answer says that there is none."""
    first = SENTENCE.split(answer.strip(), maxsplit=1)[0].casefold().replace("’", "'")
    return any(phrase.casefold() in first for phrase in phrases)


def lacking(replies: Sequence[Reply]) -> dict[str, tuple[str, ...]]:
    """Return the parts that no answered reply gives, with the metrics that need them.

    Token counts that some replies lack are lacking as a whole: a sum over the others would be too small.
    """
    answered = [reply for reply in replies if reply.error is None]
    found = {}
    for part, metrics in NEEDS.items():
        absent = [getattr(reply, part) is None for reply in answered]
        if all(absent) or (part.endswith("tokens") and any(absent)):
            found[part] = metrics
    return found


def unmeasured(scores: "pd.DataFrame", parts: Mapping[str, Sequence[str]]) -> "pd.DataFrame":
    """Return the scores with the metrics that a target cannot have marked as not measured."""
    names = [name for metrics in parts.values() for name in metrics]
    rows = scores["metric"].isin(names) & (scores["unscored_reason"] != "not_applicable")
    return scores.assign(
        score=scores["score"].mask(rows), unscored_reason=scores["unscored_reason"].mask(rows, NOT_GIVEN)
    )


def rows_of(target_id: str, todo: Sequence[Wanted], replies: Sequence[Reply], phrases: Sequence[str]) -> "pd.DataFrame":
    """Return the table `answers` of a target; a failed question keeps its row."""
    import pandas as pd

    rows = [
        {
            "answer_id": item.answer_id(target_id),
            "release_id": target_id, "question_id": item.question_id, "sample": item.sample, "answer": reply.answer,
            "refused": refuses(reply.answer, phrases) if reply.refused is None else reply.refused,
            "format_valid": reply.format_valid is not False and reply.error is None,
            "citations": json.dumps(list(reply.citations or ())),
            "retrieved": json.dumps([dict(item) for item in reply.contexts or ()], ensure_ascii=False),
            "call_ids": json.dumps(list(reply.call_ids)),
            "input_tokens": reply.input_tokens or 0, "output_tokens": reply.output_tokens or 0,
            "latency_ms": reply.latency_ms, "cost_usd": reply.cost_usd, "error": reply.error,
            "mean_logprob": reply.mean_logprob,
        }
        for item, reply in zip(todo, replies, strict=True)
    ]  # fmt: skip
    return check(pd.DataFrame(rows), ANSWERS) if rows else empty(ANSWERS)

"""The tables that stages exchange, as Pandera contracts: columns, types, ranges, keys.

A frame is checked when it is written and when it is read (`flows.core.tables`). Columns that
hold lists or structures are JSON text, so that every reader of Parquet can open them.
Times are UTC.
"""

from typing import Any

import pandera.pandas as pa

from flows.core.access import ACCESS

QUESTION_TYPES = (
    "simple", "complex", "distracting", "situational", "double", "conversational", "unanswerable", "challenge",
)  # fmt: skip
QUARANTINE_CODES = (
    "empty", "too_short", "too_large", "unreadable", "encrypted", "no_text", "encoding", "corrupt", "unsupported",
    "archive_bomb", "unsafe_archive", "xml_entities", "timeout", "memory", "forbidden", "malformed_rows", "schema",
    "duplicate_id", "secret", "policy",
)  # fmt: skip
OPERATIONS = ("chat", "embeddings", "moderation", "fine_tuning", "batch")
STATUSES = ("ok", "error", "unknown_outcome")

TIME = "datetime64[us, UTC]"
HASH32 = pa.Check.str_matches(r"^[0-9a-f]{32}$")
HASH64 = pa.Check.str_matches(r"^[0-9a-f]{64}$")
SHARE = pa.Check.in_range(0.0, 1.0)
NOT_NEGATIVE = pa.Check.ge(0)
LABELS = pa.Check.str_matches(ACCESS)


def _text(**options: Any) -> pa.Column:
    return pa.Column(str, **options)


def _count(**options: Any) -> pa.Column:
    return pa.Column("int64", NOT_NEGATIVE, **options)


def _contract(name: str, key: list[str], columns: dict[str, pa.Column], checks: Any = None) -> pa.DataFrameSchema:
    return pa.DataFrameSchema(columns, name=name, unique=key, strict=True, coerce=True, checks=checks)


DOCUMENTS = _contract("documents", ["document_id"], {
    "document_id": _text(checks=HASH32),
    "document_version": _text(checks=HASH32),
    "source_uri": _text(),  # relative to data/sources, or a URL; row documents end in `#<row id>`
    "title": _text(),
    "access": _text(checks=LABELS),  # labels that a reader must hold, all of them, joined by commas
    "media_type": _text(),
    "text": _text(checks=pa.Check.str_length(min_value=1)),
    "language": _text(),  # ISO 639-1, or `und`
    "n_chars": _count(),
    "parsed_by": _text(),  # parser and version
    "pii_counts": _text(),  # JSON {kind: count}
    "flags": _text(),  # JSON [flag, …]
})  # fmt: skip

CHUNKS = _contract("chunks", ["chunk_id"], {
    "chunk_id": _text(checks=HASH32),
    "document_id": _text(checks=HASH32),
    "document_version": _text(checks=HASH32),
    "source_uri": _text(),
    "title": _text(),
    "access": _text(checks=LABELS),  # its document's
    "heading": _text(),  # path of headings above the chunk, joined by " > "
    "start": _count(),  # characters into the document's text
    "end": _count(),  # exclusive
    "text": _text(checks=pa.Check.str_length(min_value=1)),  # exactly document.text[start:end]
    "n_tokens": _count(),
    "duplicate_of": _text(nullable=True),  # chunk_id whose text and access are equal; embedded once
}, checks=pa.Check(lambda frame: frame["end"] > frame["start"], name="end_after_start"))  # fmt: skip

QUARANTINE = _contract("quarantine", ["source_uri", "sha256", "reason_code"], {
    "source_uri": _text(),
    "sha256": _text(checks=HASH64),
    "reason_code": _text(checks=pa.Check.isin(QUARANTINE_CODES)),
    "rule": _text(),
    "detail": _text(),  # numbers and positions, never content
    "first_seen": pa.Column(TIME),
})  # fmt: skip

QUESTIONS = _contract("questions", ["question_id"], {
    "question_id": _text(checks=HASH32),
    "question": _text(checks=pa.Check.str_length(min_value=3)),
    "question_type": _text(checks=pa.Check.isin(QUESTION_TYPES)),
    "reference_answer": _text(),  # empty when unanswerable
    "reference_spans": _text(),  # JSON [{document_id, document_version, start, end, quote}, …]; [] if unanswerable
    "answerable": pa.Column(bool),
    "origin": _text(),  # the method that made it, `imported:<file>`, or `llm:<model>`
    "topic": _text(),
    "document_id": _text(nullable=True),  # cluster for the gate; null when unanswerable and unattached
    "document_version": _text(nullable=True),
    "reviewed_by": _text(nullable=True),
    "stale": pa.Column(bool),
    # JSON {kind, expect, planted, canary, pair_id, origin}; null for an ordinary question and in older tables
    "challenge": _text(nullable=True, required=False),
})  # fmt: skip

ANSWERS = _contract("answers", ["answer_id"], {
    "answer_id": _text(checks=HASH32),  # of release, question, sample
    "release_id": _text(checks=HASH32),
    "question_id": _text(checks=HASH32),
    "sample": _count(),
    "answer": _text(),
    "refused": pa.Column(bool),
    "format_valid": pa.Column(bool),
    "citations": _text(),  # JSON [chunk_id, …] in the order they are cited
    "retrieved": _text(),  # JSON [{chunk_id, document_id, document_version, start, end, text, score}, …], best first
    "call_ids": _text(),  # JSON [call_id, …]
    "input_tokens": _count(),
    "output_tokens": _count(),
    "latency_ms": pa.Column(float, NOT_NEGATIVE, nullable=True),
    "cost_usd": pa.Column(float, NOT_NEGATIVE, nullable=True),  # null = unpriced
    "error": _text(nullable=True),  # error class when the chain failed; the row is never dropped
    # per token of the answer, natural log; null where nobody kept it and in older tables
    "mean_logprob": pa.Column(float, pa.Check.le(0), nullable=True, required=False),
})  # fmt: skip

SCORES = _contract("scores", ["release_id", "question_id", "sample", "metric"], {
    "release_id": _text(checks=HASH32),
    "question_id": _text(checks=HASH32),
    "document_id": _text(),  # cluster; the question id stands in where a question has no document
    "question_type": _text(),
    "sample": _count(),
    "metric": _text(),
    "score": pa.Column(float, nullable=True),  # null = unscored, never zero
    "unscored_reason": _text(nullable=True),
})  # fmt: skip

CALLS = _contract("calls", ["call_id"], {
    "call_id": _text(checks=HASH32),
    "started_at": pa.Column(TIME),
    "conversation_id": _text(nullable=True),
    "release_id": _text(nullable=True),
    "step": _text(),  # step of the chain, or the stage that asked
    "use_case": _text(),  # `answer` for production traffic; `evaluation`, `indexing`, … for our own work
    "operation": _text(checks=pa.Check.isin(OPERATIONS)),
    "provider": _text(),
    "request_model": _text(),
    "response_model": _text(nullable=True),
    "system_fingerprint": _text(nullable=True),
    "prompt_id": _text(nullable=True),  # name@version of the prompt file
    "prompt": _text(nullable=True),  # text, `sha256:<hash>`, or null, by calls.privacy
    "completion": _text(nullable=True),
    "input_tokens": pa.Column("Int64", NOT_NEGATIVE, nullable=True),
    "cached_input_tokens": pa.Column("Int64", NOT_NEGATIVE, nullable=True),
    "output_tokens": pa.Column("Int64", NOT_NEGATIVE, nullable=True),
    "reasoning_tokens": pa.Column("Int64", NOT_NEGATIVE, nullable=True),
    "latency_ms": pa.Column(float, NOT_NEGATIVE, nullable=True),
    "time_to_first_token_ms": pa.Column(float, NOT_NEGATIVE, nullable=True),
    "finish_reason": _text(nullable=True),
    "status": _text(checks=pa.Check.isin(STATUSES)),
    "error_class": _text(nullable=True),
    "cost_usd": pa.Column(float, NOT_NEGATIVE, nullable=True),  # null = unpriced, never free
    "metadata": _text(),  # JSON object
})  # fmt: skip

FORECAST = _contract("forecast", ["unique_id", "ds", "level"], {
    "unique_id": _text(),  # "<use_case>/<model>/<token type>", or "total"
    "ds": pa.Column(TIME),  # start of the UTC day
    "horizon": _count(),  # days ahead, from 1
    "level": _count(),  # 80 or 95, in per cent
    "tokens": pa.Column(float, NOT_NEGATIVE, nullable=True),
    "cost_usd": pa.Column(float, NOT_NEGATIVE, nullable=True),  # null = unpriced
    "lower_usd": pa.Column(float, NOT_NEGATIVE, nullable=True),
    "upper_usd": pa.Column(float, NOT_NEGATIVE, nullable=True),
    "driver": _text(),  # traffic, evaluation, re_embed, event name, …
    "scenario": _text(),  # `baseline` unless a what-if
})  # fmt: skip

"""Content hashes and the ids made of them.

An id is a hash wherever the outside world has a say in its text: a hash can be put into a
filter expression or a file name without quoting (research: one document id with a quote in it
deleted a whole table).
"""

import hashlib
import json
from json.encoder import encode_basestring
from typing import Any

_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
ID_CHARS = 32  # 128 bits: a collision among 10^9 ids has odds below 10^-20


def sha256(data: bytes | str) -> str:
    """Return the SHA-256 of bytes, or of a text's UTF-8 encoding, as 64 hex digits."""
    return hashlib.sha256(data.encode() if isinstance(data, str) else data).hexdigest()


def canonical_json(value: Any) -> str:
    """Serialise to the one JSON text that equal values share (sorted keys, no spaces, no NaN).

    Raises:
        ValueError: The value holds NaN or infinity.
        TypeError: The value holds something JSON cannot say.
    """
    return _CANONICAL.encode(value)


def content_id(*parts: Any) -> str:
    """Return an id of 32 hex digits for JSON-serialisable parts; their boundaries count."""
    return sha256(f"[{','.join(map(_part, parts))}]")[:ID_CHARS]


def _part(value: Any) -> str:
    """Return the canonical JSON of one part; nearly all are texts or numbers, which need no encoder."""
    kind = type(value)
    return encode_basestring(value) if kind is str else repr(value) if kind is int else canonical_json(value)


def document_id(source_uri: str) -> str:
    """Return the id of a document: where it lives, so that it survives every edit."""
    return content_id("document", source_uri)


def document_version(text: str) -> str:
    """Return the version of a document: its normalised text, whatever its place."""
    return content_id("text", text)


def chunk_id(document: str, version: str, start: int, end: int, chunker: str) -> str:
    """Return the id of the slice `[start:end]` (characters) cut by the named chunker."""
    return content_id("chunk", document, version, start, end, chunker)

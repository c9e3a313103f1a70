"""Answers and vectors that were paid for once, by content; nothing unchecked goes in or comes out.

One SQLite file (WAL). Every value carries the SHA-256 of its bytes, which is checked on every read:
a damaged or altered row is a miss, never an answer. Vectors of documents and of queries are
separate even where a model treats both alike, because another model may not.
"""

import json
import sqlite3
import threading
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np

from flows.core.ids import canonical_json
from flows.core.project import Project
from flows.provider.outcomes import FLOAT_BYTES, Vectors, lengths, normalised
from flows.provider.requests import ChatRequest, ChatResult, EmbedMode

BUSY_S = 30.0
_AT_ONCE = 500  # keys in one query: below the limit of every SQLite build
_PAGE_BYTES = 16_384  # of a new file: several vectors fit a page, which is a third less work and a fifth less disk


class Cache:
    """The project's cache; safe to use from several threads and processes."""

    def __init__(self, project: Project) -> None:
        path = project.state("cache", "provider.sqlite")
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = threading.Lock()
        try:
            self._base = _opened(path)
        except sqlite3.OperationalError:
            raise  # locked or no space: the file may be sound
        except sqlite3.DatabaseError:
            path.rename(path.with_name(f"provider.damaged-{uuid4().hex[:8]}.sqlite"))
            self._base = _opened(path)

    def close(self) -> None:
        """Close the cache."""
        self._base.close()

    def get_chat(self, key: bytes) -> ChatResult | None:
        """Return the stored answer, marked `from_cache`."""
        value = self._get("completions", [key]).get(key)
        if value is None:
            return None
        return replace(ChatResult(**json.loads(value)), from_cache=True)

    def put_chat(self, key: bytes, result: ChatResult) -> None:
        """Store a complete, validated answer."""
        self._put("completions", [(key, json.dumps(asdict(result)).encode())])

    def get_vectors(self, keys: Sequence[bytes]) -> dict[bytes, Vectors]:
        """Return the stored vectors (float32, length 1) by key; missing ones are absent."""
        found: dict[bytes, Vectors] = {}
        kept = self._get("embeddings", keys)
        for size in {len(value) for value in kept.values() if value and len(value) % FLOAT_BYTES == 0}:
            alike = [key for key, value in kept.items() if len(value) == size]
            matrix = np.frombuffer(b"".join(map(kept.__getitem__, alike)), dtype="<f4").reshape(len(alike), -1)
            norms = lengths(matrix)
            sound = np.flatnonzero(norms)
            rows = np.asarray(matrix[sound] / norms[sound, None], dtype=np.float32)
            found.update(zip((alike[place] for place in sound), rows, strict=True))
        return found

    def put_vectors(self, keys: Sequence[bytes], matrix: Vectors) -> None:
        """Store checked vectors, one row per key."""
        rows = normalised(matrix).astype("<f4")
        self._put("embeddings", [(key, row.tobytes()) for key, row in zip(keys, rows, strict=True)])

    def get_note(self, name: str) -> Any:
        """Return a small JSON value that belongs to the cache, such as probe vectors, or None."""
        key = name.encode()
        value = self._get("notes", [key]).get(key)
        return None if value is None else json.loads(value)

    def put_note(self, name: str, value: Any) -> None:
        """Store a small JSON value."""
        self._put("notes", [(name.encode(), canonical_json(value).encode())])

    def _get(self, table: str, keys: Sequence[bytes]) -> dict[bytes, bytes]:
        found: dict[bytes, bytes] = {}
        for start in range(0, len(keys), _AT_ONCE):
            part = keys[start : start + _AT_ONCE]
            marks = ",".join("?" * len(part))
            with self._lock:
                rows = self._base.execute(
                    f"SELECT key, value, sum FROM {table} WHERE key IN ({marks})",  # noqa: S608 - our own names
                    part,
                ).fetchall()
            found |= {key: value for key, value, total in rows if sha256(key + value).digest() == total}
        return found

    def _put(self, table: str, rows: Sequence[tuple[bytes, bytes]]) -> None:
        summed = [(key, value, sha256(key + value).digest()) for key, value in rows]
        with self._lock:
            self._base.execute("BEGIN IMMEDIATE")
            self._base.executemany(f"INSERT OR REPLACE INTO {table} VALUES (?, ?, ?)", summed)  # noqa: S608 - our own
            self._base.execute("COMMIT")


def _opened(path: Path) -> sqlite3.Connection:
    base = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
    path.chmod(0o600)
    base.execute(f"PRAGMA page_size={_PAGE_BYTES}")
    base.execute("PRAGMA journal_mode=WAL")
    base.execute("PRAGMA synchronous=NORMAL")  # losing the last answers in a power cut is harmless
    for table in ("completions", "embeddings", "notes"):
        columns = "key BLOB PRIMARY KEY, value BLOB NOT NULL, sum BLOB NOT NULL"
        base.execute(f"CREATE TABLE IF NOT EXISTS {table} ({columns})")
    return base


def chat_key(source: str, model: str, request: ChatRequest) -> bytes:
    """Return the key of an answer: whatever can change it, and nothing else.

    Args:
        source: Where the answer comes from: the provider's address, or the local models' code.
        model: The model that is asked.
        request: The request; its tags do not count.
    """
    parts: Mapping[str, Any] = {
        "source": source,
        "model": model,
        "messages": [[message.role, message.content] for message in request.messages],
        "temperature": request.temperature,
        "max_output_tokens": request.max_output_tokens,
        "seed": request.seed,
        "schema": request.response_schema,
        "sample": request.sample,
    }
    return sha256(canonical_json(parts).encode("utf-8", "surrogatepass")).digest()


def vector_keys(space: str, mode: EmbedMode, texts: Sequence[str]) -> list[bytes]:
    """Return the keys of texts in an embedding space (source, model, revision) and mode."""
    prefix = sha256(f"{space}\0{mode}\0".encode())
    keys = []
    for text in texts:
        digest = prefix.copy()
        digest.update(text.encode("utf-8", "surrogatepass"))
        keys.append(digest.digest())
    return keys

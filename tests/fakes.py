"""Stand-ins for the provider and the index, with their interfaces; tests/test_fakes.py holds them to it."""

import json
import re
import zlib
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from flows.core.ids import chunk_id, content_id, document_id, document_version
from flows.index.manifest import IndexManifest, content_tag
from flows.index.search import Hit
from flows.provider.requests import ChatRequest, ChatResult, EmbeddingFingerprint, ProviderFailure, ProviderUsage

DIMS = 256
INPUT_TOKENS, OUTPUT_TOKENS, LATENCY_MS, COST_USD = 100, 10, 25.0, 0.001
Scripted = Mapping[str, Any] | str | ProviderFailure | Callable[[ChatRequest], Any]


def words(text: str) -> list[str]:
    return re.findall(r"\w+", text.casefold())


def vector_of(text: str) -> np.ndarray:
    """A bag of hashed words, of length 1: texts that share words are near."""
    counts = np.zeros(DIMS, dtype=np.float32)
    for word in words(text):
        counts[zlib.crc32(word.encode()) % DIMS] += 1
    norm = float(np.linalg.norm(counts))
    return counts / norm if norm else np.eye(1, DIMS, dtype=np.float32)[0]


class ScriptedProvider:
    """Says what it was told to say, in order, and remembers what it was asked.

    A scripted item is the JSON of an answer, a plain text, a failure, or a function of the request
    that returns one of these.
    """

    def __init__(self, *script: Scripted, model: str = "scripted-1", embedding_model: str = "bag-of-words") -> None:
        self.chat_model, self.embedding_model = model, embedding_model
        self.script = deque(script)
        self.batches: list[list[ChatRequest]] = []
        self.embedded: list[tuple[str, list[str]]] = []
        self.usage = ProviderUsage()

    @property
    def requests(self) -> list[ChatRequest]:
        return [request for batch in self.batches for request in batch]

    def __enter__(self) -> "ScriptedProvider":
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def fingerprint(self) -> EmbeddingFingerprint:
        probe = content_id(self.embedding_model) * 2
        return EmbeddingFingerprint(self.embedding_model, "1", DIMS, True, "numpy", "float32", probe)

    def embed(self, texts: Sequence[str], mode: str = "document") -> np.ndarray:
        self.embedded.append((mode, list(texts)))
        return np.array([vector_of(text) for text in texts], dtype=np.float32).reshape(len(texts), DIMS)

    def chat(self, requests: Sequence[ChatRequest]) -> list[ChatResult | ProviderFailure]:
        self.batches.append(list(requests))
        return [self._reply(request) for request in requests]

    def _reply(self, request: ChatRequest) -> ChatResult | ProviderFailure:
        if not self.script:
            raise AssertionError(f"request {len(self.requests)} has no scripted answer")
        said = self.script.popleft()
        said = said(request) if callable(said) else said
        call = content_id("call", len(self.requests), len(self.script))
        self.usage.calls += 1
        if isinstance(said, ProviderFailure):
            self.usage.failed += 1
            return said
        text = said if isinstance(said, str) else json.dumps(said)
        return self._result(request, text, call)

    def _result(self, request: ChatRequest, text: str, call: str) -> ChatResult | ProviderFailure:
        from jsonschema import Draft202012Validator

        parsed = None
        if request.response_schema is not None:
            parsed = _json(text)
            if not Draft202012Validator(request.response_schema).is_valid(parsed):
                return ProviderFailure("schema_mismatch", "the answer breaks its schema", call, COST_USD)
        model = request.model or self.chat_model
        return ChatResult(
            text, parsed, "stop", call, model, model, None, INPUT_TOKENS, OUTPUT_TOKENS, 0, LATENCY_MS, COST_USD
        )


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None


class MemoryIndex:
    """The texts it was given, searched exactly: cosine of `vector_of`, and shared words."""

    def __init__(self, texts: Sequence[str], *, embedding_model: str = "bag-of-words") -> None:
        self.rows = [_hit(number, text) for number, text in enumerate(texts)]
        fingerprint = asdict(ScriptedProvider(embedding_model=embedding_model).fingerprint())
        tag = content_tag(fingerprint, [row.chunk_id for row in self.rows], {})
        self.manifest = IndexManifest(
            table="chunks", version=1, tag=tag, rows=len(self.rows), fingerprint=fingerprint, recall_at_10=1.0,
            recall_queries=0, index_kind="exact", probes=0, refine_factor=1,
            created_at="2026-11-01T00:00:00+00:00", files={}, access={"public": len(self.rows)},
        )  # fmt: skip
        self.searches: list[tuple[str, str]] = []

    def search(
        self,
        query_text: str,
        query_vector: Any,
        *,
        k: int,
        access: Sequence[str],
        mode: str = "hybrid",
        filters: Any = None,
    ) -> list[Hit]:
        if mode != "text" and query_vector is None:
            raise AssertionError(f"a search in mode {mode!r} needs a vector")
        self.searches.append((query_text, mode))
        scored = [self._scored(row, query_text, query_vector) for row in self.rows if row.access in access]
        key = {"vector": lambda hit: hit.vector_score, "text": lambda hit: hit.text_score}.get(mode, _both)
        best = sorted((hit for hit in scored if key(hit) > 0), key=lambda hit: (-key(hit), hit.chunk_id))[:k]
        return [_replaced(hit, score=float(key(hit)), rank=rank) for rank, hit in enumerate(best, start=1)]

    def _scored(self, row: Hit, text: str, vector: Any) -> Hit:
        shared = len(set(words(text)) & set(words(row.text)))
        near = 0.0 if vector is None else float(vector_of(row.text) @ np.asarray(vector))
        return _replaced(row, vector_score=near, text_score=float(shared))


def _both(hit: Hit) -> float:
    return (hit.vector_score or 0.0) + (hit.text_score or 0.0)


def _replaced(hit: Hit, **changes: Any) -> Hit:
    return Hit(**(asdict(hit) | changes))


def _hit(number: int, text: str) -> Hit:
    document, version = document_id(f"doc-{number}.md"), document_version(text)
    return Hit(
        chunk_id=chunk_id(document, version, 0, len(text), "fake"), document_id=document, document_version=version,
        source_uri=f"doc-{number}.md", title=f"Document {number}", heading="", start=0, end=len(text), text=text,
        score=0.0, vector_score=None, text_score=None, rank=0, access="public",
    )  # fmt: skip

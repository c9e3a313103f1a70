"""What the endpoints do, without HTTP: models made at first use and shared by all requests."""

import base64
import json
import threading
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from flows.core.clock import Clock, utc_now
from flows.core.errors import did_you_mean
from flows.core.files import write_json
from flows.provider.local import chat, lexical, reader
from flows.provider.local.catalog import EMBEDDING_MODELS, FINE_TUNED_PREFIX, MODELS, MODERATION_MODELS, Model
from flows.provider.local.embedder import Embedder, Vectors
from flows.provider.local.hashing import HashEmbedder
from flows.provider.local.lexical import LexicalReader
from flows.provider.local.minilm import MAX_TOKENS, SPECIAL_TOKENS, MiniLm, load_tokenizer
from flows.provider.local.moderation import moderate
from flows.provider.local.reader import ExtractiveReader, Knobs
from flows.provider.local.records import Record, new_id
from flows.provider.local.wire import ApiError, ChatRequest, EmbeddingRequest, ModerationRequest, parse

RELEASED_AT = 1_780_272_000  # 2026-06-01; `created` of every model, so that answers do not depend on the clock


class Tokenizer:
    """Counts and cuts by MiniLM's word pieces; the only tokenizer the local models have."""

    @cached_property
    def _pieces(self) -> Any:
        return load_tokenizer()

    def count(self, text: str) -> int:
        """Return the number of word pieces, without the special tokens."""
        return len(self._pieces.encode(text, add_special_tokens=False).ids)

    def cut(self, text: str, limit: int) -> str:
        """Return the longest beginning of at most `limit` word pieces."""
        offsets = self._pieces.encode(text, add_special_tokens=False).offsets
        return text if len(offsets) <= limit else text[: offsets[limit - 1][1]]


class Service:
    """The models behind the endpoints.

    Args:
        state_dir: Where files, jobs and fine-tuned models are kept.
        threads: Most processor threads one inference may use.
        model_cache: Where the built MiniLM graph is kept.
        embedder: Makes the default embedder; MiniLM unless given.
        clock: Source of `created`.
    """

    def __init__(
        self,
        state_dir: Path,
        *,
        threads: int,
        model_cache: Path,
        embedder: Callable[[], Embedder] | None = None,
        clock: Clock = utc_now,
    ) -> None:
        self.clock = clock
        self.tokens = Tokenizer()
        self._tuned = state_dir / "models"
        self._make = embedder or (lambda: MiniLm(model_cache, threads=threads))
        self._lock = threading.RLock()

    @cached_property
    def _embedder(self) -> Embedder:
        return self._make()

    @cached_property
    def _hashing(self) -> Embedder:
        return HashEmbedder()

    @cached_property
    def _reader(self) -> ExtractiveReader:
        return ExtractiveReader(self._embedder)

    def now(self) -> int:
        """Return the time in whole seconds, as the wire gives times."""
        return int(self.clock().timestamp())

    def embedder(self, name: str) -> Embedder:
        """Return an embedding model, or answer 404."""
        if name not in EMBEDDING_MODELS:
            raise unknown_model(name, EMBEDDING_MODELS)
        with self._lock:
            return self._hashing if name == "local-hash-384" else self._embedder

    def base_reader(self) -> ExtractiveReader:
        """Return the reader that fine-tuning starts from."""
        with self._lock:
            return self._reader

    def reader(self, name: str) -> chat.Reader:
        """Return a chat model, fine-tuned ones included, or answer 404."""
        if name == lexical.NAME:
            return LexicalReader()
        if name == reader.NAME:
            return self.base_reader()
        return self.base_reader().with_knobs(Knobs(**self._tuned_model(name)["knobs"]))

    def save_tuned(self, name: str, knobs: Mapping[str, Any], created: int) -> None:
        """Store a fine-tuned model, so that it answers from now on."""
        write_json(self._tuned_path(name), {"name": name, "knobs": dict(knobs), "created": created})

    def _tuned_path(self, name: str) -> Path:
        return self._tuned / (name.replace(":", "+") + ".json")

    def _tuned_model(self, name: str) -> Record:
        path = self._tuned_path(name)
        if not name.startswith(FINE_TUNED_PREFIX) or "/" in name or not path.is_file():
            raise unknown_model(name, MODELS)
        return dict(json.loads(path.read_bytes()))

    def models(self) -> Record:
        """Return the body of `GET /v1/models`."""
        tuned = [json.loads(path.read_bytes())["name"] for path in sorted(self._tuned.glob("*.json"))]
        return {"object": "list", "data": [self.model(name) for name in [*MODELS, *tuned]]}

    def model(self, name: str) -> Record:
        """Return the body of `GET /v1/models/{name}`, with what the model is and is not."""
        tuned = self._tuned_model(name) if name not in MODELS else None
        known = MODELS[name] if tuned is None else MODELS[reader.NAME]
        return {
            "id": name,
            "object": "model",
            "created": tuned["created"] if tuned else RELEASED_AT,
            "owned_by": "local",
            "description": known.description,
            "kind": known.kind,
            "context_length": known.context_tokens,
            **({"dimensions": known.dims} if known.dims else {}),
        }

    def chat(self, body: Any) -> Record:
        """Answer `POST /v1/chat/completions`, streams aside."""
        request = parse(ChatRequest, body)
        chosen = self.reader(request.model)
        return chat.complete(request, chosen, self.tokens, id_=new_id("chatcmpl"), created=self.now())

    def embeddings(self, body: Any) -> Record:
        """Answer `POST /v1/embeddings`; says how many inputs were longer than the model reads."""
        request = parse(EmbeddingRequest, body)
        chosen = self.embedder(request.model)
        if request.dimensions not in (None, chosen.fingerprint.dims):
            raise ApiError(f"{request.model!r} has {chosen.fingerprint.dims} dimensions only.", param="dimensions")
        texts = request.texts()
        vectors, counts = chosen.embed_and_count(texts)
        encoded = _base64(vectors) if request.encoding_format == "base64" else vectors.tolist()
        return {
            "object": "list",
            "model": request.model,
            "data": [{"object": "embedding", "index": at, "embedding": row} for at, row in enumerate(encoded)],
            "usage": {"prompt_tokens": sum(counts), "total_tokens": sum(counts)},
            "system_fingerprint": str(chosen.fingerprint),
            "fingerprint": chosen.fingerprint.as_dict(),
            "truncated_inputs": sum(count > MAX_TOKENS - SPECIAL_TOKENS for count in counts)
            if isinstance(chosen, MiniLm)
            else 0,
        }

    def moderations(self, body: Any) -> Record:
        """Answer `POST /v1/moderations`."""
        request = parse(ModerationRequest, body)
        name = request.model or next(iter(MODERATION_MODELS))
        if name not in MODERATION_MODELS:
            raise unknown_model(name, MODERATION_MODELS)
        return {"id": new_id("modr"), "model": name, "results": [moderate(text) for text in request.texts()]}


def unknown_model(name: str, known: Mapping[str, Model]) -> ApiError:
    """Return OpenAI's answer to a model that does not exist, with the nearest that does."""
    return ApiError(
        f"The model {name[:80]!r} does not exist.{did_you_mean(name, known)}",
        status=404,
        code="model_not_found",
        param="model",
    )


def _base64(vectors: Vectors) -> list[str]:
    return [base64.b64encode(row).decode("ascii") for row in vectors.astype("<f4")]

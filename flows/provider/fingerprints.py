"""Identify an embedding model by what it does: the vectors of three fixed texts.

A hosted model has no revision one can read and may change behind its name. Its probe vectors are
compared with those first seen here (cosine), because hosted vectors differ in the last digits from
call to call; the hash is of 12 coarse projections, so that such digits rarely reach it at all.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict
from hashlib import shake_256
from typing import TYPE_CHECKING

import numpy as np

from flows.core.errors import ProviderRefusedError
from flows.core.ids import canonical_json, sha256
from flows.provider.local.catalog import is_local
from flows.provider.outcomes import Vectors
from flows.provider.requests import EmbeddingFingerprint

if TYPE_CHECKING:
    from flows.provider.session import Session

PROBES = (
    "The index was rebuilt on Monday after two documents had changed.",
    "Wie hoch sind die Kosten im nächsten Quartal?",
    "def paired_effect(baseline, candidate): return candidate - baseline",
)
PROJECTIONS = 4  # per probe; each is about normal with variance 1
STEP = 0.5


def probe_sha256(vectors: Vectors) -> str:
    """Return the hash of unit vectors projected onto fixed random signs and rounded to halves."""
    dims = vectors.shape[1]
    drawn = b"".join(shake_256(f"direction {j}".encode()).digest(-(-dims // 8)) for j in range(PROJECTIONS))
    bits = np.unpackbits(np.frombuffer(drawn, np.uint8).reshape(PROJECTIONS, -1), axis=1)[:, :dims]
    signs = bits.astype(np.float64) * 2 - 1
    steps = np.rint(vectors.astype(np.float64) @ signs.T / STEP).astype(int)
    return sha256(canonical_json([dims, steps.tolist()]))


def fingerprint(session: "Session", probe: Callable[[Sequence[str]], Vectors]) -> EmbeddingFingerprint:
    """Return the identity of the session's embedding model.

    A local model's is remembered, since its space's name already covers code, weights and back end: asking for
    it again loads nothing.
    """
    model = session.embedding_model
    if not is_local(model):
        vectors = _steady(session, probe)
        marks = (vectors.shape[1], True, session.source(model), "float32", probe_sha256(vectors))
        return EmbeddingFingerprint(model, "unknown", *marks)
    name = f"fingerprint {session.space(model)}"
    if (known := session.cache.get_note(name)) is not None:
        return EmbeddingFingerprint(**known)
    probed, own = probe_sha256(probe(PROBES)), session.local_embedder(model).fingerprint
    found = EmbeddingFingerprint(model, own.revision, own.dims, own.normalised, own.backend, own.precision, probed)
    session.cache.put_note(name, asdict(found))
    return found


def _steady(session: "Session", probe: Callable[[Sequence[str]], Vectors]) -> Vectors:
    """Return a hosted model's probe vectors, or those seen first when it has not moved since."""
    name = f"probe {session.space(session.embedding_model)}"
    stored, vectors = session.cache.get_note(name), probe(PROBES)
    if stored is not None:
        first = np.asarray(stored, dtype=np.float32)
        if first.shape == vectors.shape and np.min(np.sum(first * vectors, axis=1)) >= session.params.probe_cosine_min:
            return first
    session.cache.put_note(name, vectors.astype(float).tolist())
    return vectors


def same_model(session: "Session", asked: str, answered: str, *, dims: int) -> None:
    """Remember which model answered first and how long its vectors are, and refuse the vectors of another one.

    Raises:
        ProviderRefusedError: The provider now answers with another model under the same name.
    """
    name = f"model {session.space(asked)}"
    first = session.cache.get_note(name)
    if first is None:
        session.cache.put_note(name, [answered, dims])
    elif first != [answered, dims]:
        raise ProviderRefusedError(
            f"embedding model {asked!r} was answered by {answered!r} ({dims} dimensions) and earlier by {first[0]!r} "
            f"({first[1]}). Two models must never share an index: pin a dated name in provider.embedding_model and "
            "run `llmops embed` again."
        )

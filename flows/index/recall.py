"""Measure what a vector index loses: recall@10 against exact search, before anything is published.

Queries are a seeded sample of stored vectors, moved by noise so that no query is its own answer,
and vectors of real query texts where the caller has some. A returned chunk counts when it is as
near as the tenth exact one: among equal texts it does not matter which is returned.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from flows.index.filters import ids_in
from flows.index.queries import Opened, Probing, nearest
from flows.index.schema import KEY, Vectors, matrix

K = 10  # recall@10 is the measure's name
NOISE_LENGTH = 0.25  # of a unit vector: about the distance between near paraphrases
TIE = 1e-5  # float32 rounding of a cosine
BATCH_ROWS = 8192


@dataclass(frozen=True)
class Recall:
    """Share of the true ten nearest that were returned, over `queries` queries."""

    value: float
    queries: int


def measure(table: Any, queries: Vectors, probing: Probing) -> Recall:
    """Compare the index with exact search.

    Args:
        table: An open LanceDB table.
        queries: Shape (n, dims), unit length; none = recall 1 over 0 queries.
        probing: How the index is asked, exactly as readers will ask it.
    """
    rows = table.count_rows()
    if not rows or not len(queries):
        return Recall(1.0, 0)
    thresholds = exact_thresholds(vector_batches(table), queries, min(K, rows))
    opened = Opened(table, probing)
    shares = [_share(opened, query, limit, min(K, rows)) for query, limit in zip(queries, thresholds, strict=True)]
    return Recall(float(np.mean(shares)), len(queries))


def _share(opened: Opened, query: Vectors, threshold: np.float32, wanted: int) -> float:
    found = matrix(opened.run(nearest(opened, query, K, None, ["vector"]))[0])
    return int((found @ query >= threshold - TIE).sum()) / wanted


def exact_thresholds(batches: Iterator[Vectors], queries: Vectors, k: int) -> npt.NDArray[np.float32]:
    """Return each query's k-th best cosine over all vectors, read batch by batch to bound memory."""
    best = np.full((len(queries), k), -np.inf, dtype=np.float32)
    for batch in batches:
        together = np.hstack([best, queries @ batch.T])
        best = np.partition(together, -k, axis=1)[:, -k:]
    return np.asarray(best.min(axis=1), dtype=np.float32)


def vector_batches(table: Any) -> Iterator[Vectors]:
    """Yield all stored vectors, at most 8,192 at a time."""
    dims = table.schema.field("vector").type.list_size
    for batch in table.search().select(["vector"]).to_batches(BATCH_ROWS):
        yield batch["vector"].flatten().to_numpy(zero_copy_only=False).reshape(-1, dims)


def sampled_queries(table: Any, ids: Sequence[str], size: int, seed: int) -> Vectors:
    """Return up to `size` stored vectors, moved by seeded noise: shape (n, dims), unit length.

    The sample is drawn from the sorted ids, so it depends on the content and not on the disk.
    """
    dims, generator = table.schema.field("vector").type.list_size, np.random.default_rng(seed)
    chosen = generator.choice(sorted(ids), size=min(size, len(ids)), replace=False).tolist() if ids else []
    if not chosen:
        return np.empty((0, dims), dtype=np.float32)
    taken = table.search().where(ids_in(KEY, chosen)).select([KEY, "vector"]).to_arrow().sort_by(KEY)
    vectors = matrix(taken)
    noise = generator.normal(size=vectors.shape)
    moved = vectors + NOISE_LENGTH * noise / np.linalg.norm(noise, axis=1, keepdims=True)
    return np.asarray(moved / np.linalg.norm(moved, axis=1, keepdims=True), dtype=np.float32)

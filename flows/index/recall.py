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
ASKED_TOGETHER = 64  # queries
EVIDENCE = 20.0  # an index that is no better than the guardrail gets so far once in 20 times at most
BATCH_ROWS = 8192


@dataclass(frozen=True)
class Recall:
    """Share of the true ten nearest that were returned, over `queries` queries."""

    value: float
    queries: int


def measure(table: Any, queries: Vectors, probing: Probing, *, recall_min: float = 1.0) -> Recall:
    """Compare the index with exact search.

    No more queries are asked than leave little doubt that the recall is above `recall_min`.

    Args:
        table: An open LanceDB table.
        queries: Shape (n, dims), unit length; none = recall 1 over 0 queries.
        probing: How the index is asked, exactly as readers will ask it.
        recall_min: The recall that is to be shown; 1 asks all queries.
    """
    rows = table.count_rows()
    if not rows or not len(queries):
        return Recall(1.0, 0)
    opened, shares = Opened(table, probing), np.empty(0)
    while len(shares) < len(queries) and evidence(shares, recall_min) < EVIDENCE:
        part = queries[len(shares) : len(shares) + ASKED_TOGETHER]
        thresholds = exact_thresholds(vector_batches(table), part, min(K, rows))
        shares = np.append(shares, _hits(opened, part, thresholds) / min(K, rows))
    return Recall(float(shares.mean()), len(shares))


def evidence(shares: npt.NDArray[np.float64], recall_min: float) -> float:
    """Return the gain of a bet that mean recall is above `recall_min`, 1 = none (Waudby-Smith & Ramdas 2024).

    Unless it is, every factor has a mean of at most 1, so the product hardly ever grows, whenever one looks.
    """
    return float(np.prod(1.0 + shares - recall_min))


def _hits(opened: Opened, queries: Vectors, thresholds: npt.NDArray[np.float32]) -> npt.NDArray[np.intp]:
    """Return how many of its true nearest each query finds; those asked together cost half the work."""
    (found,) = opened.run(nearest(opened, list(queries), K, None, ["vector"]))
    several = "query_index" in found.column_names
    of = found["query_index"].to_numpy() if several else np.zeros(found.num_rows, dtype=np.intp)
    near = np.einsum("ij,ij->i", matrix(found), queries[of]) >= thresholds[of] - TIE
    return np.bincount(of[near], minlength=len(queries))


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

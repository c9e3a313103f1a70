"""Find the chunks nearest to a question: by meaning, by words, or by both.

Cosine is stated with every query, because LanceDB's default is the Euclidean distance. The
similarity of a hit is always computed here from the stored vector: the distance that a quantised
index returns is not one (a true 0.0304 came back as 0.0647; lancedb#3530).
"""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from flows.core.errors import UsageError
from flows.index.filters import Filters
from flows.index.fusion import Fusion, fuse
from flows.index.schema import KEY, SHOWN, Vectors, matrix

Mode = Literal["hybrid", "vector", "text"]
ROUNDING = 9  # decimals kept of a score: float32 sums differ in later ones


@dataclass(frozen=True)
class Hit:
    """A chunk that was found.

    `score` orders the hits (fused 0 to 1, cosine, or BM25 by mode); `vector_score` is the exact
    cosine similarity, None without a query vector; `text_score` is BM25, None when the words did
    not find the chunk; `rank` counts from 1.
    """

    chunk_id: str
    document_id: str
    document_version: str
    source_uri: str
    title: str
    heading: str
    start: int
    end: int
    text: str
    score: float
    vector_score: float | None
    text_score: float | None
    rank: int


@dataclass(frozen=True)
class Probing:
    """How a quantised index is asked: cells looked into (0 = exact search) and candidates refined per hit."""

    probes: int = 0
    refine_factor: int = 1


def search(
    table: Any,
    query_text: str,
    query_vector: Vectors | None,
    *,
    k: int,
    mode: Mode = "hybrid",
    filters: Filters | None = None,
    probing: Probing | None = None,
    fusion: Fusion | None = None,
) -> list[Hit]:
    """Return at most `k` hits, best first.

    Args:
        table: An open LanceDB table.
        query_text: The question; used by `hybrid` and `text`.
        query_vector: Its vector, shape (dims,), length 1; used by `hybrid` and `vector`.
        k: How many hits, at least 1.
        mode: What to search by.
        filters: Which chunks may be found; they are applied before the search, not after.
        probing: How to ask a quantised vector index; None = exact search.
        fusion: How the two rankings of `hybrid` are merged; None = the measured default.

    Raises:
        UsageError: `k` is below 1, the vector is missing or has other dimensions than the table.
    """
    fusion = fusion or Fusion()
    vector = _checked(table, query_vector, k=k, mode=mode)
    where = filters.where() if filters else None
    depth = k if mode != "hybrid" else max(k, fusion.candidates)
    found: dict[str, dict[str, Any]] = {}
    by_vector = by_text = []
    if vector is not None and mode != "text":
        by_vector = _take(found, nearest(table, vector, depth, where, probing or Probing()))
    if mode != "vector" and query_text.strip():
        by_text = _take(found, matching(table, query_text, depth, where))
    _similarities(found, vector)
    order = _order(found, by_vector, by_text, mode, fusion)[:k]
    return [_hit(found[item], score, rank) for rank, (item, score) in enumerate(order, start=1)]


def nearest(table: Any, vector: Vectors, limit: int, where: str | None, probing: Probing) -> list[dict[str, Any]]:
    """Return the rows nearest by cosine, as dictionaries with their vectors."""
    query = table.search(vector, vector_column_name="vector").distance_type("cosine")
    if probing.probes:
        query = query.nprobes(probing.probes).refine_factor(probing.refine_factor)
    else:
        query = query.bypass_vector_index()
    return _rows(query, where, limit, "_distance")


def matching(table: Any, text: str, limit: int, where: str | None) -> list[dict[str, Any]]:
    """Return the rows that best match the words of `text` by BM25, as dictionaries with their vectors."""
    query = table.search(text, query_type="fts", fts_columns="search_text")
    return _rows(query, where, limit, "_score")


def _rows(query: Any, where: str | None, limit: int, score: str) -> list[dict[str, Any]]:
    if where is not None:
        query = query.where(where, prefilter=True)
    found = query.select([*SHOWN, "vector", score]).limit(limit).to_arrow()
    vectors = matrix(found)
    rows: list[dict[str, Any]] = found.drop_columns(["vector"]).to_pylist()
    return [row | {"vector": vectors[place]} for place, row in enumerate(rows)]


def _take(found: dict[str, dict[str, Any]], rows: list[dict[str, Any]]) -> list[str]:
    for row in rows:
        found.setdefault(row[KEY], {}).update(row)
    return [row[KEY] for row in rows]


def _similarities(found: dict[str, dict[str, Any]], vector: Vectors | None) -> None:
    for row in found.values():
        row["similarity"] = None if vector is None else round(float(row["vector"] @ vector), ROUNDING)


def _order(
    found: dict[str, dict[str, Any]], by_vector: list[str], by_text: list[str], mode: Mode, fusion: Fusion
) -> list[tuple[str, float]]:
    """Return (id, score), best first; ties by id.

    The text ranking comes in the order of LanceDB, whose ties follow the place on disk; so it is
    sorted again, and likewise the vector ranking by its exact similarities.
    """
    exact = sorted(((item, found[item]["similarity"]) for item in by_vector), key=lambda pair: (-pair[1], pair[0]))
    words = sorted(((item, found[item]["_score"]) for item in by_text), key=lambda pair: (-pair[1], pair[0]))
    if mode == "vector":
        return exact
    if mode == "text":
        return words
    return fuse([item for item, _ in exact], [item for item, _ in words], fusion)


def _hit(row: dict[str, Any], score: float, rank: int) -> Hit:
    shown = {name: row[name] for name in SHOWN}
    return Hit(**shown, score=score, vector_score=row["similarity"], text_score=row.get("_score"), rank=rank)


def _checked(table: Any, vector: Vectors | None, *, k: int, mode: Mode) -> Vectors | None:
    if k < 1:
        raise UsageError(f"k = {k!r} hits were asked for. Ask for at least 1.")
    if vector is None:
        if mode != "text":
            raise UsageError(f"a search in mode {mode!r} needs a query vector. Embed the question, or use mode 'text'.")
        return None
    dims = table.schema.field("vector").type.list_size
    flat = np.asarray(vector, dtype=np.float32)
    if flat.shape != (dims,) or not np.isfinite(flat).all():
        raise UsageError(
            f"the query vector has shape {flat.shape}, the index has {dims} dimensions of finite numbers. "
            "Embed the question with the model that the index names."
        )
    return flat

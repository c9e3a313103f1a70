"""Find the chunks nearest to a question: by meaning, by words, or by both.

Cosine is stated with every query, because LanceDB's default is the Euclidean distance. The
similarity of a hit is always computed here from the stored vector: the distance that a quantised
index returns is not one (a true 0.0304 came back as 0.0647; lancedb#3530).

Who asks is part of every query: the filter on access labels is applied before anything is ranked, and
each row that comes back is held against it once more.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from flows.core.access import UNLABELLED
from flows.core.errors import IntegrityError, UsageError, first_three
from flows.index.filters import Filters, access_in
from flows.index.fusion import Fusion, fuse
from flows.index.schema import KEY, SHOWN, Vectors, matrix

Mode = Literal["hybrid", "vector", "text"]
Row = dict[str, Any]
ROUNDING = 9  # decimals kept of a score: float32 sums differ in later ones


@dataclass(frozen=True)
class Hit:
    """A chunk that was found.

    `score` orders the hits (fused 0 to 1, cosine, or BM25 by mode); `vector_score` is the exact
    cosine similarity, None without a query vector; `text_score` is BM25, None when the words did
    not find the chunk; `rank` counts from 1; `access` is what a reader must hold.
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
    access: str = UNLABELLED


@dataclass(frozen=True)
class Probing:
    """How a quantised index is asked.

    Attributes:
        probes: Cells looked into; 0 = exact search.
        refine_factor: Candidates per hit that are compared again by their exact vectors.
        ef: Width of the beam in a graph; 0 = the index has none.
    """

    probes: int = 0
    refine_factor: int = 1
    ef: int = 0


EXACT = Probing()


@dataclass(frozen=True)
class Reach:
    """What an asker may read of a version.

    Attributes:
        access: The texts of the column `access` that the labels held suffice for.
        closed: Documents that are closed to the asker by now, whatever their labels were in this version.
    """

    access: Collection[str]
    closed: Collection[str] = ()


class Opened:
    """An open LanceDB table, with what is the same for all its queries."""

    def __init__(self, table: Any, probing: Probing = EXACT) -> None:
        schema = table.schema  # asked once: it is a call into the table each time
        self.table, self.probing = table, probing
        self.dims: int = schema.field("vector").type.list_size
        self.columns = [name for name in SHOWN if name in schema.names]
        self.labelled = "access" in self.columns  # versions from before access labels are not


def search(
    opened: Opened,
    query_text: str,
    query_vector: Vectors | None,
    *,
    k: int,
    reach: Reach,
    mode: Mode = "hybrid",
    filters: Filters | None = None,
    fusion: Fusion | None = None,
) -> list[Hit]:
    """Return at most `k` hits, best first.

    Args:
        opened: The table.
        query_text: The question; used by `hybrid` and `text`.
        query_vector: Its vector, shape (dims,), length 1; used by `hybrid` and `vector`.
        k: How many hits, at least 1.
        reach: What the asker may read; other chunks are as if they were not there, but for the weights of
            words in the text ranking, which count all chunks.
        mode: What to search by.
        filters: Which chunks may be found; they are applied before the search, not after.
        fusion: How the two rankings of `hybrid` are merged; None = the measured default.

    Raises:
        UsageError: `k` is below 1, the vector is missing or has other dimensions than the table.
        IntegrityError: A chunk came back that may not be read; none is returned.
    """
    fusion = fusion or Fusion()
    vector = _checked(opened, query_vector, k=k, mode=mode)
    where = _where(opened, reach, filters)
    depth = k if mode != "hybrid" else max(k, fusion.candidates)
    found: dict[str, Row] = {}
    by_vector = by_text = []
    if vector is not None and mode != "text":
        by_vector = _take(found, nearest(opened, vector, depth, where))
    if mode != "vector" and query_text.strip():
        by_text = _take(found, matching(opened, query_text, depth, where))
    require_readable(found.values(), reach)
    _similarities(found, vector)
    order = _order(found, by_vector, by_text, mode, fusion)[:k]
    return [_hit(found[item], score, rank) for rank, (item, score) in enumerate(order, start=1)]


def nearest(opened: Opened, vector: Vectors, limit: int, where: str | None) -> list[Row]:
    """Return the rows nearest by cosine, with their vectors."""
    probing = opened.probing
    query = opened.table.search(vector, vector_column_name="vector").distance_type("cosine")
    if probing.probes:
        query = query.nprobes(probing.probes).refine_factor(probing.refine_factor)
        if probing.ef:
            query = query.ef(max(probing.ef, limit * probing.refine_factor))
    else:
        query = query.bypass_vector_index()
    return _rows(opened, query, where, limit, "_distance")


def matching(opened: Opened, text: str, limit: int, where: str | None) -> list[Row]:
    """Return the rows that best match the words of `text` by BM25, with their vectors."""
    query = opened.table.search(text, query_type="fts", fts_columns="search_text")
    return _rows(opened, query, where, limit, "_score")


def _rows(opened: Opened, query: Any, where: str | None, limit: int, score: str) -> list[Row]:
    if where is not None:
        query = query.where(where, prefilter=True)
    found = query.select([*opened.columns, "vector", score]).limit(limit).to_arrow()
    vectors = matrix(found)
    rows: list[Row] = found.drop_columns(["vector"]).to_pylist()
    return [{"access": UNLABELLED} | row | {"vector": vectors[place]} for place, row in enumerate(rows)]


def _where(opened: Opened, reach: Reach, filters: Filters | None) -> str | None:
    """Return the filter of a query; rows of a table from before labels carry none to filter by."""
    terms = [access_in(reach.access)] if opened.labelled or UNLABELLED not in reach.access else []
    wanted = [Filters(not_document_ids=tuple(reach.closed)).where(), filters.where() if filters else None]
    return " AND ".join([*terms, *filter(None, wanted)]) or None


def require_readable(rows: Iterable[Row], reach: Reach) -> None:
    """Refuse rows that may not be read: whatever went wrong below, nothing of them goes on.

    Raises:
        IntegrityError: Names the chunks.
    """
    closed = [row[KEY] for row in rows if row["access"] not in reach.access or row["document_id"] in reach.closed]
    if closed:
        raise IntegrityError(
            f"{len(closed)} chunk(s) came back that may not be read: {first_three(closed)}. Nothing was returned; "
            "run `llmops index verify`, then `llmops embed --force`."
        )


def _take(found: dict[str, Row], rows: list[Row]) -> list[str]:
    for row in rows:
        found.setdefault(row[KEY], {}).update(row)
    return [row[KEY] for row in rows]


def _similarities(found: dict[str, Row], vector: Vectors | None) -> None:
    for row in found.values():
        row["similarity"] = None if vector is None else round(float(row["vector"] @ vector), ROUNDING)


def _order(
    found: dict[str, Row], by_vector: list[str], by_text: list[str], mode: Mode, fusion: Fusion
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


def _hit(row: Row, score: float, rank: int) -> Hit:
    shown = {name: row[name] for name in SHOWN}
    return Hit(**shown, score=score, vector_score=row["similarity"], text_score=row.get("_score"), rank=rank)


def _checked(opened: Opened, vector: Vectors | None, *, k: int, mode: Mode) -> Vectors | None:
    if k < 1:
        raise UsageError(f"k = {k!r} hits were asked for. Ask for at least 1.")
    if vector is None:
        if mode != "text":
            raise UsageError(f"a search in mode {mode!r} needs a query vector. Embed the question, or use mode 'text'.")
        return None
    flat = np.asarray(vector, dtype=np.float32)
    if flat.shape != (opened.dims,) or not np.isfinite(flat).all():
        raise UsageError(
            f"the query vector has shape {flat.shape}, the index has {opened.dims} dimensions of finite numbers. "
            "Embed the question with the model that the index names."
        )
    return flat

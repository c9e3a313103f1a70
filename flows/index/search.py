"""Find the chunks nearest to a question: by meaning, by words, or by both.

The similarity of a hit is always computed here from the stored vector: the distance that a quantised
index returns is not one (a true 0.0304 came back as 0.0647; lancedb#3530).

Who asks is part of every query: the filter on access labels is applied before anything is ranked, and
each row that comes back is held against it once more.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from flows.core.access import UNLABELLED
from flows.core.errors import IntegrityError, UsageError, first_three
from flows.index.filters import Filters, access_in
from flows.index.fusion import Fusion, fuse
from flows.index.queries import Opened, matching, nearest
from flows.index.schema import KEY, SHOWN, Vectors, matrix

if TYPE_CHECKING:
    import pyarrow as arrow

Mode = Literal["hybrid", "vector", "text"]
Row = dict[str, Any]
RANKED = (KEY, "_rowid")
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
class Reach:
    """What an asker may read of a version.

    Attributes:
        access: The texts of the column `access` that the labels held suffice for.
        closed: Documents that are closed to the asker by now, whatever their labels were in this version.
    """

    access: Collection[str]
    closed: Collection[str] = ()


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
    vector = _checked(opened, query_vector, k=k, mode=mode)
    where = _where(opened, reach, filters)
    if mode == "hybrid" and vector is not None:
        rows = _by_both(opened, query_text, vector, k, where, fusion or Fusion())
    elif mode == "vector" and vector is not None:
        rows = _rows(opened.run(nearest(opened, vector, k, where, [*opened.columns, "vector"]))[0])
    else:  # words that are none find nothing
        words = [matching(opened, query_text, k, where, [*opened.columns, "vector"])] if query_text.strip() else []
        rows = [row for table in opened.run(*words) for row in _rows(table)]
    require_readable(rows, reach)
    return _hits(rows, vector, mode)


def _by_both(opened: Opened, text: str, vector: Vectors, k: int, where: str | None, fusion: Fusion) -> list[Row]:
    """Rank by meaning and by words at the same time, by ids alone; then fetch the rows that are returned.

    The distances are exact here: every index is asked to compare its candidates again.
    """
    depth = max(k, fusion.candidates)
    queries = [nearest(opened, vector, depth, where, RANKED)]
    if text.strip():
        queries.append(matching(opened, text, depth, where, RANKED))
    tables = [table.to_pydict() for table in opened.run(*queries)]
    places = {chunk: place for table in tables for chunk, place in zip(table[KEY], table["_rowid"], strict=True)}
    near = _ranked(tables[0][KEY], [-value for value in tables[0]["_distance"]])
    scores = dict(zip(tables[1][KEY], tables[1]["_score"], strict=True)) if len(tables) > 1 else {}
    order = fuse(near, _ranked(list(scores), list(scores.values())), fusion)[:k]
    if not order:
        return []
    taken = opened.by_row_id([places[chunk] for chunk, _ in order]).select([*opened.columns, "vector"])
    rows = {row[KEY]: row for row in _rows(opened.run(taken)[0])}
    return [rows[chunk] | {"score": score, "_score": scores.get(chunk)} for chunk, score in order]


def _ranked(ids: Sequence[str], scores: Sequence[float]) -> list[str]:
    """Return the ids by falling score, ties by id: LanceDB leaves ties in the order of the disk."""
    pairs = sorted(zip(ids, scores, strict=True), key=lambda pair: (-round(pair[1], ROUNDING), pair[0]))
    return [item for item, _ in pairs]


def _rows(table: "arrow.Table") -> list[Row]:
    vectors = matrix(table)
    rows: list[Row] = table.drop_columns(["vector"]).to_pylist()
    return [{"access": UNLABELLED} | row | {"vector": vectors[place]} for place, row in enumerate(rows)]


def _hits(rows: Sequence[Row], vector: Vectors | None, mode: Mode) -> list[Hit]:
    """Return the rows as hits, with their exact similarities; only `hybrid` has ranked them already."""
    near = [None if vector is None else round(float(row["vector"] @ vector), ROUNDING) for row in rows]
    found = [row | {"similarity": value} for row, value in zip(rows, near, strict=True)]
    if mode != "hybrid":
        by = "similarity" if mode == "vector" else "_score"
        found = sorted((row | {"score": row[by]} for row in found), key=lambda row: (-row["score"], row[KEY]))
    return [_hit(row, rank) for rank, row in enumerate(found, start=1)]


def _hit(row: Row, rank: int) -> Hit:
    shown = {name: row[name] for name in SHOWN}
    return Hit(
        **shown, score=row["score"], vector_score=row["similarity"], text_score=row.get("_score"), rank=rank
    )  # fmt: skip


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

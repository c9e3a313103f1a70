"""Choose the kind of vector index by size, build it, and find how hard it must be asked.

Measured (benchmarks/query_speed.py, docs/limits.md): exact search up to about 20,000 rows; then IVF_SQ,
which is built in seconds and loses little; from 50,000 rows a graph, IVF_HNSW_SQ, which takes ten times
longer to build and answers in half the time; and above a million rows IVF_RQ, six times smaller. Always
refined with the exact vectors. PQ, LanceDB's own default, is as slow to build as the graph and no
quicker to ask, and is not offered. Large tables get indices on the columns that searches filter by.
"""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

from flows.core.errors import GateError, IntegrityError
from flows.index.maintain import optimise, worn
from flows.index.queries import Probing
from flows.index.recall import K, Recall, measure
from flows.index.schema import Vectors

Kind = Literal["exact", "IVF_SQ", "IVF_HNSW_SQ", "IVF_RQ"]
TYPES: dict[str, Kind] = {"IvfSq": "IVF_SQ", "IvfHnswSq": "IVF_HNSW_SQ", "IvfRq": "IVF_RQ"}  # as LanceDB says them
EXACT_QUERIES = 10
TEXT_INDEX, VECTOR_INDEX = "search_text_idx", "vector_idx"


@dataclass(frozen=True)
class Build:
    """How versions of the index are built; the numbers come from the section `embed` of params.yaml."""

    exact_rows_max: int = 20_000
    sq_rows_max: int = 50_000
    hnsw_rows_max: int = 1_000_000
    refine_factor: int = 10
    probes_min: int = 20
    ef_min: int = 40
    segments_max: int = 8
    recall_min: float = 0.95
    recall_queries: int = 200
    fragments_max: int = 20
    deleted_share_max: float = 0.1
    keep_versions: int = 5
    language: str = "English"
    seed: int = 0

    def kind(self, rows: int) -> Kind:
        """Return the kind of index for a table of `rows` rows."""
        if rows <= self.exact_rows_max:
            return "exact"
        if rows <= self.sq_rows_max:
            return "IVF_SQ"
        return "IVF_HNSW_SQ" if rows <= self.hnsw_rows_max else "IVF_RQ"

    def identity(self, rows: int) -> dict[str, Any]:
        """Return what of the build decides the content of a version, beside its rows."""
        return {"kind": self.kind(rows), "language": self.language, "refine_factor": self.refine_factor}


def build_indices(table: Any, build: Build) -> Kind:
    """Bring every index up to the table's rows and return the kind of the vector index.

    A small table's text index is built anew, which is quick, and its data files are merged only when
    that pays. A large table is optimised, which merges its small files and adds new rows to the indices it has;
    first of all, because merging files under a new index would mean to rewrite that too. The key column never
    gets an index: with one, concurrent merges bring duplicates back.
    """
    from lancedb.index import FTS

    kind = build.kind(table.count_rows())
    found = {index.name: index for index in table.list_indices()}
    large = kind != "exact"
    if large or worn(table, fragments_max=build.fragments_max, deleted_share_max=build.deleted_share_max):
        optimise(table)
    _vector_index(table, kind, found.get(VECTOR_INDEX), build)
    _filter_indices(table, found, wanted=large)
    text = found.get(TEXT_INDEX)
    if text is None or not large or build.language not in text.index_details["language"]:
        table.create_index("search_text", config=FTS(language=build.language), replace=True)
    return kind


def _vector_index(table: Any, kind: Kind, found: Any, build: Build) -> None:
    from lancedb.index import HnswSq, IvfRq, IvfSq

    if kind == "exact":
        if found is not None:
            table.drop_index(VECTOR_INDEX)
    elif found is None or TYPES.get(found.index_type) != kind or found.num_segments > build.segments_max:
        configs: dict[Kind, Callable[..., Any]] = {
            "IVF_SQ": IvfSq,
            "IVF_RQ": IvfRq,
            "IVF_HNSW_SQ": partial(HnswSq, num_partitions=1),
        }
        table.create_index("vector", config=configs[kind](distance_type="cosine"), replace=True)


def _filter_indices(table: Any, found: Collection[str], *, wanted: bool) -> None:
    """Keep an index on each column that searches filter by where that pays, and none where it does not."""
    from lancedb.index import Bitmap, BTree

    for column, config in (("access", Bitmap()), ("document_id", BTree())):
        name = f"{column}_idx"
        if wanted and name not in found:
            table.create_index(column, config=config)
        elif not wanted and name in found:
            table.drop_index(name)


def require_indexed(table: Any) -> None:
    """Refuse a table with rows that an index does not know.

    Raises:
        IntegrityError: Names the index and the number of rows.
    """
    for index in table.list_indices():
        if index.num_unindexed_rows:
            raise IntegrityError(
                f"index {index.name!r} of table {table.name!r} does not know {index.num_unindexed_rows} row(s). "
                "Nothing was published; run `llmops embed` again."
            )


def tune(table: Any, kind: Kind, queries: Vectors, build: Build) -> tuple[Probing, Recall]:
    """Return the least effort that reaches `recall_min`: probes, or the graph's beam, doubled from the smallest.

    Exact search finds the nearest by definition; ten of the queries show that it is asked rightly.

    Raises:
        GateError: Not even the largest does; nothing may be published.
    """
    if kind == "exact":
        queries = queries[:: max(1, len(queries) // EXACT_QUERIES)]
    for probing in _ladder(kind, table.count_rows(), build):
        recall = measure(table, queries, probing, recall_min=build.recall_min)
        if recall.value >= build.recall_min:
            return probing, recall
    raise GateError(
        f"recall@10 is {recall.value:.3f} over {recall.queries} queries, below embed.recall_min = {build.recall_min}. "
        "Nothing was published and the previous version stays live. Raise embed.refine_factor or embed.exact_rows_max."
    )


def _ladder(kind: Kind, rows: int, build: Build) -> Iterator[Probing]:
    if kind == "exact":
        yield Probing()
        return
    graph = kind == "IVF_HNSW_SQ"
    effort = build.ef_min if graph else build.probes_min
    most = max(int(rows**0.5), effort)  # at least as many cells as LanceDB makes
    while effort <= most:
        # Half of a graph's beam is compared again by exact vectors: more finds nothing and costs time.
        yield Probing(1, max(1, effort // (2 * K)), effort) if graph else Probing(effort, build.refine_factor)
        effort *= 2

"""One query at 100,000 rows: our whole retrieval call against LanceDB's bare query on each of its indices.

Run with `python -m benchmarks.query_speed [ROWS] [KIND …]` (building HNSW takes minutes). Vectors of 384
dimensions lie in seeded clusters, as those of texts do. Bare: `table.search(vector).select(…).limit(10)
.to_arrow()` at the smallest number of probes (or `ef`) that reaches recall@10 of .95. Ours: `Index.search` as
readers call it, by vector, with a filter, chunk rows and exact similarities back, on the index that
`llmops embed` would build. Queries take turns (A B A B), so that a busy machine slows everybody alike.
"""

import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from lancedb.index import HnswSq, IvfFlat, IvfSq

from flows.core.ids import content_id
from flows.core.project import Project
from flows.index.filters import Filters
from flows.index.kinds import Build
from flows.index.recall import exact_thresholds, vector_batches
from flows.index.schema import SHOWN, Vectors, rows_of
from flows.index.store import open_index, open_writer

DIMS, K, QUERIES, RECALL = 384, 10, 100, 0.95
CLUSTERS, SPREAD = 400, 1.1  # the spread is relative to the distance of the clusters' centres
LADDER = (10, 20, 40, 80, 160)
FINGERPRINT = {"model": "seeded", "revision": "1", "dims": DIMS, "normalised": True, "backend": "none"}
BARE = {
    "IVF_FLAT": IvfFlat(distance_type="cosine"),
    "IVF_SQ": IvfSq(distance_type="cosine"),
    "IVF_HNSW_SQ": HnswSq(distance_type="cosine"),
}


def vectors_of(generator: np.random.Generator, centres: Vectors, count: int) -> Vectors:
    """Return vectors of length 1 around the centres."""
    noise = generator.normal(size=(count, DIMS)) * SPREAD
    made = centres[generator.integers(0, len(centres), count)] + noise
    return np.asarray(made / np.linalg.norm(made, axis=1, keepdims=True), dtype=np.float32)


def chunks_of(count: int) -> pd.DataFrame:
    """Return chunk rows, five to a document."""
    numbers = range(count)
    return pd.DataFrame(
        {
            "chunk_id": [content_id("chunk", number) for number in numbers],
            "document_id": [content_id("document", number // 5) for number in numbers],
            "document_version": [content_id("version", number // 5) for number in numbers],
            "source_uri": [f"folder/document-{number // 5}.md" for number in numbers],
            "title": "A document",
            "access": "public",
            "heading": "A document > Its section",
            "start": [number % 5 * 800 for number in numbers],
            "end": [number % 5 * 800 + 800 for number in numbers],
            "text": [f"chunk {number} " + "some words of a chunk " * 36 for number in numbers],
            "duplicate_of": None,
        }
    )


def bare_query(table: Any, setting: int, kind: str) -> Callable[[Vectors], Any]:
    """Return LanceDB's own query on the index of the table."""

    def ask(vector: Vectors) -> Any:
        query = table.search(vector).distance_type("cosine").limit(K).select([*SHOWN, "vector", "_distance"])
        query = query.ef(setting * 2).nprobes(1) if "HNSW" in kind else query.nprobes(setting)
        return query.to_arrow()

    return ask


def recall(ask: Callable[[Vectors], Any], queries: Vectors, limits: Any) -> float:
    """Return recall@10 of a bare query."""
    shares = []
    for query, limit in zip(queries, limits, strict=True):
        near = np.stack(ask(query)["vector"].to_pylist()).astype(np.float32) @ query
        shares.append(float((near >= limit - 1e-5).sum()) / K)
    return float(np.mean(shares))


def reached(table: Any, kind: str, queries: Vectors, limits: Any) -> tuple[int, float]:
    """Return the smallest setting that reaches the recall, and the recall."""
    for setting in LADDER:
        if (value := recall(bare_query(table, setting, kind), queries, limits)) >= RECALL:
            break
    return setting, value


def interleaved(asks: dict[str, Callable[[Vectors], Any]], queries: Vectors) -> dict[str, list[float]]:
    """Time every rival on every query, in turns; milliseconds."""
    times: dict[str, list[float]] = {name: [] for name in asks}
    for query in queries:
        for name, ask in asks.items():
            started = time.perf_counter()
            ask(query)
            times[name].append(1000 * (time.perf_counter() - started))
    return times


def main(rows: int = 100_000, kinds: Sequence[str] = tuple(BARE)) -> None:
    """Build, measure, print."""
    generator = np.random.default_rng(0)
    centres = generator.normal(size=(CLUSTERS, DIMS))
    vectors, queries = vectors_of(generator, centres, rows), vectors_of(generator, centres, QUERIES)
    chunks = chunks_of(rows)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        (root / "params.yaml").write_text("embed: {}\n")
        project = Project.open(root)
        frame = rows_of(chunks)
        order = pd.Series(range(rows), index=chunks["chunk_id"])[frame["chunk_id"]].to_numpy()
        with open_writer(project, FINGERPRINT) as writer:
            for start in range(0, rows, 10_000):
                writer.upsert(frame.iloc[start : start + 10_000], vectors[order[start : start + 10_000]])
            manifest = writer.publish(Build(), now=datetime(2026, 11, 1, tzinfo=UTC))
        index = open_index(project)
        limits = exact_thresholds(vector_batches(index._table), queries, K)
        print(
            f"{rows:,} rows; ours: {manifest.index_kind}, {manifest.probes} probes, recall {manifest.recall_at_10:.3f}"
        )
        report(index, limits, queries, root, kinds)


def report(index: Any, limits: Any, queries: Vectors, root: Path, kinds: Sequence[str]) -> None:
    """Build the bare rivals from the same rows and print the table."""
    import lancedb

    table, connection = index.everything(), lancedb.connect(root / "bare")
    some = Filters(not_document_ids=(content_id("document", 0),))
    asks: dict[str, Callable[[Vectors], Any]] = {
        "ours": lambda query: index.search("", query, access=["public"], k=K, mode="vector"),
        "ours, filtered": lambda query: index.search("", query, access=["public"], k=K, mode="vector", filters=some),
    }
    recalls = {}
    for kind in kinds:
        rival = connection.create_table(kind, table)
        started = time.perf_counter()
        rival.create_index("vector", config=BARE[kind])
        built_s = time.perf_counter() - started
        setting, recalls[kind] = reached(rival, kind, queries, limits)
        asks[kind] = bare_query(rival, setting, kind)
        print(f"{kind}: built in {built_s:.0f} s, setting {setting}")
    times = interleaved(asks, queries)
    best = min((np.median(times[kind]) for kind in kinds if recalls[kind] >= RECALL), default=np.nan)
    for name, values in times.items():
        shown = f"{recalls[name]:.3f}" if name in recalls else "     "
        p50, p95 = np.percentile(values, [50, 95])
        print(f"{name:<15} recall {shown} p50 {p50:6.2f} ms  p95 {p95:6.2f} ms  ratio to the best {p50 / best:5.2f}")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]), **({"kinds": sys.argv[2:]} if sys.argv[2:] else {}))

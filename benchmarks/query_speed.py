"""One query at 100,000 rows: our whole retrieval call against LanceDB's bare query on each of its indices.

Run with `python -m benchmarks.query_speed [ROWS] [KIND …]` (building a graph takes minutes). Vectors of 384
dimensions lie in seeded clusters, as those of texts do; every tenth document is labelled `hr`, every
twentieth `finance`. Bare: `table.search(vector).select(…).limit(10).to_arrow()`, without any filter, at the
smallest number of probes (or `ef`) that reaches recall@10 of .95. Ours: `Index.search` as readers call it,
on the index that `llmops embed` would build: by vector, filtered by labels and documents, chunk rows and
exact similarities back; recall is against exact search over what the asker may read. Queries take turns
(A B A B), so that a busy machine slows everybody alike; the processor's time is the steadier column.
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
from flows.index.queries import Opened
from flows.index.recall import exact_thresholds, vector_batches
from flows.index.schema import SHOWN, Vectors, rows_of
from flows.index.search import Reach, search
from flows.index.store import Index, open_index, open_writer

DIMS, K, QUERIES, RECALL = 384, 10, 100, 0.95
ALL = ("public", "finance", "hr")
LABELS = ("hr", "finance", *["public"] * 8, "hr", *["public"] * 9)  # of documents, in turn
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
            "access": [LABELS[number // 5 % len(LABELS)] for number in numbers],
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


def interleaved(asks: dict[str, Callable[[Vectors], Any]], queries: Vectors) -> dict[str, list[tuple[float, float]]]:
    """Time every rival on every query, in turns; milliseconds by the wall clock and of the processor."""
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in asks}
    for query in queries:
        for name, ask in asks.items():
            started, used = time.perf_counter(), time.process_time()
            ask(query)
            times[name].append((1000 * (time.perf_counter() - started), 1000 * (time.process_time() - used)))
    return times


def recall_for(index: Index, queries: Vectors, held: Sequence[str]) -> float:
    """Return recall@10 of our search for who holds these labels, against exact search over what they may read."""
    exact = Opened(index._table)
    found = 0
    for query in queries:
        best = search(exact, "", query, k=K, mode="vector", reach=Reach(held))
        hits = index.search("", query, k=K, access=held, mode="vector")
        found += len({hit.chunk_id for hit in hits} & {hit.chunk_id for hit in best})
    return found / (K * len(queries))


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
            f"{rows:,} rows; ours: {manifest.index_kind}, {manifest.probes} probes, ef {manifest.ef}, "
            f"recall {manifest.recall_at_10:.3f}"
        )
        report(index, limits, queries, root, kinds)


def report(index: Index, limits: Any, queries: Vectors, root: Path, kinds: Sequence[str]) -> None:
    """Build the bare rivals from the same rows and print the table."""
    import lancedb

    table, connection = index.everything(), lancedb.connect(root / "bare")
    some = Filters(not_document_ids=(content_id("document", 0),))
    text = "the words of a chunk"
    held = {"ours, all labels": ALL, "ours, public": ("public",), "ours, hr": ("hr",)}
    asks: dict[str, Callable[[Vectors], Any]] = {name: by_labels(index, labels) for name, labels in held.items()}
    asks["ours, documents"] = lambda query: index.search("", query, k=K, access=ALL, mode="vector", filters=some)
    asks["ours, hybrid"] = lambda query: index.search(text, query, k=K, access=ALL)
    recalls = {name: recall_for(index, queries, labels) for name, labels in held.items()}
    for kind in kinds:
        rival = connection.create_table(kind, table)
        started = time.perf_counter()
        rival.create_index("vector", config=BARE[kind])
        built_s = time.perf_counter() - started
        setting, recalls[kind] = reached(rival, kind, queries, limits)
        asks[kind] = bare_query(rival, setting, kind)
        print(f"{kind}: built in {built_s:.0f} s, setting {setting}")
    show(interleaved(asks, queries), recalls, kinds)


def by_labels(index: Index, held: Sequence[str]) -> Callable[[Vectors], Any]:
    """Return our search by vector for who holds these labels."""
    return lambda query: index.search("", query, k=K, access=held, mode="vector")


def show(times: dict[str, list[tuple[float, float]]], recalls: dict[str, float], kinds: Sequence[str]) -> None:
    """Print one line per rival, with its ratio to the best bare query."""
    medians = {name: np.median(np.array(values), axis=0) for name, values in times.items()}
    good = [medians[kind] for kind in kinds if recalls[kind] >= RECALL]
    best = min(good, key=lambda pair: float(pair[0])) if good else np.full(2, np.nan)
    for name, (wall, used) in medians.items():
        p95 = np.percentile(np.array(times[name])[:, 0], 95)
        known = f"{recalls[name]:.3f}" if name in recalls else "     "
        print(
            f"{name:<17} recall {known}  p50 {wall:6.2f} ms  p95 {p95:6.2f} ms  processor {used:6.2f} ms  "
            f"ratio to the best {wall / best[0]:.2f}, of the processor {used / best[1]:.2f}"
        )


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]), **({"kinds": sys.argv[2:]} if sys.argv[2:] else {}))

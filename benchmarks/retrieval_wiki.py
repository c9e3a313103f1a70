"""Hybrid retrieval against BM25 on 2,012 answerable questions over 10,131 Wikipedia passages.

Run with `python -m benchmarks.retrieval_wiki DATA [EVERY]`, where DATA is the public data set `02_wiki_rag`
(CONTRIBUTING says where it lies). Both rivals see the same text, title and passage, in the same run. A question
counts when at least one of its gold passages is among the first five. BM25 is `rank_bm25.BM25Okapi` with its
defaults over lower-cased words. Ours is `Index.search` as readers call it, with all-MiniLM-L6-v2 and the default
fusion; nothing is set per question. With EVERY, each EVERY-th question is also reranked (`rag.rerank`), which
embeds its ten candidates' passages and takes minutes.
"""

import re
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd

from flows.core.ids import chunk_id, document_id, document_version
from flows.core.project import Project
from flows.index.kinds import Build
from flows.index.schema import rows_of
from flows.index.store import Fusion, Index, open_index, open_writer
from flows.provider.local.minilm import MiniLm
from flows.rag.reranking import rerank
from flows.rag.steps import SPARE

K = 5
WEIGHTS = (0.0, 0.5, 1.0)
SETTINGS = [Fusion(), Fusion(rank_constant=60, vector_weight=0.5)]  # ours, and the published one


def load(folder: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the passages as chunks, and the answerable questions with the chunk ids of their gold."""
    passages = pd.read_parquet(folder / "passages.parquet")
    questions = pd.read_parquet(folder / "questions.parquet").query("answerable")
    chunks = passages.assign(
        source_uri=passages["passage_id"],
        document_id=passages["passage_id"].map(document_id),
        document_version=passages["text"].map(document_version),
        access="public",
        heading="",
        start=0,
        end=passages["text"].str.len(),
        duplicate_of=None,
    )
    keys = zip(chunks["document_id"], chunks["document_version"], chunks["end"], strict=True)
    chunks["chunk_id"] = [chunk_id(document, version, 0, end, "whole") for document, version, end in keys]
    by_passage = dict(zip(chunks["passage_id"], chunks["chunk_id"], strict=True))
    gold = [{by_passage[passage] for passage in gold} for gold in questions["gold_passage_ids"]]
    return chunks, questions.assign(gold=gold)


@contextmanager
def timed(times: dict[str, float], name: str) -> Iterator[None]:
    begin = time.perf_counter()
    yield
    times[name] = time.perf_counter() - begin


def recall(found: list[list[str]], gold: pd.Series) -> float:
    """Share of questions with at least one gold passage among what was found."""
    return float(np.mean([bool(set(ids) & wanted) for ids, wanted in zip(found, gold, strict=True)]))


def by_bm25(chunks: pd.DataFrame, questions: pd.Series) -> list[list[str]]:
    from rank_bm25 import BM25Okapi

    ids = chunks["chunk_id"].to_numpy()
    bm25 = BM25Okapi([words(f"{title} {text}") for title, text in zip(chunks["title"], chunks["text"], strict=True)])
    return [ids[np.argsort(-bm25.get_scores(words(question)), kind="stable")[:K]].tolist() for question in questions]


def words(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())


def search_all(index: Index, questions: pd.Series, vectors: np.ndarray, **options) -> list[list[str]]:
    pairs = zip(questions, vectors, strict=True)
    return [
        [hit.chunk_id for hit in index.search(text, vector, access=["public"], k=K, **options)]
        for text, vector in pairs
    ]


def rerank_sample(
    index: Index, model: MiniLm, questions: pd.DataFrame, vectors: np.ndarray, times: dict[str, float]
) -> dict[str, float]:
    """Return recall@1 and @5 of some questions in the order of the search and in that of `rag.rerank`."""
    texts, gold = questions["question"], questions["gold"]
    pairs = zip(texts, vectors, strict=True)
    hits = [index.search(text, vector, access=["public"], k=SPARE * K) for text, vector in pairs]
    found = {}
    for weight in WEIGHTS:
        with timed(times, f"rerank {weight}"):
            ordered = rerank(hits, list(vectors), model.embed, weight=weight) if weight else hits
        for k in (1, K):
            name = f"recall@{k} of {len(texts)} questions, rerank {weight}"
            times[name] = times[f"rerank {weight}"]
            found[name] = recall([[hit.chunk_id for hit in own[:k]] for own in ordered], gold)
    return found


def measure(folder: Path, workspace: Path, every: int = 0) -> tuple[dict[str, float], dict[str, float]]:
    """Return recall@5 and seconds by name; rerank each `every`-th question (0 = none)."""
    times: dict[str, float] = {}
    chunks, questions = load(folder)
    project, model = Project(workspace), MiniLm(workspace / "weights", threads=2)
    rows = rows_of(chunks)
    with timed(times, "embed passages"):
        vectors = model.embed(rows["vector_text"].tolist())
    with timed(times, "embed questions"):
        asked = model.embed(questions["question"].tolist())
    with timed(times, "write and publish"), open_writer(project, model.fingerprint.as_dict()) as writer:
        writer.upsert(rows, vectors)
        writer.publish(Build(), now=datetime(2026, 1, 1, tzinfo=UTC))
    index, found = open_index(project), {}
    with timed(times, "bm25"):
        found["bm25"] = by_bm25(chunks, questions["question"])
    for mode in ("text", "vector"):
        with timed(times, mode):
            found[mode] = search_all(index, questions["question"], asked, mode=mode)
    for fusion in SETTINGS:
        name = f"hybrid, constant {fusion.rank_constant}, vector weight {fusion.vector_weight}"
        with timed(times, name):
            found[name] = search_all(index, questions["question"], asked, fusion=fusion)
    recalls = {name: recall(ids, questions["gold"]) for name, ids in found.items()}
    return recalls | (rerank_sample(index, model, questions[::every], asked[::every], times) if every else {}), times


def main() -> None:
    with tempfile.TemporaryDirectory() as workspace:
        recalls, times = measure(Path(sys.argv[1]), Path(workspace), *map(int, sys.argv[2:]))
    for name, value in recalls.items():
        print(f"{value:.4f}   {times[name]:7.1f} s   {name if name.startswith('recall') else f'recall@{K}, {name}'}")
    for name in ("embed passages", "embed questions", "write and publish"):
        print(f"         {times[name]:7.1f} s   {name}")


if __name__ == "__main__":
    main()

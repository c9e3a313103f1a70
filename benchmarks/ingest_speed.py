"""How much the framework costs: ingest and embed of 6,400 Markdown documents against a bare limit.

Run with `python -m benchmarks.ingest_speed [DOCUMENTS] [ROUNDS]`. Both sides use the same chunker and
the same hash embedder, so that the framework shows and no neural network does. Timed is the work
inside the process, after one warm-up that loads everything; the warm-up's time is shown beside.

    cold         ours: `llmops ingest` and `llmops embed` of an empty project
                 bare: read, chunk, embed, one write of the same rows into LanceDB
    no change    ours: both stages again; bare: `stat` of every file of the tree
    1 % + 1 %    ours: both stages after 1 % of the documents changed and 1 % were deleted; against no change

Rounds alternate (A B A B). The clock of a shared machine varies, so processor time stands beside it; the
ratios of one run are the result.
"""

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import lancedb
import numpy as np
import pyarrow as arrow
import yaml

from flows.core.project import Project
from flows.embed import stage as embed
from flows.ingest import stage as ingest
from flows.ingest.chunking import chunks
from flows.ingest.params import IngestParams
from flows.ingest.tokenizer import token_starts
from flows.provider.local.hashing import HashEmbedder

PARAMS = {"provider": {"embedding_model": "local-hash-384"}}
WORDS = 4_000
SECTIONS, SENTENCES, SENTENCE_WORDS = 4, 5, 14
REPEATS = 3  # of what takes milliseconds; the best counts on both sides
TARGETS = {"cold": 1.5, "no change": 3.0, "1 % + 1 %": 3.0}


class Seconds(NamedTuple):
    """What some work took: on the clock, and on the processor by all threads of this process."""

    wall: float
    cpu: float

    def __add__(self, other: "Seconds") -> "Seconds":  # type: ignore[override]
        return Seconds(self.wall + other.wall, self.cpu + other.cpu)


def timed(work: Callable[[], object]) -> Seconds:
    """Return what `work` takes."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return Seconds(time.perf_counter() - wall, time.process_time() - cpu)


def write_documents(folder: Path, count: int, seed: int = 0) -> list[Path]:
    """Write seeded Markdown documents of four sections, about 280 words each; no two are alike."""
    generator = np.random.default_rng(seed)
    vocabulary = [
        "".join(generator.choice(list("aeioulnrstkmpd"), size=size)) for size in generator.integers(3, 10, WORDS)
    ]
    paths = []
    for number in range(count):
        path = folder / f"part-{number % 64:02d}" / f"document-{number:05d}.md"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(document(vocabulary, generator, number))
        paths.append(path)
    return paths


def document(vocabulary: list[str], generator: np.random.Generator, number: int) -> str:
    """Return one document."""
    parts = [f"# Document {number}"]
    for section in range(SECTIONS):
        picked = generator.integers(0, WORDS, size=(SENTENCES, SENTENCE_WORDS))
        sentences = [" ".join(vocabulary[place] for place in row).capitalize() + "." for row in picked]
        parts.append(f"## Section {section + 1}\n\n" + " ".join(sentences))
    return "\n\n".join(parts) + "\n"


def ours(project: Project) -> tuple[Seconds, Seconds]:
    """Run both stages as the command line does, without DVC; return what each took."""
    return timed(lambda: ingest.run(str(project.root))), timed(lambda: embed.run(str(project.root)))


def bare(paths: list[Path], database: Path) -> int:
    """Read, chunk, embed and write once; return the number of rows."""
    tokens_max, rows, embedder = IngestParams().chunk_tokens_max, [], HashEmbedder()
    for path in paths:
        text = path.read_text()
        spans = chunks(text, token_starts, tokens_max=tokens_max)
        rows += [(str(path), span.start, span.end, text[span.start : span.end]) for span in spans]
    vectors = embedder.embed([row[3] for row in rows])
    columns = dict(zip(("source_uri", "start", "end", "text"), zip(*rows, strict=True), strict=True))
    flat = arrow.array(vectors.ravel(), type=arrow.float32())
    vector = arrow.FixedSizeListArray.from_arrays(flat, vectors.shape[1])
    lancedb.connect(database).create_table("chunks", arrow.table({**columns, "vector": vector}))
    return len(rows)


def stat_tree(folder: Path) -> int:
    """Look at every file of a tree and read none."""
    total = 0
    for place, _, names in os.walk(folder):
        total += sum(os.stat(os.path.join(place, name)).st_size for name in names)  # noqa: PTH116, PTH118 - the limit
    return total


def new_project(root: Path, count: int, seed: int = 0) -> tuple[Project, list[Path]]:
    """Write a project with documents."""
    root.mkdir(parents=True)
    (root / "params.yaml").write_text(yaml.safe_dump(PARAMS))
    return Project.open(root), write_documents(root / "data" / "sources", count, seed)


def change(paths: list[Path]) -> None:
    """Change one document in a hundred and delete another."""
    for path in paths[::100]:
        path.write_text(path.read_text() + "\nOne more sentence stands here now.\n")
    for path in paths[50::100]:
        path.unlink()


def one_round(folder: Path, count: int) -> dict[str, tuple[Seconds, Seconds, Seconds]]:
    """Return what ingest, embed and the limit took in each case."""
    project, paths = new_project(folder / "project", count)
    cold = (*ours(project), timed(lambda: bare(paths, folder / "bare")))
    tree = project.data("sources")
    repeats = [(*ours(project), timed(lambda: stat_tree(tree))) for _ in range(REPEATS)]
    first, second, limit = (min(column) for column in zip(*repeats, strict=True))
    change(paths)
    return {"cold": cold, "no change": (first, second, limit), "1 % + 1 %": (*ours(project), first + second)}


def main(count: int = 6_400, rounds: int = 2) -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        warm = timed(lambda: one_round(root / "warm", 200))
        results = [one_round(root / str(number), count) for number in range(rounds)]
    print(f"{count:,} documents, {rounds} round(s); warm-up with imports {warm.wall:.1f} s; seconds")
    print(f"{'':<10} {'':<9} {'ingest':>8} {'embed':>8} {'limit':>8} {'ratio':>7} {'target':>7}")
    for case, target in TARGETS.items():
        for kind in Seconds._fields:
            sides = [[getattr(result[case][side], kind) for result in results] for side in range(3)]
            first, second, limit = (statistics.median(side) for side in sides)
            ratio = (first + second) / limit
            print(f"{case:<10} {kind:<9} {first:>8.2f} {second:>8.2f} {limit:>8.3f} {ratio:>7.2f} {target:>7.1f}")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:3]))

"""How much the framework costs: ingest and embed of Markdown documents against bare limits.

Run with `python -m benchmarks.ingest_speed [DOCUMENTS] [ROUNDS] [LARGE]`; LARGE documents are run once
more for the time and memory of a run without work (0 = not). Both sides use the same chunker and the
same hash embedder, so that the framework shows and no neural network does. Timed is the work inside the
process, after a warm-up that loads everything; what a process costs to start stands beside.

    cold         ours: `llmops ingest` and `llmops embed` of an empty project
                 bare: read, chunk, embed, one write of the same rows into LanceDB
    no change    ours: both stages again; bare: `stat` of every file of the tree
    1 % + 1 %    ours: both stages after 1 % of the documents changed and 1 % were deleted; against no change
    ... floor    the same against LanceDB alone: delete, add and full-text update of the same rows

Rounds alternate (A B A B). The clock of a shared machine varies, so processor time stands beside it; the
ratios of one run are the result. Files count as unchanged by their stat two seconds after they were
written (`flows.core.stamps`), so the runs without work wait that long.
"""

import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import lancedb
import numpy as np
import pyarrow as arrow
import yaml
from lancedb.index import FTS

from flows.core.contracts import CHUNKS
from flows.core.project import Project
from flows.core.stamps import SETTLED_NS
from flows.core.tables import read_table
from flows.embed import stage as embed
from flows.index.schema import rows_of
from flows.ingest import stage as ingest
from flows.ingest.chunking import chunks
from flows.ingest.params import IngestParams
from flows.ingest.tokenizer import token_starts
from flows.provider.local.hashing import HashEmbedder
from flows.provider.local.minilm import MiniLm, load_tokenizer

HASHING = {"provider": {"embedding_model": "local-hash-384"}}
WORDS = 4_000
SECTIONS, SENTENCES, SENTENCE_WORDS = 4, 5, 14
REPEATS = 3  # of what takes milliseconds; the best counts on both sides
MODEL_DOCUMENTS = 300
CASES = {"cold": "1.5", "no change": "3.0", "1 % + 1 %": "3.0", "... floor": ""}
AGAIN = """
import sys, time
start = time.perf_counter()
from flows.embed import stage as embed
from flows.ingest import stage as ingest
assert not ingest.run(sys.argv[1]).did_work and not embed.run(sys.argv[1]).did_work
peak = next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(time.perf_counter() - start, peak)
"""
START = "import sys; from flows.{stage} import stage; stage.run(sys.argv[1])"


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
    """Write seeded Markdown documents of four sections, 280 English words each; no two are alike."""
    generator = np.random.default_rng(seed)
    known = sorted(word for word in load_tokenizer().get_vocab() if word.isalpha() and word.isascii())
    vocabulary = generator.choice(known, size=WORDS, replace=False).tolist()
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


def bare_rows(paths: list[Path]) -> arrow.Table:
    """Read, chunk and embed."""
    tokens_max, rows, embedder = IngestParams().chunk_tokens_max, [], HashEmbedder()
    for path in paths:
        text = path.read_text()
        spans = chunks(text, token_starts, tokens_max=tokens_max)
        rows += [(str(path), span.start, span.end, text[span.start : span.end]) for span in spans]
    vectors = embedder.embed([row[3] for row in rows])
    columns = dict(zip(("source_uri", "start", "end", "text"), zip(*rows, strict=True), strict=True))
    flat = arrow.array(vectors.ravel(), type=arrow.float32())
    return arrow.table({**columns, "vector": arrow.FixedSizeListArray.from_arrays(flat, vectors.shape[1])})


def bare(paths: list[Path], database: Path) -> Any:
    """Read, chunk, embed and write once; return the table."""
    return lancedb.connect(database).create_table("chunks", bare_rows(paths))


def floor(table: Any, changed: list[Path], gone: list[Path]) -> None:
    """Bring a bare table with a full-text index up to date."""
    rows = bare_rows(changed)
    names = ", ".join(f"'{path}'" for path in (*changed, *gone))  # our own generated names
    table.delete(f"source_uri IN ({names})")
    table.add(rows)
    table.optimize()


def stat_tree(folder: Path) -> int:
    """Look at every file of a tree and read none."""
    total = 0
    for place, _, names in os.walk(folder):
        total += sum(os.stat(os.path.join(place, name)).st_size for name in names)  # noqa: PTH116, PTH118 - the limit
    return total


def new_project(
    root: Path, count: int, seed: int = 0, params: dict[str, Any] | None = None
) -> tuple[Project, list[Path]]:
    """Write a project with documents."""
    root.mkdir(parents=True)
    (root / "params.yaml").write_text(yaml.safe_dump(HASHING if params is None else params))
    return Project.open(root), write_documents(root / "data" / "sources", count, seed)


def change(paths: list[Path]) -> tuple[list[Path], list[Path]]:
    """Change one document in a hundred and delete another; return both."""
    changed, gone = paths[::100], paths[50::100]
    for path in changed:
        path.write_text(path.read_text() + "\nOne more sentence stands here now.\n")
    for path in gone:
        path.unlink()
    return changed, gone


def settle(project: Project) -> None:
    """Wait until the stat of every file tells a change, and let the stages remember that."""
    time.sleep(SETTLED_NS / 1e9 + 0.1)
    ours(project)


def one_round(folder: Path, count: int) -> dict[str, tuple[Seconds, Seconds, Seconds]]:
    """Return what ingest, embed and the limit took in each case."""
    project, paths = new_project(folder / "project", count)
    cold = (*ours(project), timed(lambda: bare(paths, folder / "bare")))
    table = lancedb.connect(folder / "bare").open_table("chunks")
    table.create_index("text", config=FTS())
    settle(project)
    tree = project.data("sources")
    repeats = [(*ours(project), timed(lambda: stat_tree(tree))) for _ in range(REPEATS)]
    first, second, limit = (min(column) for column in zip(*repeats, strict=True))
    changed = change(paths)
    small = ours(project)
    lance = timed(lambda: floor(table, *changed))
    cases = (cold, (first, second, limit), (*small, first + second), (*small, lance))
    return dict(zip(CASES, cases, strict=True))


def started(project: Project, stage: str) -> tuple[float, float]:
    """Return what a process without work costs: seconds on the clock, and on the processor."""
    before, wall = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run([sys.executable, "-c", START.format(stage=stage), project.root], check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.perf_counter() - wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def with_model(folder: Path, count: int, rounds: int) -> tuple[float, float]:
    """Return processor seconds of embed with the real model, and of the model alone over the same texts.

    Both load the model; the graph that is built once per machine is there already.
    """
    whole, alone = [], []
    for number in range(rounds):
        project, _ = new_project(folder / f"model-{number}", count, seed=number, params={"ingest": {}})
        ingest.run(str(project.root))
        weights = project.state("provider", "weights")
        model(weights, ["a text"])
        whole.append(timed(lambda project=project: embed.run(str(project.root))).cpu)  # type: ignore[misc]
        frame = read_table(project.data("ingest", "chunks.parquet"), CHUNKS, remedy="Run `llmops ingest`")
        texts = rows_of(frame)["vector_text"].drop_duplicates().tolist()
        alone.append(timed(lambda weights=weights, texts=texts: model(weights, texts)).cpu)  # type: ignore[misc]
    return statistics.median(whole), statistics.median(alone)


def model(weights: Path, texts: list[str]) -> None:
    """Load the real model and embed."""
    MiniLm(weights, threads=len(os.sched_getaffinity(0))).embed(texts)


def large(folder: Path, count: int) -> str:
    """Run a large project and again without work; return what the second takes, in a process of its own."""
    exact = {"embed": {"exact_rows_max": 1_000_000}}  # random texts have no near neighbours for a graph to find
    project, _ = new_project(folder, count, params=HASHING | exact)
    first, second = ours(project)
    rows = read_table(project.data("ingest", "chunks.parquet"), CHUNKS, remedy="Run `llmops ingest`").shape[0]
    settle(project)
    done = subprocess.run([sys.executable, "-c", AGAIN, project.root], check=True, capture_output=True, text=True)
    seconds, kilobytes = done.stdout.split()
    return (
        f"{count:,} documents, {rows:,} chunks: cold {first.cpu + second.cpu:.0f} of processor; without work, start-up "
        f"included, {float(seconds):.2f} s and {int(kilobytes) / 1024:.0f} MB at most"
    )


def linear(root: Path, sizes: tuple[int, ...]) -> None:
    """Print what a document costs, cold, in projects of several sizes."""
    for size in sizes:
        project, _ = new_project(root / f"linear-{size}", size)
        parts = [part.cpu / size * 1e3 for part in ours(project)]
        print(f"{size:>7,} documents, cold: ingest {parts[0]:.2f} + embed {parts[1]:.2f} ms of processor a document")


def table(results: list[dict[str, tuple[Seconds, Seconds, Seconds]]]) -> None:
    """Print each case with its ratio to its limit."""
    print(f"{'':<10} {'':<9} {'ingest':>8} {'embed':>8} {'limit':>8} {'ratio':>7} {'target':>7}")
    for case, target in CASES.items():
        for kind in Seconds._fields:
            sides = [[getattr(result[case][side], kind) for result in results] for side in range(3)]
            first, second, limit = (statistics.median(side) for side in sides)
            ratio = (first + second) / limit
            print(f"{case:<10} {kind:<9} {first:>8.3f} {second:>8.3f} {limit:>8.3f} {ratio:>7.2f} {target:>7}")


def main(count: int = 6_400, rounds: int = 2, most: int = 0) -> None:
    """Print the tables."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        warm = timed(lambda: one_round(root / "warm", 200))
        results = [one_round(root / str(number), count) for number in range(rounds)]
        print(f"{count:,} documents, {rounds} round(s); warm-up with imports {warm.wall:.1f} s; seconds")
        table(results)
        project = Project.open(root / "0" / "project")
        settle(project)
        for stage in ("ingest", "embed"):
            wall, cpu = started(project, stage)
            print(f"a process without work, {stage}: {wall:.2f} s, {cpu:.2f} of processor, all start-up included")
        linear(root, (count // 16, count // 4, count))
        whole, alone = with_model(root, MODEL_DOCUMENTS, rounds)
        outside = f"outside {1 - alone / whole:.1%}"
        print(f"real model, {MODEL_DOCUMENTS} documents: embed {whole:.1f}, model alone {alone:.1f}, {outside}")
        if most:
            print(large(root / "large", most))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:4]))

"""Say what an erasure would remove where, without changing a byte."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from flows.cli.erasing.caches import scrub_answers, scrub_drafts
from flows.cli.erasing.find import Target
from flows.cli.erasing.objects import md5_of, stores, tainted
from flows.cli.erasing.scrub import TRAINING_KEY, rows_with, scrub
from flows.core.errors import LlmopsError
from flows.core.files import read_json
from flows.core.project import Project

if TYPE_CHECKING:
    from flows.cli.erasing.traces import Traces

KEPT_APART = ("sources", "prompts", "prices", "embed")  # the source and the index have procedures of their own
SEALED = ("releases", "evidence", "erasures", "decisions.jsonl", "current.json")  # in data/release: never rewritten


@dataclass(frozen=True)
class Plan:
    """What is to be removed; counts are rows, values, entries, files or objects, by the kind of place.

    Attributes:
        files: Count by file of the project.
        answers: Entries of the cache of answers and vectors.
        drafts: Entries of the memory of parsed files.
        call_ids: Calls that carried the document.
        rows: Rows by index version.
        objects: Objects of DVC by store.
        releases: Registered releases that used a version with the document.
        left: What cannot be removed here, and who can.
    """

    files: dict[Path, int]
    answers: int
    drafts: int
    call_ids: frozenset[str]
    rows: dict[str, int]
    objects: dict[Path, list[Path]]
    releases: tuple[str, ...]
    left: tuple[str, ...] = field(default=())


def make_plan(project: Project, target: Target) -> Plan:
    """Look into every place and return what would go."""
    traces = target.traces
    counted = {path: scrub(path, traces, write=False) for path in scrubbed_files(project)}
    files = {path: count for path, count in counted.items() if count}
    calls = call_ids_with(project, traces)
    here, elsewhere = stores(project)
    paths = [str(target.origin.path)] if target.origin.path else []
    return Plan(
        files=files,
        answers=scrub_answers(project, traces, calls, write=False),
        drafts=scrub_drafts(project, traces, paths, write=False),
        call_ids=calls,
        rows={item.tag: len(item.chunk_ids) for item in target.held},
        objects={store: tainted(store, traces, known_md5(target, files)) for store in here},
        releases=tuple(_dependent(project, target)),
        left=(*_left(project, target, elsewhere), *_trained_on(project, files)),
    )


def scrubbed_files(project: Project) -> Iterator[Path]:
    """Yield the files that are searched row by row or value by value."""
    for path in sorted(project.data().rglob("*")):
        parts = path.relative_to(project.data()).parts
        sealed = parts[0] == "release" and len(parts) > 1 and parts[1] in SEALED
        if path.is_file() and parts[0] not in KEPT_APART and not sealed:
            yield path
    for folder in ("work", "calls"):
        yield from (path for path in sorted(project.state(folder).rglob("*")) if path.is_file())


def call_ids_with(project: Project, traces: "Traces") -> frozenset[str]:
    """Return the ids of the calls that carried or quoted the document."""
    import pyarrow.parquet as parquet

    found: set[str] = set()
    for path in sorted(project.data("calls").glob("date=*/*.parquet")):
        table = parquet.read_table(path, partitioning=None)
        pairs = zip(table["call_id"].to_pylist(), rows_with(table, traces), strict=True)
        found.update(str(call) for call, ours in pairs if ours)
    return frozenset(found)


def known_md5(target: Target, files: dict[Path, int]) -> set[str]:
    """Return the hashes of the files that go or change."""
    return md5_of([*files, *([target.origin.path] if target.origin.path else [])])


def _dependent(project: Project, target: Target) -> Iterator[str]:
    for path in sorted(project.data("release", "releases").glob("*.json")):
        try:
            values = read_json(path, remedy="Restore it with `dvc checkout data/release.dvc`")
        except LlmopsError:  # `llmops release verify` names it
            continue
        if isinstance(values, dict) and values.get("index_tag") in target.redacted_tags:
            yield path.stem


def _left(project: Project, target: Target, elsewhere: list[str]) -> Iterator[str]:
    if target.origin.out_of_reach:
        yield target.origin.out_of_reach
    yield from (f"remote {name!r} of DVC is on another machine: remove the listed objects there" for name in elsewhere)
    yield from (f"{path} quotes the document: change it, evaluate and release anew" for path in target.prompts)
    for path in sorted(project.data("release").rglob("*")):
        sealed = path.is_file() and path.relative_to(project.data("release")).parts[0] in SEALED[:2]
        if sealed and target.traces.found_in(path.read_text(errors="replace")):
            yield f"{project.relative(path)} is sealed and quotes the document: see `llmops release status`"
    if target.twins:
        yield f"{len(target.twins)} other document(s) say exactly the same and stay: erase them by their own names"


def _trained_on(project: Project, files: dict[Path, int]) -> Iterator[str]:
    for path in files:
        if path.suffix == ".jsonl" and f'"{TRAINING_KEY}"' in path.read_text(errors="replace"):
            name = project.relative(path)
            yield f"a model may be fine-tuned on {name}: delete the uploaded file and the model at the provider"

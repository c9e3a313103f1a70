"""Erase documents from every version of the index, by writing the index anew without them.

Deleting rows and compacting leaves their text in the data files (measured: it survived `delete`,
`optimize` and a clean-up of age 0). So the kept versions are replayed, oldest first, into a new
database that never sees the documents; it takes the place of the old one, which is removed. An
older version keeps its tag, so that the releases that pin it go on answering, and says in its
manifest what was taken from it. The live version gets the tag of its new content.
"""

import shutil
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from flows.core.clock import Clock, utc_now
from flows.core.errors import LlmopsError
from flows.core.files import recover_folder, replace_folder, write_json
from flows.core.locks import writer_lock
from flows.core.project import Project
from flows.index.kinds import Build
from flows.index.manifest import (
    IndexManifest,
    database,
    kept_manifests,
    manifest_file,
    publish_carried,
    published,
)
from flows.index.schema import KEY, matrix
from flows.index.store import open_index
from flows.index.writer import Writer, crash_here, open_writer

if TYPE_CHECKING:
    import pyarrow as arrow


@dataclass(frozen=True)
class Held:
    """What a version holds of the documents; `unreadable` versions are damaged and can only be dropped."""

    tag: str
    chunk_ids: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()
    unreadable: bool = False


@dataclass(frozen=True)
class Rewritten:
    """What became of a version; `rows_after` is 0 for one that was dropped."""

    tag: str
    rows_before: int
    rows_after: int


def holding(project: Project, document_ids: Collection[str]) -> list[Held]:
    """Return, per kept version, the chunks of the documents with what search reads of them."""
    found = []
    for manifest in _versions(project):
        try:
            rows = _table(project, manifest).drop_columns(["vector"]).to_pylist()
        except LlmopsError:
            found.append(Held(manifest.tag, unreadable=True))
            continue
        ours = [row for row in rows if row["document_id"] in document_ids]
        texts = tuple(dict.fromkeys(row["search_text"] for row in ours))
        found.append(Held(manifest.tag, tuple(row[KEY] for row in ours), texts))
    return found


def erase(
    project: Project, document_ids: Collection[str], build: Build, *, clock: Clock = utc_now
) -> tuple[IndexManifest | None, list[Rewritten]]:
    """Write the index anew without the documents and publish it.

    Args:
        project: The project.
        document_ids: The documents to erase.
        build: How versions are built; each is measured again.
        clock: Source of the recorded time of the live version.

    Returns:
        The live manifest (None when no row is left), and what became of every kept version.

    Raises:
        GateError: A version misses its recall; nothing was changed.
        LockedError: Another process writes.
    """
    aside = Project(project.state("work", "erase"))
    with writer_lock(project.state("locks", "index.lock"), what="the index", clock=clock):
        recover_folder(database(project))
        publish_carried(project)
        shutil.rmtree(aside.root, ignore_errors=True)
        kept, live = _versions(project), published(project)
        patient = replace(build, keep_versions=len(kept) + 1)
        done = [_replay(project, aside, manifest, document_ids, patient) for manifest in kept]
        manifest = _publish_live(project, aside, live, document_ids, patient, clock) if live else None
        _take_the_place(project, aside, manifest)
    return manifest, done


def _versions(project: Project) -> list[IndexManifest]:
    live, kept = published(project), kept_manifests(project)
    return kept + ([live] if live and live.tag not in {item.tag for item in kept} else [])


def _table(project: Project, manifest: IndexManifest) -> "arrow.Table":
    found: arrow.Table = open_index(project, manifest.tag).everything()
    return found


def _remaining(project: Project, manifest: IndexManifest, document_ids: Collection[str]) -> "arrow.Table":
    import pyarrow as arrow
    import pyarrow.compute as compute

    table = _table(project, manifest)
    gone = compute.is_in(table["document_id"], value_set=arrow.array(sorted(document_ids), arrow.string()))
    return table.filter(compute.invert(gone))


def _replay(
    project: Project, aside: Project, manifest: IndexManifest, document_ids: Collection[str], build: Build
) -> Rewritten:
    try:
        rows = _remaining(project, manifest, document_ids)
    except LlmopsError:  # damaged: what cannot be read cannot be proven free of the documents
        return Rewritten(manifest.tag, manifest.rows, 0)
    if not rows.num_rows:
        return Rewritten(manifest.tag, manifest.rows, 0)
    with open_writer(aside, manifest.fingerprint) as writer:
        _become(writer, rows)
        made = datetime.fromisoformat(manifest.created_at)
        new = writer.publish(build, now=made, pinned=_tags(aside), tag=manifest.tag)
    touched = rows.num_rows < manifest.rows
    redacted = sorted({*manifest.redacted, *(document_ids if touched else ())})
    write_json(manifest_file(aside, manifest.tag), asdict(replace(new, redacted=redacted)))
    return Rewritten(manifest.tag, manifest.rows, new.rows)


def _publish_live(
    project: Project, aside: Project, live: IndexManifest, document_ids: Collection[str], build: Build, clock: Clock
) -> IndexManifest | None:
    rows = _remaining(project, live, document_ids)
    if not rows.num_rows:
        return None
    with open_writer(aside, live.fingerprint) as writer:
        _become(writer, rows)
        return writer.publish(build, now=clock(), pinned=_tags(aside))


def _become(writer: Writer, rows: "arrow.Table") -> None:
    """Bring the table to exactly these rows."""
    frame, vectors = rows.drop_columns(["vector"]).to_pandas(), matrix(rows)
    have: dict[str, Any] = dict(writer.hashes()[[KEY, "row_key"]].itertuples(index=False))
    pairs = zip(frame[KEY], frame["row_key"], strict=True)
    new = [place for place, (chunk, key) in enumerate(pairs) if have.get(chunk) != key]
    writer.remove(set(have) - set(frame[KEY]))
    writer.upsert(frame.iloc[new], vectors[new])


def _tags(project: Project) -> Sequence[str]:
    return [manifest.tag for manifest in kept_manifests(project)]


def _take_the_place(project: Project, aside: Project, manifest: IndexManifest | None) -> None:
    """Swap the databases and drop whatever else was made from the old one."""
    write_json(database(aside) / "pointer.json", asdict(manifest) if manifest else None)
    replace_folder(database(aside), database(project))
    crash_here("index.swapped")
    publish_carried(project)
    for leftover in (aside.root, project.state("index"), project.state("quarantine", "index")):
        shutil.rmtree(leftover, ignore_errors=True)

"""Write the index: the one place where a table changes, under the one writer's lock.

A run changes the newest version of the table, which no reader sees, and publishes it at the end:
indices built and complete, recall measured, content tagged, bytes flushed and hashed, then one
pointer replaced. A run killed anywhere before that leaves the old version live, and its finished
batches are found again by the next run.
"""

import os
import signal
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from flows.core.clock import Clock, utc_now
from flows.core.errors import InputError
from flows.core.files import make_folder, recover_folder
from flows.core.locks import writer_lock
from flows.core.project import Project
from flows.core.settings import crash_point_requested
from flows.index import fragments, upsert
from flows.index.disk import disk_errors
from flows.index.filters import ids_in
from flows.index.kinds import Build, build_indices, require_indexed, tune
from flows.index.layout import files_of_version, table_folder, tag_files
from flows.index.maintain import optimise, retire
from flows.index.manifest import (
    IndexManifest,
    content_tag,
    database,
    last_published,
    manifest_file,
    publish,
    publish_carried,
    read_manifest,
)
from flows.index.recall import sampled_queries
from flows.index.repair import open_or_create
from flows.index.schema import Vectors, matrix, to_arrow
from flows.index.verify import damages, flush, hashes

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as arrow


class Writer:
    """The newest version of the table for one embedding fingerprint; get one from `open_writer`."""

    def __init__(self, project: Project, connection: Any, table: Any, fingerprint: Mapping[str, Any]) -> None:
        self._project, self._connection, self._table = project, connection, table
        self._fingerprint = dict(fingerprint)

    @property
    def table(self) -> str:
        """The table's name."""
        return str(self._table.name)

    @property
    def fingerprint(self) -> dict[str, Any]:
        """Identity of the table's vectors."""
        return self._fingerprint

    @property
    def schema(self) -> "arrow.Schema":
        """The table's columns."""
        columns: arrow.Schema = self._table.schema
        return columns

    def hashes(self) -> "pd.DataFrame":
        """Return `chunk_id`, `row_key` and `vector_key` of every row."""
        return upsert.row_hashes(self._table)

    def vectors(self, chunk_ids: Sequence[str]) -> Vectors:
        """Return the stored vectors of rows that exist, in the order of `chunk_ids`: shape (n, dims)."""
        dims = self._table.schema.field("vector").type.list_size
        found: dict[str, Any] = {}
        for start in range(0, len(chunk_ids), upsert.IDS_PER_FILTER):
            where = ids_in("chunk_id", chunk_ids[start : start + upsert.IDS_PER_FILTER])
            rows = self._table.search().where(where).select(["chunk_id", "vector"]).to_arrow()
            found.update(zip(rows["chunk_id"].to_pylist(), matrix(rows), strict=True))
        return np.array([found[chunk] for chunk in chunk_ids], dtype=np.float32).reshape(-1, dims)

    def upsert(self, rows: "pd.DataFrame", vectors: Vectors) -> None:
        """Insert or replace rows (`flows.index.schema.rows_of`) with their vectors, in one commit."""
        if len(rows):
            upsert.merge(self._table, to_arrow(rows, vectors, self._table.schema))
            crash_here("index.upserted")

    def append(self, batches: "Sequence[arrow.Table]", finish: "Callable[[arrow.Table], arrow.Table]") -> None:
        """Insert rows that the table does not have, finished and written by a cluster, in one commit."""
        fragments.append(self._table, batches, finish)
        crash_here("index.upserted")

    def remove(self, chunk_ids: Collection[str]) -> int:
        """Delete rows and return how many there were."""
        return upsert.remove(self._table, chunk_ids)

    def publish(
        self,
        build: Build,
        *,
        now: datetime,
        queries: Vectors | None = None,
        pinned: Collection[str] = (),
        tag: str | None = None,
    ) -> IndexManifest:
        """Make the table's newest version the one that readers open.

        Args:
            build: How the indices are built and what they must reach.
            now: The time to record; with its time zone.
            queries: Vectors of real query texts to measure recall with, beside stored ones.
            pinned: Tags that releases refer to; their versions are never dropped.
            tag: Name of the version, where erasure keeps the one it had; None = the tag of its content.

        Raises:
            GateError: Recall is below `build.recall_min`; the previous version stays live.
            IntegrityError: A key stands twice, or an index does not know every row.
        """
        rows = self.hashes()
        identity = build.identity(len(rows))
        tag = tag or content_tag(self._fingerprint, rows["row_key"].tolist(), identity)
        manifest = self._still_there(tag) or self._finish(tag, rows["chunk_id"].tolist(), build, now, queries, pinned)
        crash_here("index.before_publish")
        publish(self._project, manifest)
        return manifest

    def compact(self, live: IndexManifest, build: Build, *, pinned: Collection[str] = ()) -> IndexManifest:
        """Merge the files of the live version and publish the same content, tag and time again.

        Raises:
            InputError: The table holds rows of a run that was not finished.
        """
        rows = self.hashes()
        if content_tag(self._fingerprint, rows["row_key"].tolist(), build.identity(len(rows))) != live.tag:
            raise InputError(
                f"table {self.table!r} holds something else than the live version {live.tag}. "
                "Run `llmops embed`, which finishes it, and compact then."
            )
        optimise(self._table)
        made = datetime.fromisoformat(live.created_at)
        manifest = self._finish(live.tag, rows["chunk_id"].tolist(), build, made, None, pinned)
        publish(self._project, manifest)
        return manifest

    def _still_there(self, tag: str) -> IndexManifest | None:
        """Return the intact version that has this content already, if there is one."""
        path = manifest_file(self._project, tag)
        if not path.exists() or tag not in self._table.tags.list():
            return None
        manifest = read_manifest(path)
        return None if manifest.redacted or damages(self._project, manifest, every_byte=False) else manifest

    def _finish(
        self,
        tag: str,
        ids: list[str],
        build: Build,
        now: datetime,
        queries: Vectors | None,
        pinned: Collection[str],
    ) -> IndexManifest:
        kind = build_indices(self._table, build)
        retire(self._project, self._connection, self._table, pinned=pinned, keep=build.keep_versions)
        require_indexed(self._table)
        sample = sampled_queries(self._table, ids, build.recall_queries, build.seed)
        asked = sample if queries is None else np.vstack([queries, sample])
        probing, recall = tune(self._table, kind, asked, build)
        version = int(self._table.version)
        self._tag(tag, version)
        crash_here("index.tagged")
        return IndexManifest(
            table=self.table,
            version=version,
            tag=tag,
            rows=len(ids),
            fingerprint=self._fingerprint,
            recall_at_10=round(recall.value, 6),
            recall_queries=recall.queries,
            index_kind=kind,
            probes=probing.probes,
            refine_factor=probing.refine_factor,
            ef=probing.ef,
            created_at=now.isoformat(timespec="microseconds"),
            files=self._files(version),
            access=upsert.access_counts(self._table),
        )

    def _tag(self, tag: str, version: int) -> None:
        """Point the tag here; one that a killed run left behind was never published."""
        if tag in self._table.tags.list():
            self._table.tags.update(tag, version)
        else:
            self._table.tags.create(tag, version)

    def _files(self, version: int) -> dict[str, str]:
        root = database(self._project)
        folder = table_folder(root, self.table)
        files = files_of_version(folder, version)
        flush([*files, *tag_files(folder).values()], root)
        live = last_published(self._project)
        return hashes(root, files, known=live.files if live else {})


@contextmanager
def open_writer(
    project: Project, fingerprint: Mapping[str, Any], *, rebuild: bool = False, clock: Clock = utc_now
) -> Iterator[Writer]:
    """Hold the writer's lock and yield the table for this embedding fingerprint.

    Another fingerprint gets another table beside the live one, so that vectors of two models never
    meet; `flows.index.swap` decides whether that is allowed.

    Args:
        project: The project.
        fingerprint: Identity of the vectors; `dims` is their length.
        rebuild: Start from an empty table; published versions stay readable.
        clock: Source of the time that the lock shows to others.

    Raises:
        LockedError: Another process writes.
    """
    import lancedb

    with writer_lock(project.state("locks", "index.lock"), what="the index", clock=clock):
        root = database(project)
        recover_folder(root)  # an erasure may have been killed while it put a new index in place
        publish_carried(project)
        make_folder(root)
        with disk_errors(root):
            connection = lancedb.connect(root)
            table = open_or_create(project, connection, fingerprint, rebuild=rebuild)
            yield Writer(project, connection, table, fingerprint)


def crash_here(point: str) -> None:
    """Kill this process, as a power cut would, when the crash test asks for this point."""
    if crash_point_requested() == point:
        os.kill(os.getpid(), signal.SIGKILL)

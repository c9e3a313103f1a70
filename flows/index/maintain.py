"""Keep the table small without losing a version that somebody needs. Only under the writer's lock.

LanceDB's `optimize()` is asked to compact and to index, never to clean up: its clean-up raises as
soon as a tag is older than its horizon, after compaction and before it indexes new rows, which then
stay unindexed for ever (measured); and it knows no way to drop a version that is younger than a
tagged one. So what no kept version needs is swept here, by the lists of files in the manifests of
published versions, and for the newest by its own, only when that agrees with what Lance counts.
"""

from collections.abc import Collection, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from flows.core.errors import IntegrityError
from flows.core.project import Project
from flows.index.layout import files_of_version, table_folder, tables_on_disk
from flows.index.manifest import IndexManifest, database, kept_manifests, last_published, manifest_file

NEVER = timedelta(days=36_500)  # no version is that old: nothing is cleaned up


def optimise(table: Any) -> None:
    """Merge small files and fold new rows into the indices; rewrites the files that it merges."""
    table.optimize(cleanup_older_than=NEVER)


def worn(table: Any, *, fragments_max: int, deleted_share_max: float) -> bool:
    """Whether the table is in so many pieces, or holds so many deleted rows, that compacting pays."""
    counts = table.list_versions()[-1]["metadata"]
    rows, deleted = int(counts["total_data_file_rows"]), int(counts["total_deletion_file_rows"])
    return int(counts["total_fragments"]) > fragments_max or deleted > deleted_share_max * rows


def expired(
    manifests: Sequence[IndexManifest], *, live: str | None, pinned: Collection[str], keep: int
) -> list[IndexManifest]:
    """Return the versions that may go: neither live, nor pinned, nor among the newest `keep`.

    Args:
        manifests: All kept versions, oldest first.
        live: Tag of the published version.
        pinned: Tags that releases refer to.
        keep: How many of the newest stay whatever happens, at least 1.
    """
    older = manifests[: max(0, len(manifests) - keep)]
    return [manifest for manifest in older if manifest.tag != live and manifest.tag not in pinned]


def retire(project: Project, connection: Any, table: Any, *, pinned: Collection[str], keep: int) -> None:
    """Drop expired versions, with their manifests, tags, tables and files, and what killed writers left.

    Args:
        project: The project.
        connection: The LanceDB connection.
        table: The writer's table; its newest version stays.
        pinned: Tags that releases refer to.
        keep: How many of the newest versions stay.

    Raises:
        IntegrityError: The files of the newest version are not all known; nothing is swept.
    """
    live, kept = last_published(project), kept_manifests(project)
    gone = expired(kept, live=live.tag if live else None, pinned=pinned, keep=keep)
    for manifest in gone:
        manifest_file(project, manifest.tag).unlink(missing_ok=True)
    kept = [manifest for manifest in [*kept, *([live] if live else [])] if manifest not in gone]
    root = database(project)
    for name in set(tables_on_disk(root)) - {manifest.table for manifest in kept} - {table.name}:
        connection.drop_table(name)
    for tag in set(table.tags.list()) - {manifest.tag for manifest in kept if manifest.table == table.name}:
        table.tags.delete(tag)
    ours = {root / name for manifest in kept if manifest.table == table.name for name in manifest.files}
    sweep(table, table_folder(root, table.name), kept=ours)


def sweep(table: Any, folder: Path, *, kept: Collection[Path]) -> None:
    """Remove every file that neither the newest version needs nor one that is kept.

    Raises:
        IntegrityError: The newest version's list of files has another length than Lance counts for it.
    """
    newest = int(table.version)
    files = files_of_version(folder, newest)
    _require_all(files, newest, table.list_versions()[-1]["metadata"])
    needed = {*kept, *files}
    manifests = b"".join(path.read_bytes() for path in folder.glob("_versions/*.manifest") if path in needed)
    needed.update(path for path in folder.glob("_transactions/*") if path.name.encode() in manifests)
    for part in ("_versions/*.manifest", "data/*", "_deletions/*", "_indices/*/**/*", "_transactions/*"):
        for path in [path for path in folder.glob(part) if path.is_file() and path not in needed]:
            path.unlink()
    for index in (folder / "_indices").glob("*"):
        if not any(index.iterdir()):
            index.rmdir()


def _require_all(files: Sequence[Path], version: int, counts: dict[str, str]) -> None:
    for place, name in (("data", "total_data_files"), ("_deletions", "total_deletion_files")):
        found = sum(path.parent.name == place for path in files)
        if found != int(counts[name]):
            raise IntegrityError(
                f"version {version} of the index has {counts[name]} file(s) in {place!r}, {found} of them known. "
                "Nothing was removed; report this with the version of lancedb."
            )

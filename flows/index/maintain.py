"""Keep the table small without losing a version that somebody needs. Only under the writer's lock.

Two traps, both measured. LanceDB's plain `optimize()` raises as soon as a tag is older than seven
days, after compaction and before it indexes new rows, which then stay unindexed for ever; so the
horizon is always given. And a horizon younger than a tagged version raises too; so it is computed
from the oldest version that is kept, after the tags of the others have been deleted.
"""

from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from flows.core.project import Project
from flows.index.layout import tables_on_disk
from flows.index.manifest import IndexManifest, database, kept_manifests, manifest_file, published

NEVER = timedelta(days=36_500)  # no version is that old: nothing is cleaned up
GRACE = timedelta(minutes=1)  # Lance reads the clock later than we do: keeps the oldest kept version behind the horizon


def optimise(table: Any, *, horizon: timedelta = NEVER) -> None:
    """Merge small files, fold new rows into the indices, and drop versions older than `horizon`.

    Leftovers of killed writers go too: the lock says that no other writer is under way.
    """
    table.optimize(cleanup_older_than=horizon, delete_unverified=horizon < NEVER)


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


def retire(
    project: Project,
    connection: Any,
    table: Any,
    *,
    pinned: Collection[str],
    keep: int,
    now: datetime,
    grace: timedelta = GRACE,
) -> None:
    """Compact and index the table, then forget expired versions: manifests, tags, tables and files.

    Args:
        project: The project.
        connection: The LanceDB connection.
        table: The writer's table.
        pinned: Tags that releases refer to.
        keep: How many of the newest versions stay.
        now: The true time; Lance compares it with its own clock.
        grace: Longest time from `now` to the clean-up.
    """
    optimise(table)
    live, kept = published(project), kept_manifests(project)
    gone = expired(kept, live=live.tag if live else None, pinned=pinned, keep=keep)
    for manifest in gone:
        manifest_file(project, manifest.tag).unlink(missing_ok=True)
    kept = [manifest for manifest in kept if manifest not in gone]
    for name in set(tables_on_disk(database(project))) - {manifest.table for manifest in kept} - {table.name}:
        connection.drop_table(name)
    for tag in set(table.tags.list()) - {manifest.tag for manifest in kept if manifest.table == table.name}:
        table.tags.delete(tag)
    horizon, oldest = _ages(table, now, grace)
    if oldest > horizon:
        optimise(table, horizon=horizon)


def _ages(table: Any, now: datetime, grace: timedelta) -> tuple[timedelta, timedelta]:
    """Return the age beyond which nothing is kept, and the age of the oldest version on disk.

    Nothing older than the oldest tagged version is kept; without tags nothing is too old.
    """
    tagged = {tag["version"] for tag in table.tags.list().values()}
    ages = {row["version"]: now - row["timestamp"].astimezone(UTC) for row in table.list_versions()}
    kept = [age for version, age in ages.items() if version in tagged]
    return max(*kept, timedelta()) + grace if kept else NEVER, max(ages.values())

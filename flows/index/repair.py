"""Open a table for writing although a crash, a power cut or a bad disk has damaged it.

A newest manifest that is empty or cut makes a Lance table unopenable for ever, while the version
before it is fine (measured; also tenequm/pond#110); an older one, or a tag that is empty, makes every
maintenance of it fail. The damaged one is moved aside, and the next run writes again what it held: the
rows can always be made from the chunks. Lance flushes no file, so after a power cut what was written and
not yet published may hold anything; it is dropped by the first writer after a start of the machine. A
table whose data is damaged is begun anew; versions that are intact stay readable.
"""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from flows.core.errors import IntegrityError
from flows.core.files import sha256_file, write_text
from flows.core.project import Project
from flows.index.layout import (
    manifest_path,
    manifest_sections,
    table_folder,
    tables_on_disk,
    tag_files,
    versions_on_disk,
)
from flows.index.manifest import database, kept_manifests, last_published
from flows.index.schema import fingerprint_id, stored_fingerprint, table_schema
from flows.index.verify import damages

FIRST_TABLE = "chunks"
_BOOT = Path("/proc/sys/kernel/random/boot_id")  # another one after every start of the machine (Linux)


def open_or_create(project: Project, connection: Any, fingerprint: Mapping[str, Any], *, rebuild: bool) -> Any:
    """Return the table for this fingerprint at its newest readable version; empty when it is new.

    Args:
        project: The project.
        connection: The LanceDB connection.
        fingerprint: Identity of the vectors.
        rebuild: Begin anew although the table is fine.
    """
    _drop_unflushed(project)
    schema, wanted = table_schema(fingerprint), fingerprint_id(fingerprint)
    for name in tables_on_disk(database(project)):
        table = open_newest(project, connection, name)
        if table is not None and fingerprint_id(stored_fingerprint(table.schema)) == wanted:
            if rebuild or _is_damaged(project, name, int(table.version)) or not table.schema.equals(schema):
                return connection.create_table(name, schema=schema, mode="overwrite")
            return table
    free = FIRST_TABLE not in tables_on_disk(database(project))
    return connection.create_table(FIRST_TABLE if free else f"{FIRST_TABLE}-{wanted[:12]}", schema=schema)


def _drop_unflushed(project: Project) -> None:
    """Remove the versions that are not published, if the machine has started since a writer was here last."""
    marker = project.state("index", "boot")
    boot = _BOOT.read_text() if _BOOT.exists() else ""
    if marker.is_file() and marker.read_text() == boot:
        return
    live = last_published(project)
    flushed = {(manifest.table, manifest.version) for manifest in [*kept_manifests(project), *([live] if live else [])]}
    for name in tables_on_disk(database(project)):
        folder = table_folder(database(project), name)
        for version in versions_on_disk(folder):
            if (name, version) not in flushed:
                manifest_path(folder, version).unlink()
    write_text(marker, boot)


def open_newest(project: Project, connection: Any, name: str) -> Any:
    """Open the newest version that opens; unreadable ones, and then the whole table, are moved aside."""
    folder = table_folder(database(project), name)
    for path in _torn(project, name):
        _set_aside(project, path)
    for version in [*versions_on_disk(folder), None]:
        try:
            return connection.open_table(name)
        except (RuntimeError, OSError, ValueError):
            _set_aside(project, folder if version is None else manifest_path(folder, version))
    return None


def _torn(project: Project, name: str) -> list[Path]:
    """Return what makes Lance refuse every change of a table, whichever version it belongs to.

    That is a tag that a power cut left empty, and a manifest of a version that is cut or not what was published.
    """
    root = database(project)
    folder = table_folder(root, name)
    known = {root / file: digest for manifest in kept_manifests(project) for file, digest in manifest.files.items()}
    manifests = [manifest_path(folder, version) for version in versions_on_disk(folder)]
    return [
        *(path for path in tag_files(folder).values() if not _is_whole_tag(path)),
        *(path for path in manifests if not _is_whole_manifest(path, known.get(path))),
    ]


def _is_whole_tag(path: Path) -> bool:
    try:
        return isinstance(json.loads(path.read_bytes()), dict)
    except ValueError:
        return False


def _is_whole_manifest(path: Path, known: str | None) -> bool:
    try:
        manifest_sections(path)
    except IntegrityError:
        return False
    return known is None or sha256_file(path) == known


def _set_aside(project: Project, path: Path) -> None:
    place = project.state("quarantine", "index", path.name)
    place.parent.mkdir(parents=True, exist_ok=True)
    if place.is_dir():
        shutil.rmtree(place)
    shutil.move(path, place)


def _is_damaged(project: Project, name: str, newest: int) -> bool:
    """Whether files that the newest version still uses are damaged.

    The newest version shares files with the last published one, which are the ones with hashes.
    """
    ours = [manifest for manifest in kept_manifests(project) if manifest.table == name and manifest.version <= newest]
    return bool(ours) and bool(damages(project, ours[-1], every_byte=False))

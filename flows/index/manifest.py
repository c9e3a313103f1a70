"""The manifest of an index version, and the pointer that publishes one.

Every published version leaves `data/embed/lancedb/manifests/<tag>.json`; the live one is copied to
`data/embed/manifest.json` by one atomic replace, which is the publication. The tag is made of the
content (rows, vectors' fingerprint, kind of index), so equal content is the same version whichever
history led to it, and it is written before the stage is committed to DVC: a tag that came later
would make DVC run the stage again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime
from pathlib import Path
from typing import Any

from flows.core.access import UNLABELLED
from flows.core.errors import InputError, IntegrityError, LlmopsError, did_you_mean
from flows.core.files import read_json, sync, write_json
from flows.core.ids import content_id
from flows.core.project import Project

REMEDY = "Run `llmops embed`"
TAG_DIGITS = 12


@dataclass(frozen=True)
class IndexManifest:
    """One published version of the index.

    `recall_at_10` is against exact search, 0 to 1; `probes` is the number of cells a query looks
    into (0 = exact) and `ef` the width of its beam in a graph; `files` maps paths below
    `data/embed/lancedb` to their SHA-256; `access` counts the rows by their access labels; `redacted`
    lists the ids of documents that were erased from this version after it was made, so that its
    content is no longer what its tag says.
    """

    table: str
    version: int
    tag: str
    rows: int
    fingerprint: dict[str, Any]
    recall_at_10: float
    recall_queries: int
    index_kind: str
    probes: int
    refine_factor: int
    created_at: str
    files: dict[str, str]
    access: dict[str, int]
    ef: int = 0
    redacted: list[str] = field(default_factory=list)


def database(project: Project) -> Path:
    """Return the folder of the tables."""
    return project.data("embed", "lancedb")


def pointer(project: Project) -> Path:
    """Return the file whose replacement publishes a version."""
    return project.data("embed", "manifest.json")


def manifest_file(project: Project, tag: str) -> Path:
    """Return where the manifest of a tagged version is kept."""
    return database(project) / "manifests" / f"{tag}.json"


def content_tag(fingerprint: Mapping[str, Any], row_keys: Sequence[str], build: Mapping[str, Any]) -> str:
    """Return `c-` and 12 hex digits of the content: sorted row keys, fingerprint, kind of index."""
    return "c-" + content_id("index", dict(fingerprint), sorted(row_keys), dict(build))[:TAG_DIGITS]


def read_manifest(path: Path) -> IndexManifest:
    """Read a manifest.

    Raises:
        InputError: There is none.
        IntegrityError: It is torn or not a manifest.
    """
    found = read_json(path, remedy=REMEDY)
    try:
        values = {"redacted": [], "ef": 0, "access": {UNLABELLED: found["rows"]}} | found  # what older ones lack
        return IndexManifest(**{item.name: values[item.name] for item in fields(IndexManifest)})
    except (KeyError, TypeError) as error:
        raise IntegrityError(f"{path.name!r} is not an index manifest: {error} is missing. {REMEDY}.") from None


def published(project: Project) -> IndexManifest | None:
    """Return the live manifest, or None before the first publication."""
    return read_manifest(pointer(project)) if pointer(project).exists() else None


def last_published(project: Project) -> IndexManifest | None:
    """Return the live manifest for a writer; where the pointer is torn, the newest kept one."""
    try:
        return published(project)
    except LlmopsError:
        return next(reversed(kept_manifests(project)), None)


def publish(project: Project, manifest: IndexManifest) -> None:
    """Keep the manifest under its tag, then make it the live one."""
    write_json(manifest_file(project, manifest.tag), asdict(manifest))
    write_json(pointer(project), asdict(manifest))


def publish_carried(project: Project) -> None:
    """Publish what a new database says is live: the second half of its taking the old one's place.

    A database that replaces another as a whole carries its pointer inside, null for no live version,
    so that a process killed between the two leaves to the next writer what is still to be done.
    """
    carried = database(project) / "pointer.json"
    if not carried.exists():
        return
    if read_json(carried, remedy=REMEDY) is None:
        pointer(project).unlink(missing_ok=True)
        carried.unlink()
    else:
        carried.replace(pointer(project))
    sync(pointer(project).parent)


def kept_manifests(project: Project) -> list[IndexManifest]:
    """Return the manifests of all versions that can be opened, oldest first; torn ones are left out."""
    found = []
    for path in sorted((database(project) / "manifests").glob("c-*.json")):
        try:
            found.append(read_manifest(path))
        except LlmopsError:  # a torn file is no version; `verify` names it
            continue
    return sorted(found, key=lambda manifest: (manifest.created_at, manifest.version))


def resolve(project: Project, version: int | str | None) -> IndexManifest:
    """Return the manifest of the live version (None), of a version number or of a tag.

    Raises:
        InputError: There is no such version; names the ones there are.
    """
    if version is None:
        return read_manifest(pointer(project))
    kept = kept_manifests(project)
    live = published(project)
    for manifest in ([live] if live else []) + kept[::-1]:
        if version in (manifest.version, manifest.tag):
            return manifest
    known = [f"{manifest.tag} (version {manifest.version})" for manifest in kept]
    hint = did_you_mean(str(version), [manifest.tag for manifest in kept])
    remedy = f"There are: {', '.join(known)}." if known else f"There are none. {REMEDY}."
    raise InputError(f"the index has no version {version!r}.{hint} {remedy}")


def version_as_of(project: Project, moment: datetime) -> IndexManifest:
    """Return the newest version that was made at or before `moment` (with its time zone).

    Raises:
        InputError: Every kept version is younger.
    """
    made = [item for item in kept_manifests(project) if datetime.fromisoformat(item.created_at) <= moment]
    if not made:
        raise InputError(f"no kept version of the index is as old as {moment.isoformat()}. Name a later time.")
    return made[-1]

"""Know when a byte of the index has changed, because Lance does not.

Lance keeps no checksums: a flipped bit was served in silence in 35 of 40 trials, and it does not
flush its files either. So every published version lists the SHA-256 of its files, which are
flushed to the disk before the version is published. Opening a version compares them; a file whose
size and time of change are those of the last comparison is not read again. `verify_index` reads
every byte.
"""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from flows.core.errors import InputError, IntegrityError, LlmopsError, first_three
from flows.core.files import read_json, sha256_file, sync, write_json
from flows.core.project import Project
from flows.index.layout import REMEDY
from flows.index.manifest import IndexManifest, database, kept_manifests, pointer, published

UNIQUE = {"data", "_indices"}  # folders whose files have names of their own
Stamp = list[int | str]  # size in bytes, time of change in ns, SHA-256


@dataclass(frozen=True)
class Damage:
    """A file of a published version that is not what it was."""

    tag: str
    path: str
    reason: Literal["missing", "differs", "unreadable"]


def hashes(root: Path, files: Iterable[Path], known: Mapping[str, str]) -> dict[str, str]:
    """Return the SHA-256 of files by their path below `root`.

    A file of data or of an index has a name that no other will ever have, and Lance never changes it. If it is
    `known` from the live version it keeps that hash: to read it again would take damage done since for content.
    """
    names = {path.relative_to(root).as_posix(): path for path in files}
    kept = {name: digest for name, digest in known.items() if UNIQUE.intersection(Path(name).parts)}
    return {name: kept.get(name) or sha256_file(path) for name, path in names.items()}


def flush(files: Iterable[Path], root: Path) -> None:
    """Flush files and every folder between them and `root` to the disk."""
    folders: set[Path] = set()
    for path in files:
        sync(path)
        folders.update(parent for parent in path.parents if parent == root or root in parent.parents)
    for folder in folders:
        sync(folder)


def damages(project: Project, manifest: IndexManifest, *, every_byte: bool) -> list[Damage]:
    """Return the files of a version that are missing or differ.

    Args:
        project: The project.
        manifest: The version.
        every_byte: Read all files, instead of only those that changed since they were last read.
    """
    root = database(project)
    stamps = {} if every_byte else _stamps(project)
    found = [Damage(manifest.tag, name, "missing") for name in manifest.files if not (root / name).is_file()]
    present = {name: expected for name, expected in manifest.files.items() if (root / name).is_file()}
    seen = {name: _stamp(root / name, stamps.get(name)) for name in present}
    found += [Damage(manifest.tag, name, "differs") for name, stamp in seen.items() if stamp[2] != present[name]]
    if any(stamps.get(name) != stamp for name, stamp in seen.items()):
        with suppress(OSError):  # they only save time; a project that cannot be written to can be read
            write_json(project.state("index", "stamps.json"), seen)
    return found


def _stamp(path: Path, known: Stamp | None) -> Stamp:
    status = path.stat()
    if known and known[:2] == [status.st_size, status.st_mtime_ns]:
        return known
    return [status.st_size, status.st_mtime_ns, sha256_file(path)]


def _stamps(project: Project) -> Mapping[str, Stamp]:
    try:
        stamps: dict[str, Stamp] = read_json(project.state("index", "stamps.json"), remedy=REMEDY)
    except LlmopsError:  # none yet, or torn: everything is read again
        return {}
    return stamps


def require_intact(project: Project, manifest: IndexManifest) -> None:
    """Refuse a version whose files differ from its manifest.

    Raises:
        IntegrityError: Names the version and the first damaged files.
    """
    found = damages(project, manifest, every_byte=False)
    if found:
        names = first_three([damage.path for damage in found])
        raise IntegrityError(
            f"{len(found)} file(s) of index version {manifest.version} ({manifest.tag}) are damaged: {names}. {REMEDY}."
        )


def verify_index(project: Project) -> list[Damage]:
    """Read every byte of every kept version and return what is damaged; nothing = all is well.

    Raises:
        InputError: Nothing is published yet.
    """
    if not pointer(project).exists():
        raise InputError("there is no index to verify. Run `llmops embed`.")
    found = _torn_manifests(project)
    try:
        live = published(project)
    except LlmopsError:
        found.append(Damage("live", pointer(project).name, "unreadable"))
        live = None
    versions = {manifest.tag: manifest for manifest in [*kept_manifests(project), *([live] if live else [])]}
    return found + [damage for manifest in versions.values() for damage in damages(project, manifest, every_byte=True)]


def _torn_manifests(project: Project) -> list[Damage]:
    readable = {manifest.tag for manifest in kept_manifests(project)}
    kept = sorted((database(project) / "manifests").glob("c-*.json"))
    return [Damage(path.stem, f"manifests/{path.name}", "unreadable") for path in kept if path.stem not in readable]

"""Know the SHA-256 of a file without reading it again for as long as its stat stands still.

Size, both times and inode tell a changed file from an unchanged one, except for a change so soon
after the last that the clock of the file system had not moved (git calls such files racy). So a
file whose times are not clearly older than its reading is read again next time. What a disk does
to bytes behind the file system's back no stat can tell: `llmops index verify` and `dvc status` read.
"""

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from flows.core.clock import utc_now
from flows.core.errors import LlmopsError
from flows.core.files import read_json, sha256_file, write_json
from flows.core.project import Project

SETTLED_NS = 2_000_000_000  # the coarsest clock of a common file system (FAT) moves every two seconds


class Stamp(NamedTuple):
    """What `stat` says of a file, and the SHA-256 it had then."""

    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int
    sha256: str


def settled_before() -> int:
    """Return the time (ns since 1970) before which a file must have changed last to be told by its stat."""
    return int(utc_now().timestamp() * 1e9) - SETTLED_NS


def hashes(project: Project, paths: Iterable[Path]) -> dict[Path, str]:
    """Return the SHA-256 of each file; one that stands still since its last reading is not read.

    Args:
        project: The project, which remembers the stamps in `.llmops/stamps.json`.
        paths: Files that exist.
    """
    known, limit = _known(project), settled_before()
    seen = {path: _stamp(path, known.get(str(path))) for path in paths}
    settled = {str(path): stamp for path, stamp in seen.items() if max(stamp.mtime_ns, stamp.ctime_ns) < limit}
    if any(known.get(name) != stamp for name, stamp in settled.items()):
        kept = {name: stamp for name, stamp in known.items() if Path(name).exists()}
        with suppress(OSError):  # no space, or nothing may be written here: the next run reads again
            write_json(_file(project), kept | settled)
    return {path: stamp.sha256 for path, stamp in seen.items()}


def _stamp(path: Path, known: Stamp | None) -> Stamp:
    info = path.stat()
    facts = (info.st_size, info.st_mtime_ns, info.st_ctime_ns, info.st_ino)
    return known if known and known[:-1] == facts else Stamp(*facts, sha256_file(path))


def _known(project: Project) -> dict[str, Stamp]:
    try:
        return {name: Stamp(*values) for name, values in read_json(_file(project), remedy="Run it again").items()}
    except (LlmopsError, AttributeError, TypeError):  # none yet, or torn: everything is read again
        return {}


def _file(project: Project) -> Path:
    return project.state("stamps.json")

"""See in one walk, and without a file read, that the sources stand still since they were last hashed.

The stamp covers name, kind, size, both times and inode of everything below the local sources. It is
remembered with the hash over their contents, but only when nothing changed so shortly before that
the stat could not tell another change (`flows.core.stamps`); otherwise the files decide.
"""

import hashlib
import marshal
import os
from contextlib import suppress
from pathlib import Path

from flows.core.errors import LlmopsError
from flows.core.files import read_json, write_json
from flows.core.fingerprints import code_sha256
from flows.core.ids import content_id
from flows.core.project import Project
from flows.core.stamps import settled_before
from flows.ingest.discover import source_root
from flows.ingest.params import IngestParams


def tree_stamp(project: Project, params: IngestParams) -> str | None:
    """Return the stamp of all sources; None where a stat cannot tell: remote, not readable, changed just now."""
    digest = hashlib.sha256(content_id(_reading(params)).encode())
    newest, limit = 0, settled_before()
    for source in params.sources:
        root = source_root(project, source)
        if root is None:
            return None
        try:
            newest = max(newest, _walk(root, digest))
        except OSError:
            return None
    return digest.hexdigest() if newest < limit else None


def known_sha256(project: Project, stamp: str | None) -> str | None:
    """Return the hash over the contents of the sources when they had this stamp, if it is remembered."""
    try:
        known = read_json(_file(project), remedy="Run `llmops ingest`")
        return str(known["sources_sha256"]) if stamp and known["stamp"] == stamp else None
    except (LlmopsError, KeyError, TypeError):  # none yet, or torn: the files decide
        return None


def remember(project: Project, stamp: str | None, sources_sha256: str) -> None:
    """Remember the hash over the contents of the sources, read after the stamp was taken."""
    if stamp and known_sha256(project, stamp) != sources_sha256:
        with suppress(OSError):  # no space, or nothing may be written here: the next run reads again
            write_json(_file(project), {"stamp": stamp, "sources_sha256": sources_sha256})


def _walk(root: Path, digest: "hashlib._Hash") -> int:
    """Add what stands at and below `root` to the digest, and return the newest time of change in ns."""
    newest, todo = 0, [str(root)]
    if not root.is_dir():
        info = root.lstat()
        digest.update(repr((str(root), *_facts(info))).encode())
        return max(info.st_mtime_ns, info.st_ctime_ns)
    while todo:
        here = todo.pop()
        facts: list[str | int] = [here]
        for entry in os.scandir(here):
            if entry.is_dir(follow_symlinks=False):
                todo.append(entry.path)
                continue
            info = entry.stat(follow_symlinks=False)
            changed, moved = info.st_mtime_ns, info.st_ctime_ns
            newest = max(newest, changed, moved)
            facts += (entry.name, info.st_mode, info.st_size, info.st_ino, changed, moved)
        digest.update(marshal.dumps(facts))
    return newest


def _facts(info: os.stat_result) -> tuple[int, ...]:
    return info.st_mode, info.st_size, info.st_ino, info.st_mtime_ns, info.st_ctime_ns


def _reading(params: IngestParams) -> list[object]:
    """Return what decides which files are read, and how they are hashed."""
    return [params.model_dump(mode="json", include={"sources", "size_max_mb"}), code_sha256("flows.ingest.stock")]


def _file(project: Project) -> Path:
    return project.state("ingest", "standing.json")

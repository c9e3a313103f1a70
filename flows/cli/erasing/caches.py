"""Take erased documents out of the caches of this machine, deleted pages included.

Cached answers go when their call carried the documents, or when they quote them; vectors go all
together, because nothing in them tells whose they are and the index keeps those it needs. Drafts
of parsed files go by what they say. A database is rewritten afterwards (`VACUUM`, journal cut),
because a deleted row otherwise stays readable in the file.
"""

import sqlite3
import zlib
from collections.abc import Collection, Iterator
from contextlib import closing
from pathlib import Path

from flows.cli.erasing.traces import Traces
from flows.core.project import Project


def scrub_answers(project: Project, traces: Traces, call_ids: Collection[str], *, write: bool) -> int:
    """Remove cached answers of these calls or with these traces, and all cached vectors; return how many."""
    path = project.state("cache", "provider.sqlite")
    if not path.exists():
        return 0
    with closing(_opened(path)) as base:
        stored = base.execute("SELECT key, value FROM completions").fetchall()
        texts = ((key, value.decode(errors="replace")) for key, value in stored)
        gone = [(key,) for key, text in texts if any(item in text for item in call_ids) or traces.found_in(text)]
        vectors: int = base.execute("SELECT count(*) FROM embeddings").fetchone()[0]
        if write:
            base.executemany("DELETE FROM completions WHERE key = ?", gone)
            base.execute("DELETE FROM embeddings")
            _rewrite(base)
    return len(gone) + vectors


def scrub_drafts(project: Project, traces: Traces, source_paths: Collection[str], *, write: bool) -> int:
    """Remove remembered drafts with these traces and the hashes of these files; return how many.

    What `ingest` noted of its last tables goes too: it has no text, but the sketches of all documents.
    """
    path = project.state("ingest", "memory.sqlite")
    if write:
        project.state("ingest", "carried.bin").unlink(missing_ok=True)
    if not path.exists():
        return 0
    with closing(_opened(path)) as base:
        bodies = base.execute("SELECT key, body FROM drafts")
        drafts = [(key,) for key, body in bodies if traces.found_in(_unpacked(body))]
        stored = {bytes(name): name for (name,) in base.execute("SELECT path FROM files")}
        files = [(stored[name],) for name in map(_encoded, source_paths) if name in stored]
        if write:
            base.executemany("DELETE FROM drafts WHERE key = ?", drafts)
            base.executemany("DELETE FROM files WHERE path = ?", files)
            _rewrite(base)
    return len(drafts) + len(files)


def texts_in(path: Path) -> Iterator[str]:
    """Yield every value of every table of a database, unpacked: for the proof."""
    with closing(_opened(path)) as base:
        for (table,) in base.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            for row in base.execute(f'SELECT * FROM "{table}"'):  # noqa: S608 - a name from the file's own schema
                yield "\n".join(_unpacked(value) if isinstance(value, bytes) else str(value) for value in row)


def _opened(path: Path) -> sqlite3.Connection:
    base = sqlite3.connect(path, isolation_level=None, timeout=30)
    base.execute("PRAGMA secure_delete = ON")
    return base


def _rewrite(base: sqlite3.Connection) -> None:
    base.execute("VACUUM")
    base.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _unpacked(value: bytes) -> str:
    try:
        return zlib.decompress(value).decode(errors="replace")
    except zlib.error:
        return value.decode(errors="replace")


def _encoded(path: str) -> bytes:
    return path.encode(errors="surrogateescape")

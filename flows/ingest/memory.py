"""What `ingest` remembers between runs on this machine: hashes by file, drafts by content.

Both are pure caches in one SQLite file: deleting it costs time and changes no result. Drafts are
keyed by the hash of the bytes and of everything that shapes them (params, code, parser versions),
so a stale one cannot be found. Deleted rows are overwritten (`secure_delete`).
"""

import json
import sqlite3
from collections.abc import Iterable, Mapping
from pathlib import Path
from time import monotonic
from types import TracebackType
from typing import Self

from flows.ingest.drafts import Prepared, prepared

_SCHEMA = """
CREATE TABLE IF NOT EXISTS files (path BLOB PRIMARY KEY, token TEXT NOT NULL, sha256 TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS drafts (key TEXT PRIMARY KEY, body BLOB NOT NULL);
"""
_NEW_MAX, _UNWRITTEN_S = 100, 1.0  # a commit per draft costs more than the draft; a kill loses at most these
_WAIT_S = 30.0
_ENCODER = json.JSONEncoder(default=vars, check_circular=False)


class Memory:
    """The cache file; opens lazily, survives a kill at any moment, is replaced when damaged."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._open(path)
        except sqlite3.DatabaseError:
            path.unlink(missing_ok=True)
            self._open(path)

    def _open(self, path: Path) -> None:
        self._db = sqlite3.connect(path, timeout=_WAIT_S)
        self._db.execute("PRAGMA journal_mode = WAL")  # commits are cheap and survive a kill
        self._db.execute("PRAGMA synchronous = NORMAL")
        self._db.execute("PRAGMA secure_delete = ON")
        self._db.executescript(_SCHEMA)
        self._new: list[tuple[str, bytes]] = []
        self._written = monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._write()
        self._db.close()

    def hashes(self) -> dict[str, tuple[str, str]]:
        """Return (token, sha256) by path of every remembered file."""
        rows = self._db.execute("SELECT path, token, sha256 FROM files")
        return {path.decode(errors="surrogateescape"): (token, digest) for path, token, digest in rows}

    def remember_hashes(self, hashes: Mapping[str, tuple[str, str]], forget: Iterable[str]) -> None:
        """Add or replace hashes by path, and forget files that are gone."""
        rows = [(path.encode(errors="surrogateescape"), *pair) for path, pair in hashes.items()]
        self._db.executemany("INSERT OR REPLACE INTO files VALUES (?, ?, ?)", rows)
        self._db.executemany(
            "DELETE FROM files WHERE path = ?", [(p.encode(errors="surrogateescape"),) for p in forget]
        )
        self._db.commit()

    def recall(self, key: str) -> Prepared | None:
        """Return what was prepared under the key."""
        row = self._db.execute("SELECT body FROM drafts WHERE key = ?", (key,)).fetchone()
        return prepared(json.loads(row[0])) if row else None

    def keep(self, key: str, value: Prepared) -> None:
        """Remember what was prepared under the key, a second from now at the latest."""
        self._new.append((key, _ENCODER.encode(value).encode()))  # compressing costs thrice as much
        if len(self._new) >= _NEW_MAX or monotonic() > self._written + _UNWRITTEN_S:
            self._write()

    def _write(self) -> None:
        self._db.executemany("INSERT OR REPLACE INTO drafts VALUES (?, ?)", self._new)
        self._db.commit()
        self._new, self._written = [], monotonic()

    def prune(self, keys: Iterable[str]) -> None:
        """Forget every draft whose key is not among `keys`."""
        self._write()
        used = set(keys)
        stored = [key for (key,) in self._db.execute("SELECT key FROM drafts")]
        self._db.executemany("DELETE FROM drafts WHERE key = ?", [(key,) for key in stored if key not in used])
        self._db.commit()

"""Keep the server's files, jobs and batches as JSON on disk, so that they outlive the process.

One file per object, replaced atomically; ids are made here and checked before they become a file
name, so no request can reach outside its folder.
"""

import json
import re
import threading
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from flows.core.files import write_json
from flows.provider.local.wire import ApiError

Record = dict[str, Any]

_ID = re.compile(r"[a-z]+-[0-9a-f]{24}")
MAX_PAGE = 100


def new_id(prefix: str) -> str:
    """Return a fresh id such as `file-0123…` (24 hex digits)."""
    return f"{prefix}-{uuid.uuid4().hex[:24]}"


class Records:
    """The objects of one kind.

    Args:
        folder: Where they lie.
        prefix: What their ids begin with.
        what: What they are called in errors.
    """

    def __init__(self, folder: Path, prefix: str, what: str) -> None:
        self.folder = folder
        self._prefix = prefix
        self._what = what
        self._lock = threading.RLock()

    def path(self, id_: str, suffix: str = ".json") -> Path:
        """Return the file of an object.

        Raises:
            ApiError: 404, also for an id that was never made here.
        """
        path = self.folder / f"{id_}{suffix}"
        if not _ID.fullmatch(id_) or not id_.startswith(self._prefix) or not path.exists():
            raise ApiError(f"No such {self._what}: {id_[:80]!r}.", status=404, code="not_found", param="id")
        return path

    def create(self, fields: Mapping[str, Any], *, id_: str | None = None) -> Record:
        """Store a new object."""
        record = {"id": id_ or new_id(self._prefix), **fields}
        write_json(self.folder / f"{record['id']}.json", record)
        return record

    def get(self, id_: str) -> Record:
        """Return an object."""
        return dict(json.loads(self.path(id_).read_bytes()))

    def update(self, id_: str, change: Callable[[Record], Mapping[str, Any]]) -> Record:
        """Merge what `change` makes of the current object into it, with no other update between."""
        with self._lock:
            record = self.get(id_)
            record |= change(record)
            write_json(self.path(id_), record)
            return record

    def delete(self, id_: str) -> None:
        """Remove an object and whatever lies beside it under the same id."""
        self.path(id_)
        for path in self.folder.glob(f"{id_}.*"):
            path.unlink(missing_ok=True)

    def all(self) -> list[Record]:
        """Return every object, newest first."""
        found = [json.loads(path.read_bytes()) for path in self.folder.glob(f"{self._prefix}-*.json")]
        return sorted(found, key=lambda record: (record["created_at"], record["id"]), reverse=True)

    def page(self, query: Mapping[str, str]) -> Record:
        """Return one page of the list: `limit`, `after`, `order`, `purpose` and `metadata[key]` count."""
        found = [record for record in self.all() if _matches(record, query)]
        if query.get("order") == "asc":
            found.reverse()
        ids = [record["id"] for record in found]
        start = ids.index(query["after"]) + 1 if query.get("after") in ids else 0
        limit = _limit(query.get("limit", "20"))
        page = found[start : start + limit]
        return {
            "object": "list",
            "data": page,
            "has_more": start + limit < len(found),
            "first_id": page[0]["id"] if page else None,
            "last_id": page[-1]["id"] if page else None,
        }


def _limit(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= MAX_PAGE:
        raise ApiError(f"Invalid 'limit': must be a whole number from 1 to {MAX_PAGE}.", param="limit")
    return int(text)


def _matches(record: Record, query: Mapping[str, str]) -> bool:
    wanted = {key[9:-1]: value for key, value in query.items() if key.startswith("metadata[") and key.endswith("]")}
    metadata = record.get("metadata") or {}
    same_purpose = query.get("purpose") in (None, record.get("purpose"))
    return same_purpose and all(metadata.get(key) == value for key, value in wanted.items())

"""Take erased documents out of DVC's cache and of remotes on this machine, by hash.

An object goes when it is a file that the erasure removes or changes, when its content carries a
trace, or when it is part of a stored index, whose columns are packed so that its bytes cannot be
judged one by one; the index can be made again. Then every listing (`*.dir`) that names one of them
goes too, since it can no longer be checked out. Remotes elsewhere are named, not reached.
"""

import configparser
import json
from collections.abc import Collection, Iterator, Sequence
from hashlib import file_digest
from pathlib import Path
from typing import Any

from flows.cli.erasing.scrub import rows_with
from flows.cli.erasing.traces import Traces
from flows.core.project import Project

INDEX_PART = ".lance/"


def stores(project: Project) -> tuple[list[Path], list[str]]:
    """Return the object stores on this machine, and the remotes that are somewhere else."""
    here, elsewhere = [project.root / ".dvc" / "cache"], []
    for name in ("config", "config.local"):
        parser = configparser.ConfigParser(interpolation=None)
        parser.read(project.root / ".dvc" / name)
        for section in parser.sections():
            url = parser[section].get("url") or parser[section].get("dir")
            if url and "://" not in url:
                here.append((project.root / ".dvc" / url).resolve())
            elif url:
                elsewhere.append(section.strip("'\"").removeprefix("remote ").strip('"'))
    return [path for path in dict.fromkeys(here) if path.is_dir()], elsewhere


def md5_of(paths: Sequence[Path]) -> set[str]:
    """Return the hashes by which DVC knows these files; whoever has no such file has no such hash."""
    found = set()
    for path in paths:
        if path.is_file():
            with path.open("rb") as stream:
                found.add(file_digest(stream, "md5").hexdigest())
    return found


def tainted(store: Path, traces: Traces, known: Collection[str]) -> list[Path]:
    """Return the objects of a store that must go, listings last.

    Args:
        store: A folder that holds `files/md5`.
        traces: What is erased.
        known: MD5 of files that are removed or changed.
    """
    objects = {path.parent.name + path.name: path for path in _objects(store)}
    listings = {key: _listing(path) for key, path in objects.items() if key.endswith(".dir")}
    packed = {item["md5"] for entries in listings.values() for item in entries if INDEX_PART in item["relpath"]}
    by_place = {item["md5"] for entries in listings.values() for item in entries if _is_theirs(item, traces)}
    suspects = set(known) | packed | by_place
    bad = {
        key
        for key, path in objects.items()
        if not key.endswith(".dir") and (key in suspects or content_found(path, traces))
    }
    lists = {
        key for key, entries in listings.items() if bad & {item["md5"] for item in entries} or _names(entries, traces)
    }
    return [objects[key] for key in (*sorted(bad), *sorted(lists))]


def remove(paths: Sequence[Path]) -> list[str]:
    """Delete objects and return their hashes."""
    for path in paths:
        path.unlink(missing_ok=True)
    return [path.parent.name + path.name for path in paths]


def content_found(path: Path, traces: Traces) -> bool:
    """Whether a file, of whatever kind, carries a trace in its columns or its bytes."""
    data = path.read_bytes()
    if data[:4] == b"PAR1":
        import pyarrow as arrow
        import pyarrow.parquet as parquet

        try:
            return any(rows_with(parquet.read_table(path, partitioning=None), traces))
        except (arrow.ArrowInvalid, OSError):
            return bytes_found(data, traces)
    if b"\0" in data[:8192]:
        return bytes_found(data, traces)
    return traces.found_in(data.decode(errors="replace"))


def bytes_found(data: bytes, traces: Traces) -> bool:
    """Whether raw bytes hold a piece of the documents as written."""
    lowered = data.lower()
    return any(needle.encode().lower() in lowered for needle in traces.needles)


def _objects(store: Path) -> Iterator[Path]:
    return (path for path in sorted(store.glob("files/md5/*/*")) if path.is_file())


def _listing(path: Path) -> list[dict[str, Any]]:
    try:
        entries = json.loads(path.read_bytes())
    except ValueError:
        return []
    return [item for item in entries if isinstance(item, dict) and {"md5", "relpath"} <= item.keys()]


def _is_theirs(item: dict[str, Any], traces: Traces) -> bool:
    return any(item["relpath"] == place or item["relpath"].endswith(f"/{place}") for place in traces.addresses)


def _names(entries: list[dict[str, Any]], traces: Traces) -> bool:
    return any(_is_theirs(item, traces) for item in entries)

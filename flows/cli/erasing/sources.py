"""Remove a document from its source: the file it is, or its row in a file of many.

What is out of reach (another machine, git's history, a row format that is not rewritten here) is
said, never passed over in silence.
"""

import csv
import io
import json
import subprocess
from dataclasses import dataclass
from pathlib import Path

from flows.core.errors import UsageError
from flows.core.files import write_bytes
from flows.core.project import Project
from flows.ingest.discover import Found, discover, row_address
from flows.ingest.params import Columns, IngestParams

ROW_SUFFIXES = {".jsonl", ".ndjson", ".csv"}


@dataclass(frozen=True)
class Origin:
    """Where a document comes from; `row` names it in a file of many, `path` is None when it is gone."""

    address: str
    path: Path | None
    row: str | None
    columns: Columns
    out_of_reach: str = ""


def find_origin(project: Project, address: str) -> Origin:
    """Return where the document with this address lies."""
    params = IngestParams.load(project)
    found = {item.uri: item for item in discover(project, params)}
    item, row = found.get(address), None
    if item is None and "#" in address:
        file, _, row = address.partition("#")
        item = found.get(file)
    if item is None:
        return Origin(address, None, None, Columns())
    columns = params.sources[item.source].columns or Columns()
    path = None if item.remote or item.repository else Path(item.path)
    return Origin(address, path, row, columns, _out_of_reach(project, item))


def _out_of_reach(project: Project, item: Found) -> str:
    if item.remote:
        return "the source is on another machine: delete the document there, or the next `llmops ingest` reads it again"
    if item.repository:
        return "the source is a git revision: rewrite its history, or the next `llmops ingest` reads it again"
    if _in_git(project, Path(item.path)):
        return "the source is tracked by git: its history keeps every version; rewrite it with `git filter-repo`"
    return ""


def _in_git(project: Project, path: Path) -> bool:
    command = ["git", "-C", str(project.root), "log", "--oneline", "-1", "--all", "--", str(path)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    except (OSError, subprocess.SubprocessError):
        return False
    return done.returncode == 0 and bool(done.stdout.strip())


def source_text(origin: Origin) -> str:
    """Return what the source says, as far as it is text."""
    if origin.path is None or not origin.path.is_file():
        return ""
    data = origin.path.read_bytes()
    if origin.row is not None:
        return "".join(split_rows(data.decode(errors="surrogateescape"), origin)[1])
    return "" if b"\0" in data[:8192] else data.decode(errors="replace")


def remove_source(origin: Origin) -> int:
    """Delete the file or the rows and return how many.

    Raises:
        UsageError: The row stands in a format that cannot be rewritten faithfully.
    """
    if origin.path is None or not origin.path.is_file():
        return 0
    if origin.row is None:
        origin.path.unlink()
        return 1
    kept, gone = split_rows(origin.path.read_bytes().decode(errors="surrogateescape"), origin)
    if gone:
        write_bytes(origin.path, "".join(kept).encode(errors="surrogateescape"))
    return len(gone)


def split_rows(text: str, origin: Origin) -> tuple[list[str], list[str]]:
    """Return the lines that stay and the lines of the document.

    Raises:
        UsageError: The file is neither JSONL nor a CSV file with one line per row.
    """
    suffix = origin.path.suffix.lower() if origin.path else ""
    if suffix not in ROW_SUFFIXES:
        raise UsageError(
            f"document {origin.address!r} is a part of a {suffix or 'nameless'} file, which is not rewritten here. "
            "Remove it there by hand, then run the same command again."
        )
    lines = text.splitlines(keepends=True)
    ids = _jsonl_ids(lines, origin) if suffix != ".csv" else _csv_ids(lines, origin)
    named = [row is not None and row_address(row) == origin.row for row in ids]
    if not any(named):  # a row that was rejected is known by its line
        named = [f"line-{number}" == origin.row for number in range(1, len(lines) + 1)]
    kept = [line for line, ours in zip(lines, named, strict=True) if not ours]
    return kept, [line for line, ours in zip(lines, named, strict=True) if ours]


def _jsonl_ids(lines: list[str], origin: Origin) -> list[str | None]:
    ids: list[str | None] = []
    for line in lines:
        try:
            ids.append(str(json.loads(line).get(origin.columns.id)))
        except (ValueError, AttributeError):
            ids.append(None)
    return ids


def _csv_ids(lines: list[str], origin: Origin) -> list[str | None]:
    delimiter = max(",;\t|", key=lines[0].count) if lines else ","
    rows = list(csv.reader(io.StringIO("".join(lines)), delimiter=delimiter))
    if len(rows) != len(lines) or not rows or origin.columns.id not in rows[0]:
        raise UsageError(
            f"the CSV file of {origin.address!r} has rows over several lines. "
            "Remove the row there by hand, then run the same command again."
        )
    place = rows[0].index(origin.columns.id)
    return [None, *(row[place] if place < len(row) else None for row in rows[1:])]

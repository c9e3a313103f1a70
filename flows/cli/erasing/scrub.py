"""Take the traces of erased documents out of one file, by its kind.

A row that carries a trace goes as a whole; a call keeps its row, because it was paid for, and loses
prompt, completion and metadata. JSON keeps its shape with the word `[erased]`, except that list items
and training examples go. A page or plot made from data is deleted: its stage makes it again. Every
file is replaced in one step.
"""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flows.cli.erasing.traces import Traces
from flows.core.files import replacing, write_json, write_text

if TYPE_CHECKING:
    import pyarrow as arrow

ERASED = "[erased]"
CALL_TEXTS = ("prompt", "completion")
TRAINING_KEY = "messages"  # of an example for fine-tuning
TEXT_SUFFIXES = {".html", ".md", ".txt", ".csv", ".tsv", ".svg", ".log", ".xml", ".yaml"}


def scrub(path: Path, traces: Traces, *, write: bool) -> int:
    """Remove the traces and return how many rows, values or files carried one.

    Args:
        path: A file of the project.
        traces: What to remove.
        write: False = only count.
    """
    if path.suffix == ".parquet":
        return _parquet(path, traces, write=write)
    if path.suffix == ".json":
        return _json(path, traces, write=write)
    if path.suffix == ".jsonl":
        return _jsonl(path, traces, write=write)
    if path.suffix in TEXT_SUFFIXES and traces.found_in(path.read_text(errors="replace")):
        if write:
            path.unlink()
        return 1
    return 0


def _parquet(path: Path, traces: Traces, *, write: bool) -> int:
    import pyarrow.parquet as parquet

    table = parquet.read_table(path, partitioning=None)
    marks = rows_with(table, traces)
    if any(marks) and write:
        is_calls = set(CALL_TEXTS) <= set(table.column_names)
        cleaned = _without_texts(table, marks) if is_calls else _without_rows(table, marks, traces)
        with replacing(path) as temporary:
            parquet.write_table(cleaned, temporary, compression="zstd")
    return sum(marks)


def rows_with(table: "arrow.Table", traces: Traces) -> list[bool]:
    """Return for every row whether it carries a trace.

    A table of documents (it has their addresses) is judged by ids and addresses alone: a row of
    another document is never dropped from it, whatever it says.
    """
    if "source_uri" in table.column_names:
        return _rows_of(table, traces)
    marks = [False] * table.num_rows
    for name in table.column_names:
        if "string" in str(table.schema.field(name).type):
            for place, value in enumerate(table[name].to_pylist()):
                marks[place] = marks[place] or (value is not None and traces.found_in(value))
    return marks


def _rows_of(table: "arrow.Table", traces: Traces) -> list[bool]:
    blank = [None] * table.num_rows
    ids = table["document_id"].to_pylist() if "document_id" in table.column_names else blank
    pairs = zip(ids, table["source_uri"].to_pylist(), strict=True)
    return [item in traces.document_ids or place in traces.addresses for item, place in pairs]


def _without_rows(table: "arrow.Table", marks: list[bool], traces: Traces) -> "arrow.Table":
    import pyarrow as arrow

    kept = table.filter(arrow.array([not mark for mark in marks]))
    if "duplicate_of" not in kept.column_names:
        return kept
    named = [None if item in traces.ids else item for item in kept["duplicate_of"].to_pylist()]
    place = kept.column_names.index("duplicate_of")
    return kept.set_column(place, kept.schema.field(place), arrow.array(named, kept.schema.field(place).type))


def _without_texts(table: "arrow.Table", marks: list[bool]) -> "arrow.Table":
    import pyarrow as arrow

    for name, instead in (*((name, None) for name in CALL_TEXTS), ("metadata", '{"erased":true}')):
        field, place = table.schema.field(name), table.column_names.index(name)
        values = [instead if mark else value for mark, value in zip(marks, table[name].to_pylist(), strict=True)]
        table = table.set_column(place, field, arrow.array(values, field.type))
    return table


def _json(path: Path, traces: Traces, *, write: bool) -> int:
    try:
        value = json.loads(path.read_bytes())
    except ValueError:  # torn: it is nobody's truth, and may hold anything
        return _drop(path, path.read_text(errors="replace"), traces, write=write)
    cleaned, count = redacted(value, traces)
    if count and write:
        write_json(path, cleaned)
    return count


def _drop(path: Path, text: str, traces: Traces, *, write: bool) -> int:
    if not traces.found_in(text):
        return 0
    if write:
        path.unlink()
    return 1


def _jsonl(path: Path, traces: Traces, *, write: bool) -> int:
    total, lines = 0, []
    for line in path.read_text(errors="replace").splitlines():
        if not traces.found_in(line):
            lines.append(line)
            continue
        cleaned, count = _line(line, traces)
        total += count
        if cleaned is not None:
            lines.append(json.dumps(cleaned, ensure_ascii=False, sort_keys=True))
    if total and write:
        write_text(path, "".join(f"{line}\n" for line in lines))
    return total


def _line(line: str, traces: Traces) -> tuple[Any, int]:
    """Return the cleaned record; None for a torn line and for a training example, which has no use in part."""
    try:
        value = json.loads(line)
    except ValueError:
        return None, 1
    if isinstance(value, dict) and TRAINING_KEY in value:
        return None, 1
    return redacted(value, traces)


def redacted(value: Any, traces: Traces) -> tuple[Any, int]:
    """Return the value without traces, and how many places carried one."""
    if isinstance(value, str):
        return (ERASED, 1) if traces.found_in(value) else (value, 0)
    if isinstance(value, list):
        kept = [item for item in value if not traces.found_in(json.dumps(item, ensure_ascii=False))]
        return kept, len(value) - len(kept)
    if isinstance(value, dict):
        kept_items = {key: redacted(item, traces) for key, item in value.items() if not traces.found_in(key)}
        lost = len(value) - len(kept_items)
        return {key: item for key, (item, _) in kept_items.items()}, lost + sum(n for _, n in kept_items.values())
    return value, 0

"""Parse CSV, JSON, JSONL and notebooks: rows become documents, or a table becomes one document.

A bad row is rejected alone; its neighbours stay. Of rows with one id the highest `version` wins,
and equal versions with different texts are a conflict. JSON is read strictly: duplicate keys, NaN
and endless nesting are errors, as parsers disagree about them (RFC 8259 §4, §6).
"""

import csv
import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from flows.core.ids import sha256
from flows.ingest.drafts import Parsed, Rejected, Rejection
from flows.ingest.params import Columns

_DELIMITERS = ",;\t|"
_FIELD_CHARS_MAX = 2**31 - 1  # our own limit per cell comes after reading


@dataclass(frozen=True)
class Row:
    """One row as a mapping, with the number of its line and the hash of its bytes."""

    line: int
    sha256: str
    values: dict[str, Any]


@dataclass(frozen=True)
class Rows:
    """The documents of a row file and what became of its other rows."""

    texts: tuple[Parsed, ...]
    rejections: tuple[Rejection, ...]
    inputs: int = 1
    superseded: int = 0
    repeated: int = 0


def parse_jsonl(text: str, columns: Columns, *, cell_chars_max: int) -> Rows:
    """Parse one document per line; bad lines are rejected with their number."""
    good: list[Row] = []
    bad: list[Rejection] = []
    lines = text.split("\n")
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        digest = sha256(line.encode(errors="surrogatepass"))
        try:
            good.append(Row(number, digest, _mapping(strict_json(line))))
        except Rejected as problem:
            rule = "torn_last_line" if number == len(lines) else problem.rule
            bad.append(Rejection("malformed_rows", rule, f"line {number}", f"line-{number}", digest))
    return row_documents(good, bad, columns, cell_chars_max)


def parse_json(text: str, columns: Columns, *, cell_chars_max: int) -> Rows:
    """Parse a notebook, an array of row objects, or one object with a text."""
    value = strict_json(text)
    if isinstance(value, dict) and "nbformat" in value:
        return Rows((_notebook(value),), ())
    if isinstance(value, list):
        return _array(value, columns, cell_chars_max)
    body = _mapping(value).get(columns.text)
    if not isinstance(body, str):
        raise Rejected("schema", "no_text_column", f"no text under {columns.text!r}")
    title = value.get(columns.title)
    own = _access(value.get(columns.access))
    return Rows((Parsed(text=body, title=title if isinstance(title, str) else "", access=own),), ())


def _array(items: list[Any], columns: Columns, cell_chars_max: int) -> Rows:
    good: list[Row] = []
    bad: list[Rejection] = []
    for number, item in enumerate(items, start=1):
        digest = sha256(json.dumps(item, sort_keys=True))
        if isinstance(item, dict):
            good.append(Row(number, digest, item))
        else:
            bad.append(Rejection("malformed_rows", "not_an_object", f"item {number}", f"line-{number}", digest))
    return row_documents(good, bad, columns, cell_chars_max)


def parse_csv(text: str, columns: Columns | None, *, cell_chars_max: int) -> Rows:
    """Parse a CSV file: with a mapping one document per row, without it one document in all."""
    header, records, bad = _read_csv(text, cell_chars_max)
    if columns is None:
        lines = [_line(header, record) for _, record in records]
        return Rows((Parsed(text="\n".join(lines)),), tuple(bad), inputs=1 + len(bad))
    missing = [name for name in (columns.id, columns.text) if name not in header]
    if missing:
        raise Rejected("schema", "no_column", f"columns {missing} are not in the header")
    good = [Row(line, _record_sha256(record), dict(zip(header, record, strict=True)))
            for line, record in records]  # fmt: skip
    return row_documents(good, bad, columns, cell_chars_max)


def strict_json(text: str) -> Any:
    """Read JSON without duplicate keys, NaN, endless nesting or numbers of thousands of digits.

    Raises:
        Rejected: `corrupt` with the rule and the position.
    """
    try:
        return json.loads(text, object_pairs_hook=_unique, parse_constant=_no_constant)
    except RecursionError:
        raise Rejected("corrupt", "json_nesting") from None
    except json.JSONDecodeError as error:
        raise Rejected("corrupt", "json_syntax", f"line {error.lineno}, column {error.colno}") from None
    except ValueError:
        raise Rejected("corrupt", "json_number") from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) != len(pairs):
        raise Rejected("corrupt", "json_duplicate_key", f"{len(pairs) - len(values)} key(s) stand twice")
    return values


def _no_constant(_name: str) -> Any:
    raise Rejected("corrupt", "json_nan")


def _mapping(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise Rejected("malformed_rows", "not_an_object", type(value).__name__)
    return value


def row_documents(rows: Sequence[Row], bad: list[Rejection], columns: Columns, cell_chars_max: int) -> Rows:
    """Return the documents of rows as they are in the file, one per id.

    Args:
        rows: The rows that could be read.
        bad: Those that could not; further ones are added.
        columns: Which columns hold what.
        cell_chars_max: Longest text.
    """
    chosen: dict[str, tuple[Any, Parsed]] = {}
    superseded = repeated = 0
    inputs = len(rows) + len(bad)
    if not inputs:
        raise Rejected("empty", "no_rows")
    for row in rows:
        try:
            parsed = _document(row, columns, cell_chars_max)
        except Rejected as problem:
            bad.append(Rejection(problem.code, problem.rule, problem.detail, f"line-{row.line}", row.sha256))
            continue
        key, version = str(parsed.row), _version(row.values.get(columns.version))
        if key not in chosen:
            chosen[key] = (version, parsed)
        elif parsed.text == chosen[key][1].text:
            repeated += 1
            chosen[key] = (chosen[key][0], replace(chosen[key][1], access=_both(chosen[key][1].access, parsed.access)))
        elif version != chosen[key][0]:
            superseded += 1
            chosen[key] = max(chosen[key], (version, parsed), key=lambda item: item[0])
        else:
            bad.append(
                Rejection("duplicate_id", "same_id_other_text", f"line {row.line}", f"line-{row.line}", row.sha256)
            )
    return Rows(tuple(parsed for _, parsed in chosen.values()), tuple(bad), inputs, superseded, repeated)


def _document(row: Row, columns: Columns, cell_chars_max: int) -> Parsed:
    where = f"line {row.line}"
    key, text, title = (row.values.get(name) for name in (columns.id, columns.text, columns.title))
    if not isinstance(key, str | int) or isinstance(key, bool) or not str(key).strip():
        raise Rejected("schema", "row_id", f"{where}: {columns.id!r} must be a text or number, not blank")
    if not isinstance(text, str):
        raise Rejected("schema", "row_text", f"{where}: {columns.text!r} must be a text")
    if not text.strip():
        raise Rejected("empty", "row_text", where)
    if len(text) > cell_chars_max:
        raise Rejected("malformed_rows", "cell_chars_max", f"{where}: {len(text)} characters")
    name = " ".join(title.split()) if isinstance(title, str) else ""
    body = f"# {name}\n\n{text}" if name and not text.startswith(name) else text  # an answer alone says little
    return Parsed(text=body, title=name, row=str(key), access=_access(row.values.get(columns.access)))


def _access(value: Any) -> str | None:
    """Return what a cell says of who may read its row; blank says nothing, so that the source decides."""
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)


def _both(first: str | None, second: str | None) -> str | None:
    return ",".join(dict.fromkeys(filter(None, (first, second)))) or None


def _version(value: Any) -> tuple[int, float, str]:
    """Return a key that orders numbers by value and everything else by its text; none is lowest."""
    if value is None:
        return (0, 0.0, "")
    try:
        return (1, float(value), "")
    except (TypeError, ValueError):
        return (1, 0.0, str(value))


def _notebook(value: dict[str, Any]) -> Parsed:
    parts = []
    cells = value.get("cells")
    for cell in cells if isinstance(cells, list) else []:
        source = cell.get("source", "") if isinstance(cell, dict) else ""
        body = "".join(map(str, source)) if isinstance(source, list) else str(source)
        parts.append(f"```\n{body}\n```" if cell.get("cell_type") == "code" else body)  # outputs are left out
    return Parsed(text="\n\n".join(parts))


def _read_csv(text: str, cell_chars_max: int) -> tuple[list[str], list[tuple[int, list[str]]], list[Rejection]]:
    if "\0" in text:
        raise Rejected("malformed_rows", "nul_character", f"character {text.index(chr(0))}")
    csv.field_size_limit(_FIELD_CHARS_MAX)
    reader = csv.reader(io.StringIO(text), delimiter=_delimiter(text), strict=True)
    try:
        records = [(reader.line_num, record) for record in reader if any(cell.strip() for cell in record)]
    except csv.Error:
        raise Rejected("malformed_rows", "csv_syntax", f"line {reader.line_num}") from None
    header = _header(records)
    good: list[tuple[int, list[str]]] = []
    bad: list[Rejection] = []
    for line, record in records[1:]:
        rule = "field_count" if len(record) != len(header) else "cell_chars_max"
        if len(record) != len(header) or max(map(len, record)) > cell_chars_max:
            bad.append(Rejection("malformed_rows", rule, f"line {line}", f"line-{line}", _record_sha256(record)))
        else:
            good.append((line, record))
    return header, good, bad


def _record_sha256(record: list[str]) -> str:
    return sha256("\x1f".join(record).encode(errors="surrogatepass"))


def _header(records: Sequence[tuple[int, list[str]]]) -> list[str]:
    if not records:
        raise Rejected("empty", "no_rows")
    header = [cell.strip() for cell in records[0][1]]
    named = [cell for cell in header if cell]
    if len(set(named)) != len(named):
        raise Rejected("schema", "duplicate_header", f"{len(named) - len(set(named))} name(s) stand twice")
    if all(_is_number(cell) for cell in named):
        raise Rejected("schema", "no_header", "the first line holds only numbers")
    return header


def _is_number(cell: str) -> bool:
    return cell.replace(".", "", 1).replace("-", "", 1).isdigit()


def _delimiter(text: str) -> str:
    """Choose the delimiter that stands most often in the first line."""
    first = next(iter(_first_lines(text)), "")
    return max(_DELIMITERS, key=first.count)


def _first_lines(text: str) -> Iterator[str]:
    return (line for line in text[:100_000].split("\n") if line.strip())


def _line(header: list[str], record: list[str]) -> str:
    """Write a row so that it can be understood without the header: `column: value; …`."""
    cells = ((name, " ".join(value.split())) for name, value in zip(header, record, strict=True))
    return "; ".join(f"{name}: {value}" if name else value for name, value in cells if value)

"""Read files of outside call records one by one: JSON lines, a JSON document, or CSV; a bad line costs only itself."""

import csv
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flows.core.errors import InputError, UsageError, did_you_mean
from flows.core.ids import sha256
from flows.forecast import mappings, otlp
from flows.forecast.callrow import RejectedError
from flows.forecast.mappings import Form

BOM = b"\xef\xbb\xbf"
DOCUMENT_BYTES_MAX = 512 << 20  # a larger JSON document must come as lines
CSV_FIELD_MAX = 1 << 24
FORMATS = ("auto", "openai", "anthropic", "litellm", "langfuse", "otlp", "generic")


@dataclass(frozen=True)
class Line:
    """One record of a file; `value` is None for a blank line, and an error for a line that is no record."""

    number: int
    digest: str
    value: Mapping[str, Any] | RejectedError | None


def lines(path: Path) -> Iterator[Line]:
    """Yield the records of a file in order.

    Raises:
        InputError: The file cannot be opened, or is a JSON document that is too large or damaged.
    """
    try:
        with path.open("rb") as stream:
            if path.suffix.lower() == ".csv":
                yield from _csv(path)
            elif path.suffix.lower() == ".json" and path.stat().st_size <= DOCUMENT_BYTES_MAX:
                yield from _document(path)
            else:
                for number, data in enumerate(stream, start=1):
                    yield _line(number, data)
    except OSError as error:
        raise InputError(f"{path.name!r} cannot be read ({type(error).__name__}). Check the path.") from None


def _line(number: int, data: bytes) -> Line:
    data = data.strip().removeprefix(BOM)
    if not data:
        return Line(number, "", None)
    try:
        value = json.loads(data.decode())
    except UnicodeDecodeError:
        return _bad(number, data, "bad_encoding", "not UTF-8")
    except (ValueError, RecursionError):
        return _bad(number, data, "bad_json", "not JSON")
    if not isinstance(value, dict):
        return _bad(number, data, "not_an_object", "a JSON value that is no object")
    return Line(number, "", value)


def _bad(number: int, data: bytes, code: str, rule: str) -> Line:
    return Line(number, sha256(data), RejectedError(code, rule))


def _document(path: Path) -> Iterator[Line]:
    data = path.read_bytes().removeprefix(BOM)
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        rows = [_line(number, row) for number, row in enumerate(data.splitlines(), start=1)]  # lines named .json
        if not any(isinstance(row.value, dict) for row in rows):
            raise InputError(f"{path.name!r} is neither JSON nor JSON lines. Export it again.") from None
        yield from rows
        return
    for number, item in enumerate(value if isinstance(value, list) else [value], start=1):
        text = json.dumps(item, sort_keys=True).encode()
        yield Line(number, "", item) if isinstance(item, dict) else _line(number, text)


def _csv(path: Path) -> Iterator[Line]:
    csv.field_size_limit(CSV_FIELD_MAX)
    with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as stream:
        reader = csv.reader(stream)
        header = next(reader, [])
        while True:
            try:
                row = next(reader, None)
            except csv.Error:
                yield _bad(reader.line_num, b"", "bad_row", "not CSV")
                continue
            if row is None:
                return
            yield _csv_row(reader.line_num, header, row)


def _csv_row(number: int, header: list[str], row: list[str]) -> Line:
    if not any(row):
        return Line(number, "", None)
    text = "\x1f".join(row).encode("utf-8", "surrogateescape")
    if len(row) != len(header):
        return _bad(number, text, "bad_row", "wrong number of fields")
    if any("\udc80" <= char <= "\udcff" for field in row for char in field if not field.isascii()):
        return _bad(number, text, "bad_encoding", "not UTF-8")
    return Line(number, "", dict(zip(header, row, strict=True)))


def form_of(name: str, record: Mapping[str, Any], mapping: Mapping[str, Any] | None) -> Form:
    """Return how records of a format are read; `auto` looks at the first one.

    Raises:
        UsageError: There is no such format.
    """
    if name not in FORMATS:
        raise UsageError(f"there is no format {name!r}.{did_you_mean(name, FORMATS)} Use {', '.join(FORMATS)}.")
    found = "generic" if mapping is not None else detect(record) if name == "auto" else name
    forms = {"litellm": mappings.litellm, "langfuse": mappings.langfuse, "otlp": otlp.spans}
    if found in ("openai", "anthropic"):
        return mappings.body(found)
    return forms.get(found) or mappings.generic(mapping)


def detect(record: Mapping[str, Any]) -> str:
    """Return the format a record has by the fields only that format has."""
    inner = record.get("response", record)
    inner = inner.get("body", inner) if isinstance(inner, Mapping) else record
    usage = inner.get("usage") if isinstance(inner, Mapping) else None
    if "resourceSpans" in record:
        return "otlp"
    if "startTime" in record:
        return "litellm" if "request_id" in record else "langfuse"
    if isinstance(record.get("data"), list):
        return "anthropic" if "starting_at" in str(record["data"][:1]) else "openai"
    if isinstance(usage, Mapping):
        return "anthropic" if inner.get("type") == "message" else "openai"
    return "generic"

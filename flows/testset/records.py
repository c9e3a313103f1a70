"""Read and write the records of a test-set file: CSV or JSON lines, each with its line number.

Every bad line is found before anything is done, and named by its number; its content is not.
"""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from flows.core.contracts import QUESTIONS
from flows.core.errors import ContractError, InputError
from flows.core.files import write_text

LINES_SHOWN = 3
Problem = tuple[int, str]  # line number, from 1, and what is wrong there


def read_records(path: Path) -> list[tuple[int, dict[str, Any]]]:
    """Return the records of a file with the numbers of the lines they begin in.

    Raises:
        InputError: The file is missing, empty or not UTF-8.
        ContractError: Lines are not records.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise InputError(f"{str(path)!r} does not exist. Give a .csv or .jsonl file.") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{str(path)!r} is not UTF-8 (byte {error.start}). Save it as UTF-8.") from None
    records, problems = (_csv if path.suffix.lower() == ".csv" else _jsonl)(text)
    refuse(path, problems)
    if not records:
        raise InputError(f"{str(path)!r} holds no question. A test set of nothing proves nothing.")
    return records


def _csv(text: str) -> tuple[list[tuple[int, dict[str, Any]]], list[Problem]]:
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    found: list[tuple[int, dict[str, Any]]] = []
    try:
        columns = reader.fieldnames or ()
        line = reader.line_num + 1
        for row in reader:
            if None in row or None in row.values():
                return found, [(line, f"has not {len(columns)} cells as the first line")]
            found.append((line, dict(row)))
            line = reader.line_num + 1
    except csv.Error as error:
        return found, [(reader.line_num, f"is no CSV ({error})")]
    return found, []


def _jsonl(text: str) -> tuple[list[tuple[int, dict[str, Any]]], list[Problem]]:
    found: list[tuple[int, dict[str, Any]]] = []
    problems: list[Problem] = []
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            value = json.loads(line, object_pairs_hook=_pairs, parse_constant=_no_constant)
        except (ValueError, RecursionError) as error:
            problems.append((number, f"is no JSON ({type(error).__name__})"))
            continue
        if isinstance(value, dict):
            found.append((number, value))
        else:
            problems.append((number, "is no JSON object"))
    return found, problems


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({name for name, _ in pairs}) < len(pairs):
        raise ValueError("a key stands twice")
    return dict(pairs)


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


def refuse(path: Path, problems: Sequence[Problem]) -> None:
    """Raise when there is a problem; the whole file is refused, so that nothing is half imported.

    Raises:
        ContractError: Says how many lines are wrong and the first of them.
    """
    if problems:
        shown = "; ".join(f"line {line} {what}" for line, what in sorted(problems)[:LINES_SHOWN])
        more = f"; and {len(problems) - LINES_SHOWN} more" if len(problems) > LINES_SHOWN else ""
        raise ContractError(
            f"nothing was imported from {str(path)!r}: {shown}{more}. Repair the file, import it again."
        )


def write_records(path: Path, records: Sequence[Mapping[str, Any]], *, as_csv: bool) -> None:
    """Replace the file by the records."""
    if not as_csv:
        write_text(path, "".join(json.dumps(record, ensure_ascii=False, allow_nan=False) + "\n" for record in records))
        return
    target = io.StringIO(newline="")
    writer = csv.DictWriter(target, fieldnames=list(QUESTIONS.columns), lineterminator="\n")
    writer.writeheader()
    writer.writerows(records)
    write_text(path, target.getvalue())

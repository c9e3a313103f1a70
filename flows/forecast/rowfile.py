"""Read a table of unknown quality as rows of text with their line numbers; a broken line costs only itself.

pandas turns `NA` into missing, wraps huge integers and gives up at the first ragged line. Here every value stays
text until a rule has looked at it. CSV (comma), JSON lines and Parquet are told apart by the file's ending.
"""

import csv
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flows.core.errors import ContractError, InputError

if TYPE_CHECKING:
    import pandas as pd

FIELD_CHARS_MAX = 1 << 24  # a longer CSV field is a file with a lost quote
SHOWN = 3


@dataclass
class SetAside:
    """Rows that are not used, by reason, with the first lines of each."""

    counts: Counter[str] = field(default_factory=Counter)
    lines: dict[str, list[int]] = field(default_factory=dict)

    def add(self, reason: str, lines: list[int]) -> None:
        """Count the rows on these lines."""
        if lines:
            self.counts[reason] += len(lines)
            self.lines[reason] = sorted([*self.lines.get(reason, []), *lines])[:SHOWN]

    def notes(self) -> list[str]:
        """Say it in one line a reason."""
        return [
            f"{count} row(s) set aside: {reason} (line {', '.join(map(str, self.lines[reason]))}"
            f"{' …' if count > SHOWN else ''})"
            for reason, count in sorted(self.counts.items())
        ]


def read_rows(path: Path, aside: SetAside) -> "pd.DataFrame":
    """Read a table as text columns and the column `line`; missing values are empty text.

    Args:
        path: `.csv`, `.jsonl`, `.ndjson` or `.parquet`.
        aside: Told about lines that are no row.

    Raises:
        InputError: The file is missing, empty or of another kind.
        ContractError: The header names a column twice, or is not separated by commas.
    """
    import pandas as pd

    readers = {".csv": _csv, ".jsonl": _jsonl, ".ndjson": _jsonl, ".parquet": _parquet}
    if path.suffix.lower() not in readers:
        raise InputError(f"{path.name!r} is no table this reads. Give a .csv, .jsonl or .parquet file.")
    try:
        rows = list(readers[path.suffix.lower()](path, aside))
    except OSError as error:
        raise InputError(f"{path.name!r} cannot be read ({type(error).__name__}). Check the path.") from None
    if not rows:
        raise InputError(f"{path.name!r} holds no row. {'; '.join(aside.notes()) or 'Give at least one'}.")
    return pd.DataFrame.from_records(rows).fillna("")


def _csv(path: Path, aside: SetAside) -> Iterator[dict[str, Any]]:
    csv.field_size_limit(FIELD_CHARS_MAX)
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as stream:
        reader = csv.reader(stream)
        header = [name.strip() for name in next(reader, [])]
        if len(header) == 1 and any(mark in header[0] for mark in ";\t|"):
            raise ContractError(f"{path.name!r} is not separated by commas: its header is {header[0][:60]!r}.")
        double = sorted(name for name, count in Counter(header).items() if count > 1)
        if double:
            raise ContractError(f"{path.name!r} names column(s) {double} twice. Rename or drop one of each.")
        ragged = []
        while True:
            try:
                row = next(reader, None)
            except csv.Error:
                ragged.append(reader.line_num)
                continue
            if row is None:
                break
            if len(row) == len(header):
                yield dict(zip(header, row, strict=True)) | {"line": reader.line_num}
            elif row:
                ragged.append(reader.line_num)
        aside.add("wrong number of fields", ragged)


def _jsonl(path: Path, aside: SetAside) -> Iterator[dict[str, Any]]:
    wrong = []
    with path.open("rb") as stream:
        for number, line in enumerate(stream, start=1):
            if not line.strip():
                continue
            try:
                row = json.loads(line.removeprefix(b"\xef\xbb\xbf"))
            except (ValueError, RecursionError):
                row = None
            if isinstance(row, dict):
                yield {str(key): _text(value) for key, value in row.items()} | {"line": number}
            else:
                wrong.append(number)
    aside.add("not a JSON object", wrong)


def _text(value: Any) -> str:
    return "" if value is None else value if isinstance(value, str) else json.dumps(value)


def _parquet(path: Path, aside: SetAside) -> Iterator[dict[str, Any]]:
    import pandas as pd
    import pyarrow as arrow

    try:
        frame = pd.read_parquet(path)
    except (arrow.ArrowInvalid, arrow.ArrowNotImplementedError) as error:
        raise InputError(f"{path.name!r} is not readable Parquet ({type(error).__name__}).") from None
    for name in frame.columns:
        missing = frame[name].isna()
        text = frame[name].map(lambda value: value.isoformat() if hasattr(value, "isoformat") else str(value))
        frame[name] = text.astype(object).where(~missing, "")
    for number, row in enumerate(frame.to_dict("records"), start=1):
        yield {str(key): value for key, value in row.items()} | {"line": number}

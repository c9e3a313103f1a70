"""Read the scores that any evaluator wrote: five columns in CSV, JSON lines or Parquet.

A table that can be read in two ways is refused, with the rows and what to do; a score that is empty
or NaN is missing, which is counted and never becomes 0. Ids are text, exactly as written.
"""

import csv
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flows.core.errors import ContractError, UsageError, did_you_mean, first_three
from flows.stats.scores import FloatArray, Scores, TextArray

COLUMNS = ("question_id", "document_id", "sample", "metric", "score")
BASELINE_NIGHT = -1
NUMBER_END = 2**53  # from here on a float skips whole numbers
_TRUTH = {"true": 1.0, "false": 0.0}

Columns = Mapping[str, Sequence[Any]]


@dataclass(frozen=True, eq=False)
class ScoreFile:
    """One file of scores, one row per (question, sample, metric), checked column by column.

    Args:
        name: The file's name, for messages.
        question_id: Id of each row's question, (n,).
        document_id: The document it is about; empty where there is none.
        sample: Number of the repeat, 0 or more.
        metric: Name of the metric.
        score: The score; NaN = missing.
        night: Number of the night, -1 = the frozen baseline; all 0 where the file has none.
        texts: Texts by question id, per optional column `question` and `answer`, to show beside scores.
    """

    name: str
    question_id: TextArray
    document_id: TextArray
    sample: NDArray[np.int64]
    metric: TextArray
    score: FloatArray
    night: NDArray[np.int64]
    texts: Mapping[str, Mapping[str, str]]

    @property
    def metrics(self) -> list[str]:
        """Names of the metrics in the order in which they first occur."""
        return list(dict.fromkeys(self.metric.tolist()))

    def scores(self, metric: str, night: int | None = None) -> Scores:
        """Return the rows of one metric, of one night if given.

        Raises:
            ContractError: Infinite scores or repeated (question, sample) pairs, with the file and metric.
        """
        rows = self.metric == metric
        if night is not None:
            rows &= self.night == night
        try:
            return Scores(self.question_id[rows], self.document_id[rows], self.sample[rows], self.score[rows])
        except ContractError as error:
            of_night = "" if night is None else f", night {night}"
            raise ContractError(f"{self.name}, metric {metric!r}{of_night}: {error}") from None


def read_scores(path: Path, *, with_night: bool = False) -> ScoreFile:
    """Read a file of scores.

    Args:
        path: `.csv`, `.jsonl` (or `.ndjson`) or `.parquet` with the columns of `COLUMNS`; others are ignored
            but for `release_id` (must be one release), `question` and `answer` (shown beside the scores).
        with_night: Ask for the column `night` too; then each night is a release of its own.

    Raises:
        UsageError: No such file, or a suffix that says nothing about its format.
        ContractError: Empty, wrong columns, torn rows, scores that are no numbers, mixed releases.
    """
    columns = read_columns(path)
    wanted = (*COLUMNS, "night") if with_night else COLUMNS
    _require_columns(path.name, columns, wanted)
    if not columns["score"]:
        raise ContractError(f"{path.name} has columns and no rows. Nothing was evaluated: run the evaluation again.")
    if not with_night:
        require_one_release(path.name, columns)
    texts = {name: [text_of(value) for value in columns[name]] for name in ("question_id", "document_id", "metric")}
    for name in ("question_id", "metric"):
        _refuse_rows(path.name, name, [not text for text in texts[name]], "empty", "Give every row one")
    return ScoreFile(
        name=path.name,
        question_id=np.array(texts["question_id"], dtype=str),
        document_id=np.array(texts["document_id"], dtype=str),
        sample=_whole_numbers(path.name, "sample", columns, at_least=0),
        metric=np.array(texts["metric"], dtype=str),
        score=_scores(path.name, columns["score"]),
        night=_whole_numbers(path.name, "night", columns, at_least=BASELINE_NIGHT)
        if with_night
        else np.zeros(len(columns["score"]), dtype=np.int64),
        texts=_texts(columns, texts["question_id"]),
    )


def read_columns(path: Path) -> Columns:
    """Read a CSV, JSON lines or Parquet file by columns; values are as written, None where a row lacks one.

    Raises:
        UsageError: No such file, or a suffix that says nothing about its format.
        ContractError: The file is torn or is not what its suffix says.
    """
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        raise UsageError(f"{path.name!r} is neither .csv nor .jsonl nor .parquet. Rename or convert it.")
    if not path.is_file():
        raise UsageError(f"{str(path)!r} does not exist. Give the path of a file.")
    try:
        return reader(path)
    except (UnicodeDecodeError, csv.Error) as error:
        raise ContractError(f"{path.name} is not readable: {error}. Write it again, in UTF-8.") from None


def _read_csv(path: Path) -> Columns:
    with path.open(encoding="utf-8-sig", newline="") as stream:
        rows = csv.reader(stream, strict=True)
        header = next(rows, [])
        if len(set(header)) < len(header):
            raise ContractError(f"{path.name} names a column twice: {header!r}. Rename one.")
        kept: list[list[str]] = []
        for row in rows:
            if row and len(row) != len(header):
                raise ContractError(
                    f"{path.name}, line {rows.line_num}: {len(row)} fields under {len(header)} columns. "
                    "Quote fields that hold a comma, then run again."
                )
            if row:
                kept.append(row)
    return {name: [row[i] for row in kept] for i, name in enumerate(header)}


def _read_jsonl(path: Path) -> Columns:
    rows = []
    for number, line in enumerate(path.read_text(encoding="utf-8-sig").split("\n"), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise ContractError(f"{path.name}, line {number} is no JSON: {error}. Mend the line.") from None
        if not isinstance(row, dict):
            raise ContractError(f"{path.name}, line {number} is no object. Write one {{…}} with the columns per line.")
        rows.append(row)
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: [row.get(name) for row in rows] for name in names}


def _read_parquet(path: Path) -> Columns:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        columns: dict[str, list[Any]] = pq.read_table(path).to_pydict()
    except (pa.ArrowException, OSError) as error:
        raise ContractError(f"{path.name} is no readable Parquet file: {error}. Write it again.") from None
    return columns


READERS: dict[str, Callable[[Path], Columns]] = {
    ".csv": _read_csv,
    ".jsonl": _read_jsonl,
    ".ndjson": _read_jsonl,
    ".parquet": _read_parquet,
}


def _require_columns(name: str, columns: Columns, wanted: Sequence[str]) -> None:
    lacking = [column for column in wanted if column not in columns]
    if lacking and not columns:
        raise ContractError(f"{name} is empty. Nothing was evaluated: write the columns {', '.join(wanted)}.")
    if lacking:
        spare = [column for column in columns if column not in wanted]
        hints = "".join(did_you_mean(column, spare) for column in lacking)
        raise ContractError(
            f"{name} lacks column(s) {first_three(lacking)}; it has {', '.join(map(repr, columns))}.{hints} "
            f"Name them {', '.join(wanted)}."
        )


def require_one_release(name: str, columns: Columns) -> None:
    """Raise `ContractError` when the column `release_id`, if any, names more than one release."""
    releases = sorted({text_of(value) for value in columns.get("release_id", ())} - {""})
    if len(releases) > 1:
        raise ContractError(
            f"{name} mixes {len(releases)} releases: {first_three(releases)}. Write one file per release."
        )


def text_of(value: Any) -> str:
    """Return an id as text that can be printed; empty for None and NaN."""
    return "" if value is None or value != value else str(value).encode("utf-8", "replace").decode()


def _whole_numbers(name: str, column: str, columns: Columns, *, at_least: int) -> NDArray[np.int64]:
    found = [_number(value) for value in columns[column]]
    wrong = [number is None or not number.is_integer() or not at_least <= number < NUMBER_END for number in found]
    _refuse_rows(name, column, wrong, "no whole number", f"Count from {at_least}")
    return np.array(found, dtype=np.int64)


def _scores(name: str, values: Sequence[Any]) -> FloatArray:
    found = [np.nan if text_of(value).strip() == "" else _number(value) for value in values]
    wrong = [number is None for number in found]
    _refuse_rows(name, "score", wrong, "no number", "Leave it empty where there is no score")
    return np.array(found, dtype=float)


def _number(value: Any) -> float | None:
    """Return a number, also of `true` and `false`; None for what is none."""
    if isinstance(value, str) and value.strip().lower() in _TRUTH:
        return _TRUTH[value.strip().lower()]
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return None


def _refuse_rows(name: str, column: str, wrong: Sequence[bool], what: str, action: str) -> None:
    rows = [number for number, is_wrong in enumerate(wrong, start=1) if is_wrong]
    if rows:
        raise ContractError(f"{name}: column {column!r} is {what} in data row(s) {first_three(rows)}. {action}.")


def _texts(columns: Columns, questions: Sequence[str]) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for column in ("question", "answer"):
        if column in columns:
            found[column] = {}
            for question, value in zip(questions, columns[column], strict=True):
                found[column].setdefault(question, text_of(value))
    return found

"""Questions from a file, for targets that are asked something else than the project's test set.

CSV, JSON lines or Parquet. Only `question` is required; what else there is decides which metrics can be
measured: `reference_answer` correctness, `reference_spans` retrieval, `document_id` what counts as
independent, `topic` and `question_type` the groups. Ids that are no hash become one.
"""

import json
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flows.core.contracts import QUESTION_TYPES, QUESTIONS
from flows.core.errors import ContractError, did_you_mean, first_three
from flows.core.ids import content_id
from flows.core.tables import check
from flows.evaluate.gatefile import Columns, read_columns, text_of

if TYPE_CHECKING:
    import pandas as pd

OPTIONAL = (
    "question_id", "question_type", "reference_answer", "reference_spans", "answerable", "origin", "topic",
    "document_id", "document_version", "reviewed_by", "stale",
)  # fmt: skip
SPAN_KEYS = ("document_id", "document_version", "start", "end", "quote")
_TRUE, _FALSE = {"true", "1", "yes"}, {"false", "0", "no"}


def read_questions(path: Path) -> "pd.DataFrame":
    """Read a file of questions into the table `questions`.

    Raises:
        UsageError: No such file, or a suffix that says nothing about its format.
        ContractError: Empty, wrong columns, duplicate ids, spans that are none; names the rows.
    """
    import pandas as pd

    columns = read_columns(path)
    if "question" not in columns:
        hint = did_you_mean("question", columns)
        raise ContractError(
            f"{path.name} lacks the column 'question'; it has {', '.join(map(repr, columns)) or 'none'}.{hint} "
            f"Name it question; optional are {', '.join(OPTIONAL)}."
        )
    texts = [text_of(value).strip() for value in columns["question"]]
    if not texts:
        raise ContractError(f"{path.name} has no rows, so there is nothing to ask. Write one question per row.")
    _refuse(path, [len(text) < 3 for text in texts], "no question", "Write at least three characters")
    given = [text_of(value).strip() for value in columns.get("question_id", texts)]
    ids = [question_key(name) for name in given]
    repeated = [name for name, n in Counter(given).items() if n > 1]
    if repeated:
        raise ContractError(
            f"{path.name}: {len(repeated)} question(s) stand twice: {first_three(repeated)}. "
            "Keep one row of each, or give them different question_id."
        )
    rows = {"question_id": ids, "question": texts} | _rest(path, columns, texts)
    empty = {name: [None] * len(texts) for name, column in QUESTIONS.columns.items() if column.nullable}
    return check(pd.DataFrame(empty | rows), QUESTIONS)


def question_key(name: str) -> str:
    """Return the id of a question whose author called it `name`: the same name, the same id."""
    return name if re.fullmatch(r"[0-9a-f]{32}", name) else content_id("question", name)


def _rest(path: Path, columns: Columns, texts: Sequence[str]) -> dict[str, list[Any]]:
    def column(name: str, otherwise: str = "") -> list[str]:
        return [text_of(value).strip() for value in columns[name]] if name in columns else [otherwise] * len(texts)

    references = column("reference_answer")
    kinds = [kind or "simple" for kind in column("question_type")]
    unknown = [kind not in QUESTION_TYPES for kind in kinds]
    _refuse(path, unknown, "a question_type that does not exist", f"Use {', '.join(QUESTION_TYPES)}")
    answerable = [_truth(value) for value in column("answerable", "true")]
    _refuse(path, [value is None for value in answerable], "an answerable that is neither true nor false", "Use those")
    return {
        "question_type": kinds, "reference_answer": references, "answerable": answerable,
        "reference_spans": [
            _spans(path, row, value)
            for row, value in enumerate(columns.get("reference_spans", [None] * len(texts)), start=1)
        ],
        "origin": [f"file:{path.name}"] * len(texts), "topic": column("topic"),
        "document_id": [value or None for value in column("document_id")],
        "document_version": [value or None for value in column("document_version")],
        "stale": [_truth(value or "false") is True for value in column("stale")],
    }  # fmt: skip


def _truth(value: str) -> bool | None:
    word = value.lower()
    return True if word in _TRUE or not word else False if word in _FALSE else None


def _spans(path: Path, row: int, value: Any) -> str:
    if not isinstance(value, list) and not text_of(value).strip():
        return "[]"
    try:
        spans = value if isinstance(value, list) else json.loads(value)
        plain = [{key: span[key] for key in SPAN_KEYS} for span in spans]
        return json.dumps([span | {"start": int(span["start"]), "end": int(span["end"])} for span in plain])
    except (ValueError, TypeError, KeyError):
        raise ContractError(
            f"{path.name}, data row {row}: reference_spans is no JSON list of objects with {', '.join(SPAN_KEYS)}. "
            "Mend it, or leave it empty: then retrieval is not measured for the question."
        ) from None


def _refuse(path: Path, wrong: Sequence[bool], what: str, action: str) -> None:
    rows = [number for number, is_wrong in enumerate(wrong, start=1) if is_wrong]
    if rows:
        raise ContractError(f"{path.name}: {len(rows)} data row(s) have {what}: {first_three(rows)}. {action}.")

"""Answers, labels and recorded scores as people and other tools write them: CSV, JSON lines or Parquet.

What a judge needs beside the answer (the question's words, the reference answer, the retrieved chunks) comes from the
file, or by `question_id` and `answer_id` from the project's test set and evaluated answers. A file that can be read in
two ways is refused with the rows and what to do.
"""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from flows.core.contracts import ANSWERS, QUESTIONS
from flows.core.errors import ContractError, did_you_mean, first_three
from flows.core.project import Project
from flows.core.tables import read_table
from flows.evaluate.gatefile import read_columns, text_of
from flows.evaluate.judge_items import Item
from flows.evaluate.words import without_markers
from flows.stats.scores import FloatArray

if TYPE_CHECKING:
    from flows.evaluate.judges import Judge

WORDS = {
    "yes": 1.0, "true": 1.0, "good": 1.0, "pass": 1.0, "correct": 1.0, "first": 1.0,
    "no": 0.0, "false": 0.0, "bad": 0.0, "fail": 0.0, "incorrect": 0.0, "second": 0.0,
    "tie": 0.5, "partly": 0.5,
}  # fmt: skip
NEEDED = {
    "question": "question", "answer": "answer", "reference_answer": "reference_answer", "context": "chunks",
    "first_answer": "answer", "second_answer": "other_answer",
}  # fmt: skip  # variable of a prompt -> column of a file
TEXTS = ("document_id", "question", "answer", "reference_answer", "other_answer", "chunks")
Key = tuple[str, int]
Columns = Mapping[str, Sequence[Any]]


@dataclass(frozen=True)
class Known:
    """What the project knows about questions and answers; read when it is first asked."""

    project: Project

    @cached_property
    def questions(self) -> Mapping[str, Mapping[Any, Any]]:
        """Rows of the test set by question id; none without a test set."""
        path = self.project.data("testset", "questions.parquet")
        rows = read_table(path, QUESTIONS, remedy="Run `llmops testset`").to_dict("records") if path.exists() else []
        return {row["question_id"]: row for row in rows}

    @cached_property
    def answers(self) -> Mapping[str, Mapping[Any, Any]]:
        """Rows of evaluated answers by answer id: of the last candidate and of the baselines."""
        folder = self.project.data("evaluate")
        files = [
            path for path in (*folder.glob("baseline/*/answers.parquet"), folder / "answers.parquet") if path.exists()
        ]
        tables = (read_table(path, ANSWERS, remedy="Run `llmops evaluate`") for path in sorted(files))
        return {row["answer_id"]: row for table in tables for row in table.to_dict("records")}

    def fill(self, column: str, question_id: str, answer_id: str) -> str | None:
        """Return what a column would hold; None where the project does not know."""
        question, answer = self.questions.get(question_id), self.answers.get(answer_id)
        if column in ("question", "reference_answer", "document_id"):
            return None if question is None else text_of(question[column])
        if column == "answer":
            return None if answer is None else without_markers(answer["answer"])
        if column == "chunks":
            return None if answer is None else json.dumps([hit["text"] for hit in json.loads(answer["retrieved"])])
        return None


def read_items(project: Project, path: Path, judge: "Judge | None") -> tuple[list[Item], Columns]:
    """Read answers to judge, and the file's columns as they stand.

    Args:
        project: Where questions and answers are looked up that the file only names.
        path: A file with the column question_id and what the judge's prompt asks for.
        judge: Decides what is needed; None = nothing but question_id, for decisions that were recorded elsewhere.

    Raises:
        UsageError: No such file, or an unknown suffix.
        ContractError: Columns or values are missing, or an answer stands twice.
    """
    columns = read_columns(path)
    by_answer = "answer_id" in columns and "question_id" not in columns
    require(path.name, columns, ("answer_id" if by_answer else "question_id",))
    size = len(next(iter(columns.values())))
    if not size:
        raise ContractError(f"{path.name} has columns and no rows. Write one row per answer.")
    known = Known(project)
    answer_ids = [text_of(value) for value in columns.get("answer_id", [""] * size)]
    questions = [text_of(value) for value in columns.get("question_id", ())] or _questions_of(path, known, answer_ids)
    refuse(path.name, "question_id", [not name for name in questions], "empty", "Give every row one")
    needed = {NEEDED[name] for name in judge.prompt.header.variables} if judge else set()
    ids = list(zip(questions, answer_ids, strict=True))
    texts = [_column(path.name, columns, known, name, ids, needed=name in needed) for name in TEXTS]
    items = [
        Item(question, sample, document, words, answer, reference, other, _chunks(chunks))
        for question, sample, document, words, answer, reference, other, chunks in zip(
            questions, _samples(path.name, columns, questions), *texts, strict=True
        )
    ]
    _refuse_twice(path.name, [item.key for item in items])
    return items, columns


def _column(
    name: str, columns: Columns, known: Known, column: str, ids: Sequence[tuple[str, str]], *, needed: bool
) -> list[str]:
    """Return a column of texts from the file, or from the project by (question id, answer id)."""
    if column in columns:
        return [text_of(value) for value in columns[column]]
    found = [known.fill(column, *pair) for pair in ids]
    if needed:
        action = f"Add the column {column!r}, or ids of the test set (question_id) and evaluated answers (answer_id)"
        refuse(name, column, [value is None for value in found], "missing", action)
    return [value or "" for value in found]


def read_labels(columns: Columns, name: str, scale: Sequence[float] | None) -> FloatArray:
    """Return the column `label` as numbers; NaN where nobody labelled the row.

    Raises:
        ContractError: No such column, a label that is neither number nor known word, or one off the judge's scale.
    """
    require(name, columns, ("label",))
    labels = numbers(name, "label", columns["label"])
    if scale is not None:
        shown = ", ".join(f"{step:g}" for step in scale)
        wrong = [bool(np.isfinite(label)) and label not in scale for label in labels]
        refuse(name, "label", wrong, "off the judge's scale", f"Label on the scale {shown}, as the judge scores")
    if not np.isfinite(labels).any():
        raise ContractError(f"{name} has no label. Let people fill in the column 'label' for a sample of the rows.")
    return labels


@dataclass(frozen=True)
class Recorded:
    """Scores that a judge gave elsewhere, by (question, sample)."""

    scores: Mapping[Key, float]
    swapped: Mapping[Key, float]  # of a pair: the preference for the same answer when it was shown second
    documents: Mapping[Key, str]


def read_recorded(path: Path) -> Recorded:
    """Read recorded scores: question_id, score, and if they are there sample, document_id, score_swapped.

    Raises:
        UsageError: No such file, or an unknown suffix.
        ContractError: Wrong columns, scores that are no numbers, several metrics, an answer twice.
    """
    columns = read_columns(path)
    require(path.name, columns, ("question_id", "score"))
    metrics = sorted({text_of(value) for value in columns.get("metric", ())})
    if len(metrics) > 1:
        raise ContractError(
            f"{path.name} holds {len(metrics)} metrics: {first_three(metrics)}. Write one judge per file."
        )
    questions = [text_of(value) for value in columns["question_id"]]
    keys = list(zip(questions, _samples(path.name, columns, questions), strict=True))
    _refuse_twice(path.name, keys)
    scores, swapped = (
        dict(zip(keys, numbers(path.name, column, columns[column]).tolist(), strict=True)) if column in columns else {}
        for column in ("score", "score_swapped")
    )
    documents = [text_of(value) for value in columns.get("document_id", [""] * len(keys))]
    return Recorded(scores, swapped, dict(zip(keys, documents, strict=True)))


def require(name: str, columns: Mapping[str, Any], wanted: Sequence[str]) -> None:
    """Raise `ContractError` with the nearest names unless the columns are there."""
    lacking = [column for column in wanted if column not in columns]
    if lacking:
        hints = "".join(did_you_mean(column, columns) for column in lacking)
        has = ", ".join(map(repr, columns)) or "no columns"
        raise ContractError(f"{name} lacks column(s) {first_three(lacking)}; it has {has}.{hints} Name them so.")


def numbers(name: str, column: str, values: Sequence[Any]) -> FloatArray:
    """Return values as numbers, words such as yes, no and tie included; NaN for an empty one."""
    found = [_number(value) for value in values]
    refuse(name, column, [number is None for number in found], "no number", "Leave it empty where there is none")
    return np.array(found, dtype=float)


def _number(value: Any) -> float | None:
    text = text_of(value).strip().lower()
    if not text or text in WORDS:
        return WORDS.get(text, np.nan)
    try:
        number = float(text)
    except ValueError:
        return None
    return number if np.isfinite(number) else None


def refuse(name: str, column: str, wrong: Sequence[bool], what: str, action: str) -> None:
    """Raise `ContractError` naming the rows that are wrong."""
    rows = [number for number, is_wrong in enumerate(wrong, start=1) if is_wrong]
    if rows:
        raise ContractError(f"{name}: column {column!r} is {what} in data row(s) {first_three(rows)}. {action}.")


def _questions_of(path: Path, known: Known, answer_ids: Sequence[str]) -> list[str]:
    rows = [known.answers.get(name) for name in answer_ids]
    refuse(path.name, "answer_id", [row is None for row in rows], "unknown",
           "Give ids of data/evaluate/answers.parquet, or the columns question_id and answer")  # fmt: skip
    return [str(row["question_id"]) for row in rows if row is not None]


def _samples(name: str, columns: Columns, questions: Sequence[str]) -> list[int]:
    """Return the column `sample`, or number the answers to each question in the order of the file."""
    if "sample" in columns:
        found = numbers(name, "sample", columns["sample"])
        refuse(name, "sample", [not (n >= 0 and n == int(n)) for n in found], "no whole number", "Count from 0")
        return [int(n) for n in found]
    seen: Counter[str] = Counter()
    samples = []
    for question in questions:
        samples.append(seen[question])
        seen[question] += 1
    return samples


def _refuse_twice(name: str, keys: Sequence[Key]) -> None:
    twice = [key for key, n in Counter(keys).items() if n > 1]
    if twice:
        raise ContractError(
            f"{name}: {len(twice)} (question_id, sample) stand twice: {first_three(twice)}. Write one row per answer; "
            "where several people labelled it, what they agreed on."
        )


def _chunks(text: str) -> tuple[str, ...]:
    """Read retrieved texts: a JSON list of texts, or one text."""
    if text.lstrip().startswith("["):
        try:
            value = json.loads(text)
        except ValueError:
            return (text,)
        if isinstance(value, list) and all(isinstance(part, str) for part in value):
            return tuple(value)
    return (text,) if text else ()

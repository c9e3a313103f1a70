"""Answers that were recorded elsewhere as a target: nothing is asked, everything is scored.

CSV, JSON lines or Parquet, one row per question and sample. `question_id` or `question` says what was
asked, `answer` what was said; `sample` numbers the repeats; the other columns are the keys of
`flows.evaluate.replies`, lists as JSON text where the format has none. A question of the set
that the file lacks is missing, not zero.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from flows.core.errors import ContractError, did_you_mean, first_three
from flows.core.files import sha256_file
from flows.core.ids import content_id
from flows.core.progress import Progress
from flows.evaluate.answering import Wanted
from flows.evaluate.gatefile import Columns, read_columns, require_one_release, text_of
from flows.evaluate.questionfile import question_key
from flows.evaluate.replies import KEYS, Reply, reply_of
from flows.evaluate.targets import Given

LISTS = ("contexts", "citations")
NUMBERS = ("latency_ms", "cost_usd", "input_tokens", "output_tokens", "mean_logprob")
SWITCHES = {"true": True, "false": False, "1": True, "0": False}
LACKING = "not_recorded"


class Recorded:
    """One file of answers.

    Args:
        path: The file.
        questions: Words of every question by id, to find rows that name no id.

    Raises:
        UsageError: No such file, or a suffix that says nothing about its format.
        ContractError: Wrong columns, rows that stand twice, mixed releases, values of a wrong form, or no row
            that belongs to a question of the set; names the rows.
    """

    repeats_itself = False

    def __init__(self, path: Path, questions: Mapping[str, str]) -> None:
        self.name = path.name
        columns = read_columns(path)
        _require_columns(path.name, columns)
        require_one_release(path.name, columns)
        self._replies, self._notes = _read(path.name, columns, questions)
        self.samples = 1 + max(sample for _, sample in self._replies)
        self.target_id = content_id("target", "recorded", sha256_file(path))

    def answer(self, todo: Sequence[Wanted], *, progress: Progress) -> Given:
        """Return what was recorded; what was not is a failure of its row."""
        replies = [self._replies.get((item.question_id, item.sample), Reply(error=LACKING)) for item in todo]
        lacking = sum(reply.error == LACKING for reply in replies)
        notes = [f"{self.name} lacks {lacking} of {len(todo)} answers that were asked for."] if lacking else []
        return Given(replies, [*self._notes, *notes])


def _require_columns(name: str, columns: Columns) -> None:
    if not columns:
        raise ContractError(f"{name} is empty. Write one row per answer, with question_id or question, and answer.")
    asked = "question_id" in columns or "question" in columns
    if not asked or "answer" not in columns:
        lacking = ["answer"] if asked else ["question_id or question"]
        hints = "".join(did_you_mean(word, columns) for word in ("question_id", "answer") if word not in columns)
        raise ContractError(
            f"{name} lacks column(s) {', '.join(lacking)}; it has {', '.join(map(repr, columns))}.{hints} "
            f"Optional are sample, {', '.join(KEYS[1:])}."
        )
    if not columns["answer"]:
        raise ContractError(f"{name} has columns and no rows. Nothing was recorded: run the application again.")


def _read(name: str, columns: Columns, questions: Mapping[str, str]) -> tuple[dict[tuple[str, int], Reply], list[str]]:
    by_words = {" ".join(words.split()): question for question, words in questions.items()}
    found: dict[tuple[str, int], Reply] = {}
    unknown, twice = list[int](), list[int]()
    for row in range(len(columns["answer"])):
        values = {column: columns[column][row] for column in columns}
        question = _question_of(values, questions, by_words)
        key = (question or "", _sample(name, row + 1, values.get("sample")))
        if question is None:
            unknown.append(row + 1)
        elif key in found:
            twice.append(row + 1)
        else:
            found[key] = _reply(name, row + 1, values)
    if twice:
        raise ContractError(
            f"{name}: data row(s) {first_three(twice)} repeat a question and sample that stand above. "
            "Number the repeats in a column sample: 0, 1, 2 …"
        )
    if not found:
        raise ContractError(
            f"{name}: none of {len(unknown)} rows belongs to a question of the set. Give the set's question_id or "
            "the exact words in question, or name the questions that were asked with --questions FILE."
        )
    spare = [column for column in columns if column not in {*KEYS, "question_id", "question", "sample", "release_id"}]
    return found, [
        *([f"{name}: {len(unknown)} row(s) belong to no question of the set and are ignored."] if unknown else []),
        *([f"{name}: column(s) {first_three(spare)} are not used."] if spare else []),
    ]


def _question_of(values: Mapping[str, Any], questions: Mapping[str, str], by_words: Mapping[str, str]) -> str | None:
    name = text_of(values.get("question_id")).strip()
    if name and question_key(name) in questions:
        return question_key(name)
    return by_words.get(" ".join(text_of(values.get("question")).split()))


def _sample(name: str, row: int, value: Any) -> int:
    text = text_of(value).strip() or "0"
    if not text.removesuffix(".0").isdecimal():
        raise ContractError(f"{name}, data row {row}: sample {text!r} is no whole number. Count repeats from 0.")
    return int(text.removesuffix(".0"))


def _reply(name: str, row: int, values: Mapping[str, Any]) -> Reply:
    try:
        said = {key: _value(key, values[key]) for key in KEYS if key in values}
        if said.get("error") is None and said.get("answer") is None:
            said["answer"] = ""  # an empty cell is an empty answer, which is scored as one
        return reply_of(said)
    except ContractError as error:
        raise ContractError(f"{name}, data row {row}: {error}") from None


def _value(key: str, value: Any) -> Any:
    """Return a cell as `reply_of` wants it; an empty one is None."""
    if not isinstance(value, str):
        return None if value is None or value != value else value
    text = value.strip()
    if key in {"answer", "error"}:
        return value if text else None
    if not text:
        return None
    try:
        if key in LISTS:
            return json.loads(text)
        if key in NUMBERS:
            return float(text)
        return SWITCHES[text.lower()]
    except (ValueError, KeyError):
        kind = "a JSON list" if key in LISTS else "a number" if key in NUMBERS else "true or false"
        raise ContractError(f"{key!r} is not {kind}. Mend it, or leave it empty.") from None

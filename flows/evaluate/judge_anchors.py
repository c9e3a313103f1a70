"""Anchors: items whose right score is known, put into each batch to notice a judge that does not work.

Where questions have reference answers they are built from the batch itself: the reference answer given as the answer
has the full score, the reference answer to another question, with which it shares no fact, the lowest. Otherwise the
prompt may bring its own, `data/prompts/<prompt>.anchors.jsonl`. An anchor is asked anew in every batch: its sample
number is made from the batch, so that an old reply in the cache cannot vouch for today's judge.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from flows.core.errors import ParamsError
from flows.core.ids import content_id, sha256
from flows.core.project import Project
from flows.evaluate.judge_items import Item
from flows.evaluate.judges import Judge
from flows.evaluate.words import facts

FIELDS = {"question", "answer", "other_answer", "reference_answer", "chunks", "expected"}
SAMPLE_DIGITS = 7  # hex digits of a batch's hash: far above any number of repeats


@dataclass(frozen=True)
class Anchor:
    """An item and its right score."""

    item: Item
    expected: float


def anchors_for(
    judge: Judge, batch: Sequence[Item], every: Sequence[Item], own: Sequence[Anchor], count: int
) -> list[Anchor]:
    """Return the anchors of a batch: built from its references, else `own`, else none.

    Args:
        judge: Decides the form, one answer or two, and the scale.
        batch: The items that will stand or fall with them.
        every: Items whose references may serve as wrong answers.
        own: Anchors of the prompt's file.
        count: How many at most; half of them right answers.
    """
    if count == 0:
        return []
    with_reference = sorted((item for item in batch if item.reference), key=_shuffled)
    pool = sorted((item for item in every if item.reference), key=_shuffled)
    built: list[Anchor] = []
    for item in _one_per_question(with_reference):
        wrong = next((other.reference for other in pool if _unlike(item, other)), None)
        if wrong is None:
            continue
        built.append(_anchor(judge, item, wrong, good=len(built) % 2 == 0))
        if len(built) == count:
            return built
    return built if len(built) > 1 else list(own[:count])  # one alone cannot tell a judge from a constant


def _one_per_question(items: Iterable[Item]) -> list[Item]:
    return list({item.question_id: item for item in items}.values())


def _shuffled(item: Item) -> str:
    return sha256(f"anchor:{item.question_id}:{item.sample}")


def _unlike(item: Item, other: Item) -> bool:
    """Return whether the other's reference cannot answer the item's question: they share no fact."""
    return other.question_id != item.question_id and not facts(other.reference) & facts(item.reference)


def _anchor(judge: Judge, item: Item, wrong: str, *, good: bool) -> Anchor:
    """Give the right answer, or the wrong one, with a chunk that says the right one."""
    answer, other = (item.reference, wrong) if good else (wrong, item.reference)
    known = replace(item, answer=answer, other=other if judge.pairwise else "", chunks=(item.reference,))
    return Anchor(known, judge.scale[-1] if good else judge.scale[0])


def sample_of(batch: Sequence[Item]) -> int:
    """Return the sample number under which a batch's anchors are asked."""
    words = [[item.question_id, item.sample, item.question, item.answer, item.other] for item in batch]
    return int(content_id("anchors", words)[:SAMPLE_DIGITS], 16)


def judge_files(project: Project, judge: Judge) -> list[Path]:
    """Return the files that make the judge: its prompt, and its own anchors where it brings some."""
    return [path for path in (project.root / judge.prompt.path, _own_file(project, judge)) if path.exists()]


def _own_file(project: Project, judge: Judge) -> Path:
    return project.data("prompts", f"{judge.prompt.name}.anchors.jsonl")


def own_anchors(project: Project, judge: Judge) -> list[Anchor]:
    """Return the anchors of the prompt's own file; none where there is no file.

    Raises:
        ParamsError: A line is no anchor, or its score is not on the judge's scale; with file and line.
    """
    path = _own_file(project, judge)
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return [_own(judge, number, line) for number, line in enumerate(lines, start=1) if line.strip()]


def _own(judge: Judge, number: int, line: str) -> Anchor:
    where = f"data/prompts/{judge.prompt.name}.anchors.jsonl:{number}"
    try:
        row = json.loads(line)
        unknown = sorted(set(row) - FIELDS)
        item = Item(
            f"anchor-{number}", 0, "", str(row["question"]), str(row["answer"]), str(row.get("reference_answer", "")),
            str(row.get("other_answer", "")), tuple(str(text) for text in row.get("chunks", ())),
        )  # fmt: skip
        expected = float(row["expected"])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ParamsError(f"{where} is no anchor ({type(error).__name__}: {error}). Give {sorted(FIELDS)}.") from None
    if unknown or expected not in judge.scale:
        raise ParamsError(
            f"{where}: unknown fields {unknown}, expected {expected!r}; the judge's scale is {judge.scale}."
        )
    return Anchor(item, expected)

"""Take questions from a file into the test set: check them all, find their gold, mark the doubtful.

Gold is looked for word by word: first the contexts the file gives, then its reference answer; the
sentences that hold the text become the span. What is doubtful but not wrong is taken in with a
mark at the end of its `origin` and is not asked (stale) until the file is repaired and imported
again. Rows that a person reviewed are never overwritten.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from flows.core.challenges import CHALLENGE
from flows.core.ids import content_id
from flows.testset.build import table_of
from flows.testset.drafts import Draft
from flows.testset.entries import Entry
from flows.testset.follow import MARKS, Existing, existing_of, span_from
from flows.testset.records import Problem
from flows.testset.sentences import outline
from flows.testset.spans import Span, Version
from flows.testset.words import words

if TYPE_CHECKING:
    import pandas as pd

HASH = re.compile(r"[0-9a-f]{32}")
QUESTION_CHARS_MIN = 3  # as the contract of `questions`
TWO_REFERENCES, CONTEXT_UNKNOWN, INSTRUCTION = MARKS
COMMAND = re.compile(
    r"\b(?:ignore|disregard|forget|override)\b[^.]{0,40}\b(?:rubric|instructions?|rules?|prompts?|criteria)\b"
    r"|\b(?:give|award|assign)\b[^.]{0,30}\b(?:top|full|maximum|highest|perfect)\b[^.]{0,15}\b(?:score|marks?|grade)\b",
    re.I,
)


@dataclass(frozen=True)
class Library:
    """The documents that gold is looked for in.

    Args:
        versions: Current version by document id, in order of address.
        id_of: Document id by address (source_uri) and by id.
        words_min: Shortest text, in words, that is looked for in all documents.
    """

    versions: Mapping[str, Version]
    id_of: Mapping[str, str]
    words_min: int

    @classmethod
    def of(cls, documents: "pd.DataFrame", words_min: int) -> "Library":
        """Prepare the table `documents`."""
        ordered = documents.sort_values("source_uri")
        columns = (ordered[name] for name in ("document_id", "document_version", "text", "source_uri"))
        rows = list(zip(*columns, strict=True))
        versions = {name: Version(version, text) for name, version, text, _ in rows}
        return cls(versions, {name: name for name in versions} | {row[3]: row[0] for row in rows}, words_min)

    def find(self, text: str, among: Sequence[str]) -> Span | None:
        """Return the sentences that hold a text, in the first document that has it; None if none has."""
        parts = [re.escape(word) for word in text.split()]
        if not parts or (not among and len(words(text)) < self.words_min):
            return None
        before, after = r"(?<!\w)" * parts[0][:1].isalnum(), r"(?!\w)" * parts[-1][-1:].isalnum()
        pattern = re.compile(before + r"\s+".join(parts) + after)
        for name in among or self.versions:
            if place := pattern.search(self.versions[name].text):
                return _sentences(name, self.versions[name], place.start(), place.end())
        return None


def _sentences(name: str, version: Version, start: int, end: int) -> Span:
    touched = [s for s in _outlined(version.text) if s[0] < end and s[1] > start]
    low, high = min([start, *(s[0] for s in touched)]), max([end, *(s[1] for s in touched)])
    return Span.of(name, version, low, high)


@cache
def _outlined(text: str) -> tuple[tuple[int, int], ...]:
    found = outline(text)
    rows = ((row.start, row.end) for row in found.rows)
    return (*((sentence.start, sentence.end) for sentence in found.sentences), *rows)


def problems(entries: Sequence[Entry]) -> list[Problem]:
    """Return what makes a file unfit: line numbers and reasons."""
    found = [(entry.line, what) for entry in entries if (what := _problem(entry))]
    lines_of: dict[tuple[str, str], list[Entry]] = defaultdict(list)
    for entry in entries:
        lines_of["id", entry.own_id or f"line {entry.line} {_asked(entry)}"].append(entry)  # a line may hold a pair
        lines_of["question", f"{entry.question_type} {_asked(entry)}"].append(entry)
    for (kind, _), (first, *others) in lines_of.items():
        for other in others:
            what = _repeats(kind, first, other)
            found += [(other.line, what)] if what else []
    return sorted(set(found))


def _problem(entry: Entry) -> str | None:
    if len(entry.question.strip()) < QUESTION_CHARS_MIN:
        return "has no question"
    if entry.reference is None and entry.question_type not in {"unanswerable", CHALLENGE}:
        return "has no reference answer"
    return None


def _repeats(kind: str, first: Entry, other: Entry) -> str | None:
    if kind == "id":
        return f"repeats the id of line {first.line}"
    if (first.split == "train") != (other.split == "train"):
        return f"asks the training question of line {first.line}"
    same = _folded(first.reference or "") == _folded(other.reference or "")
    return f"repeats the question of line {first.line}" if same else None


def _asked(entry: Entry) -> str:
    """Return what makes a question the same: its words, and what is tried with them."""
    return _folded(entry.question) + (entry.challenge.to_json() if entry.challenge else "")


def _folded(text: str) -> str:
    return " ".join(text.lower().split())


def taken_in(entries: Sequence[Entry], library: Library, *, file_name: str, reviewer: str | None) -> list[Existing]:
    """Return the questions of a file; those of its training split are left out.

    Args:
        entries: Without problems.
        library: Where gold is looked for.
        file_name: For `origin` and the ids of rows that bring their own.
        reviewer: Who vouches for rows that name nobody.
    """
    kept = [entry for entry in entries if entry.split != "train"]
    asked = Counter((entry.question_type, _asked(entry)) for entry in kept)
    found = []
    for entry in kept:
        twice = asked[entry.question_type, _asked(entry)] > 1
        found.append(_existing(entry, library, file_name=file_name, reviewer=reviewer, twice=twice))
    return found


def _existing(entry: Entry, library: Library, *, file_name: str, reviewer: str | None, twice: bool) -> Existing:
    among = [library.id_of[name] for name in entry.places if name in library.id_of]
    spans = _gold(entry, library, among)
    mark = _mark(entry, known=bool(among), twice=twice)
    source = entry.origin or f"imported:{file_name}"
    draft = Draft(
        question=entry.question.strip(),
        question_type=entry.question_type,
        answer=entry.reference or "",
        spans=spans,
        method=f"{source}:{mark}" if mark else source,
        topic=entry.topic or "imported",
        document_id=spans[0].document_id if spans else next(iter(among), ""),
        challenge=entry.challenge,
    )
    return Existing(draft, _id(entry, file_name, twice=twice), entry.reviewed_by or reviewer, stale=bool(mark))


def _gold(entry: Entry, library: Library, among: Sequence[str]) -> tuple[Span, ...]:
    if entry.question_type == "unanswerable":
        return ()
    if entry.spans:
        return tuple(span_from(item) for item in entry.spans)
    found = [library.find(text, among) for text in entry.contexts]
    spans = tuple(dict.fromkeys(span for span in found if span))
    homes = list(dict.fromkeys(span.document_id for span in spans)) or list(among)
    answer = library.find(entry.reference or "", homes)
    if answer and len(spans) <= 1:
        return (answer,)  # the sentences with the answer are better gold than a whole passage
    return spans


def _mark(entry: Entry, *, known: bool, twice: bool) -> str:
    if twice:
        return TWO_REFERENCES
    if entry.places and not known and not entry.spans:
        return CONTEXT_UNKNOWN
    return INSTRUCTION if COMMAND.search(entry.reference or "") else ""


def _id(entry: Entry, file_name: str, *, twice: bool) -> str:
    if HASH.fullmatch(entry.own_id):
        return entry.own_id
    if entry.own_id:
        return content_id("imported", file_name, entry.own_id)
    parts = ["question", entry.question_type, entry.question.strip()]
    parts += [entry.challenge.to_json()] if entry.challenge else []
    return content_id(*parts, entry.reference) if twice else content_id(*parts)


def merge(stored: "pd.DataFrame", found: Sequence[Existing]) -> tuple["pd.DataFrame", int]:
    """Put imported questions into the stored set.

    A reviewed question stays as it is, whatever the file says about the same id or words; any
    other one gives way.

    Returns:
        The table `questions`, and how many imported rows gave way to reviewed ones.
    """
    old = [existing_of(row) for row in stored.to_dict("records")]
    held = _keys(item for item in old if item.reviewed_by)
    new = [item for item in found if not _keys([item]) & held]
    gone = _keys(new)
    rest = [item for item in old if item.reviewed_by or not _keys([item]) & gone]
    return table_of([*rest, *new]), len(found) - len(new)


def _keys(items: Iterable[Existing]) -> set[tuple[str, str]]:
    """Return what identifies questions: their ids, and their words within their type."""
    listed = list(items)
    asked = {
        (item.draft.question_type, _folded(item.draft.question)) for item in listed if item.draft.challenge is None
    }
    return asked | {("", item.question_id) for item in listed}

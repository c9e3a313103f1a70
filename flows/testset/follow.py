"""Let existing questions follow their documents through edits, moves and deletions.

A question whose gold survives is anchored anew; one whose gold is gone is stale and leaves the
gate; one whose document is gone is retired, unless a person reviewed it, which keeps it as stale.
A stale question whose text returns is live again. An unanswerable one is stale once the corpus
begins to speak of what it asks for.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from flows.core.challenges import read_challenge
from flows.testset.drafts import Draft
from flows.testset.spans import Span, Version, anchor_all
from flows.testset.splits import in_training
from flows.testset.unanswerable import still_absent

if TYPE_CHECKING:
    import pandas as pd

MARKS = {
    "two_references": "the same question with two reference answers",
    "context_unknown": "names a document that is not there",
    "instruction_in_reference": "the reference answer gives orders to a judge",
}  # why an imported question is not asked; the last part of its `origin`
POOR = "refused_in_review"  # the mark of a question that people found poor


@dataclass(frozen=True)
class Existing:
    """A question of the stored test set, after looking at the current documents."""

    draft: Draft
    question_id: str
    reviewed_by: str | None
    stale: bool
    moved: bool = False


@dataclass(frozen=True)
class Followed:
    """What became of the stored questions."""

    questions: tuple[Existing, ...]
    retired: int


def follow(
    frame: "pd.DataFrame", documents: Mapping[str, Version], vocabulary: frozenset[str], train_share: float
) -> Followed:
    """Look at every stored question in the light of the current documents.

    Args:
        frame: The stored table `questions`.
        documents: Current version of every document by id.
        vocabulary: Content stems of the corpus.
        train_share: Share of documents that are for training; a question about one is not asked.
    """
    stored = [existing_of(row) for row in frame.to_dict("records")]
    seen = [_now(item, documents, vocabulary) for item in stored]
    kept = tuple(_held_back(item, train_share) for item in seen if item is not None)
    return Followed(kept, retired=len(seen) - len(kept))


def existing_of(row: Mapping[Any, Any]) -> Existing:
    """Read a row of the table `questions`."""
    spans = tuple(span_from(item) for item in json.loads(row["reference_spans"]))
    draft = Draft(
        question=row["question"],
        question_type=row["question_type"],
        answer=row["reference_answer"],
        spans=spans,
        method=row["origin"],
        topic=row["topic"],
        document_id=_text(row["document_id"]) or "",
        challenge=read_challenge(row.get("challenge")),
    )
    return Existing(draft, row["question_id"], _text(row["reviewed_by"]), bool(row["stale"]))


def span_from(item: Mapping[str, Any]) -> Span:
    """Read one item of the column `reference_spans`."""
    start, end = int(item["start"]), int(item["end"])
    return Span(item["document_id"], item["document_version"], start, end, item.get("quote", ""))


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _now(item: Existing, documents: Mapping[str, Version], vocabulary: frozenset[str]) -> Existing | None:
    draft = item.draft
    if is_marked(draft.method):
        return replace(item, stale=True)
    if not draft.spans:
        gone = bool(draft.document_id) and draft.document_id not in documents
        return _gone(item) if gone else replace(item, stale=not still_absent(draft.method, vocabulary))
    if any(span.document_id not in documents for span in draft.spans):
        return _gone(item)
    spans = anchor_all(draft.spans, documents)
    if spans is None:
        return replace(item, stale=True)
    return replace(item, draft=replace(draft, spans=spans), stale=False, moved=spans != draft.spans)


def _held_back(item: Existing, train_share: float) -> Existing:
    touched = {item.draft.document_id, *(span.document_id for span in item.draft.spans)} - {""}
    return replace(item, stale=item.stale or any(in_training(name, train_share) for name in touched))


def is_marked(origin: str) -> bool:
    """Return whether an `origin` ends with a mark: doubtful, or refused by people, and so not asked."""
    mark = origin.rsplit(":", 1)[-1]
    return mark == POOR or (mark in MARKS and origin.startswith("imported:"))


def _gone(item: Existing) -> Existing | None:
    return replace(item, stale=True) if item.reviewed_by else None

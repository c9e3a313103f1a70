"""Bring a test set up to date: keep what holds, propose, reject, choose, in that order.

Pure: documents and stored questions in, new table out. Running it again on its own result
changes nothing, which is what makes the stage repeatable.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING

from flows.core.contracts import QUESTIONS
from flows.core.errors import InputError
from flows.core.progress import Progress, silent
from flows.core.tables import empty
from flows.testset.complex import complex_questions
from flows.testset.conversational import conversational_questions
from flows.testset.distracting import distracting_questions
from flows.testset.double import double_questions
from flows.testset.drafts import Corpus, Draft
from flows.testset.filters import Filter, Rejections
from flows.testset.follow import Existing, Followed, follow
from flows.testset.params import TestsetParams
from flows.testset.questions import simple_questions
from flows.testset.selection import Selection, spread
from flows.testset.situational import situational_questions
from flows.testset.spans import Version
from flows.testset.splits import Split, part_of
from flows.testset.topics import topics_of
from flows.testset.unanswerable import unanswerable_questions

if TYPE_CHECKING:
    import pandas as pd

POOL_PER_QUESTION = 5  # simple drafts that the other types are made from, per wanted question: bounds the work
Propose = Callable[[Corpus], Iterable[Draft]]


def build(
    documents: "pd.DataFrame",
    stored: "pd.DataFrame",
    params: TestsetParams,
    *,
    propose: Propose | None = None,
    progress: Progress = silent,
    split: Split = "gate",
) -> tuple["pd.DataFrame", Rejections, Followed]:
    """Return the new test set, why drafts were refused, and what became of the stored questions.

    Args:
        documents: Table `documents`.
        stored: Table `questions` of the last run; no rows at the first.
        params: What is wanted.
        propose: One more source of simple questions, such as a model; the same rules apply to it.
        progress: Told after each question type.
        split: Which side of the documents to ask about.

    Raises:
        InputError: There is no document to ask about.
    """
    if documents.empty:
        raise InputError("table 'documents' is empty: there is nothing to ask about. See data/ingest/quarantine.")
    versions = versions_of(documents)
    corpus = corpus_of(documents, versions, params.languages)
    part = part_of(corpus, split, params.train_share)
    topics = topics_of(corpus, params.topics)
    followed = follow(stored, versions, corpus.vocabulary, params.train_share)
    rejections = Rejections()
    selection = Selection(params, rejections, topics)
    for item in followed.questions:
        selection.keep(item.draft, live=not item.stale)
    found = [*simple_questions(corpus), *(propose(part) if propose else ())]
    rules = Filter.of(corpus, params, found)
    good = [draft for draft in found if draft.document_id in part.by_id and _passes(draft, rules, rejections)]
    proposed: dict[str, list[Draft]] = {}
    made = _makers(corpus, part, good, params)
    for number, (question_type, drafts) in enumerate(made, start=1):
        proposed[question_type] = list(drafts())
        selection.add(question_type, proposed[question_type], rules, fair=True)
        progress("question types", number, len(made))
    for question_type, rest in proposed.items():
        selection.add(question_type, rest, rules)
    selection.challenge(spread(good, params.seed))
    return table_of(followed.questions, selection.chosen, topics), rejections, followed


def _makers(
    corpus: Corpus, part: Corpus, good: list[Draft], params: TestsetParams
) -> tuple[tuple[str, Callable[[], Iterable[Draft]]], ...]:
    """Return who makes the questions of each type, in the order in which they choose."""
    pool = list(islice(spread(good, params.seed), POOL_PER_QUESTION * sum(params.questions_per_type.values())))
    return (
        ("simple", lambda: good),
        ("complex", lambda: complex_questions(pool)),
        ("distracting", lambda: distracting_questions(part, pool, params.seed)),
        ("situational", lambda: situational_questions(pool)),
        ("double", lambda: double_questions(pool)),
        ("conversational", lambda: conversational_questions(pool)),
        ("unanswerable", lambda: unanswerable_questions(corpus, pool)),
    )


def versions_of(documents: "pd.DataFrame") -> dict[str, Version]:
    """Return the current version of every document by its id."""
    columns = (documents[name] for name in ("document_id", "document_version", "text"))
    return {name: Version(version, text) for name, version, text in zip(*columns, strict=True)}


def corpus_of(documents: "pd.DataFrame", versions: dict[str, Version], languages: Sequence[str]) -> Corpus:
    """Read the documents that templates fit, equal texts once."""
    readable = documents[documents["language"].isin(languages)].sort_values("source_uri")
    first = readable.drop_duplicates("document_version")
    titles = dict(zip(first["document_id"], first["title"], strict=True))
    return Corpus.read({name: (title, versions[name]) for name, title in titles.items()})


def _passes(draft: Draft, rules: Filter, rejections: Rejections) -> bool:
    reason = rules.reason(draft)
    if reason:
        rejections.note(draft, reason)
    return reason is None


def table_of(
    existing: Sequence[Existing], chosen: Sequence[Draft] = (), topics: Mapping[str, str] | None = None
) -> "pd.DataFrame":
    """Return the table `questions`, sorted by id; `topics` are those of the documents."""
    import pandas as pd

    old = [_row(item.draft, item.question_id, item.reviewed_by, item.stale) for item in existing]
    new = [_row(draft, draft.question_id, None, False) for draft in chosen]
    if not old + new:
        return empty(QUESTIONS)
    table = pd.DataFrame(old + new).sort_values("question_id", ignore_index=True)
    places = zip(table["document_id"], table["topic"], strict=True)
    table["topic"] = [(topics or {}).get(document, topic) for document, topic in places]
    return table


def _row(draft: Draft, question_id: str, reviewed_by: str | None, stale: bool) -> dict[str, object]:
    return {
        "question_id": question_id,
        "question": draft.question,
        "question_type": draft.question_type,
        "reference_answer": draft.answer,
        "reference_spans": json.dumps([span.to_json() for span in draft.spans], ensure_ascii=False),
        "answerable": bool(draft.answer) if draft.challenge else draft.question_type != "unanswerable",
        "origin": draft.method,
        "topic": draft.topic,
        "document_id": draft.document_id or None,
        "document_version": draft.spans[0].document_version if draft.spans else None,
        "reviewed_by": reviewed_by,
        "stale": stale,
        "challenge": draft.challenge.to_json() if draft.challenge else None,
    }

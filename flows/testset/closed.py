"""Decide which documents may be asked about, and which stored questions go because of the others.

A release is judged by what it may read (`rag.access`). A document that is closed by a new label takes
along the questions about it, reviewed or not, and those that carry words of it: a distracting question
stands behind a sentence of another document. Words are its when a run of five stands in it and in no
document that may be read.
"""

import json
from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING

from flows.core.access import may_read
from flows.testset.words import words

if TYPE_CHECKING:
    import pandas as pd

RUN_WORDS = 5  # as in erasure: a run of five words is rarely shared by chance (Broder 1997 takes 4 to 10)


def may_be_asked(documents: "pd.DataFrame", held: Collection[str]) -> "pd.Series[bool]":
    """Return, for each row of the table `documents`, whether the labels held suffice for it."""
    return documents["access"].map(lambda access: may_read(held, access)).astype(bool)


def without_closed(questions: "pd.DataFrame", documents: "pd.DataFrame", held: Collection[str]) -> "pd.DataFrame":
    """Return the stored questions that owe nothing to documents which may not be read.

    Args:
        questions: The table `questions`.
        documents: The table `documents`, all of it.
        held: The labels of the release.
    """
    asked = may_be_asked(documents, held)
    if asked.all() or questions.empty:
        return questions
    closed = set(documents["document_id"][~asked])
    said = [set(_runs(texts)) for texts in zip(questions["question"], questions["reference_answer"], strict=True)]
    candidates = set().union(*said) & set(_runs(documents["text"][~asked]))
    secret = candidates - set(_runs(documents["text"][asked])) if candidates else candidates
    spans = questions["reference_spans"].map(json.loads)
    about = [{item["document_id"] for item in cited} for cited in spans]
    rows = zip(questions["document_id"], about, said, strict=True)
    keep = [name not in closed and not cited & closed and not runs & secret for name, cited, runs in rows]
    return questions[keep].reset_index(drop=True)


def _runs(texts: Iterable[str]) -> Iterable[str]:
    for text in texts:
        found = words(text.casefold())
        for at in range(len(found) - RUN_WORDS + 1):
            yield " ".join(found[at : at + RUN_WORDS])

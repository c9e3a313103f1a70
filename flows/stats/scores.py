"""Pair two releases' scores question by question, so that nothing unanswered gets lost.

A question is one item: its value is the mean over its samples. What the candidate left unscored,
row or whole question, is counted and, where a worst score exists, takes it; a baseline sample
without a score says nothing and is dropped. Questions about one document are not independent, so
each item remembers its document (Miller 2024, arXiv:2411.00640).
"""

from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from flows.core.errors import ContractError, first_three

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.intp]
TextArray = NDArray[np.str_]


@dataclass(frozen=True, eq=False)
class Scores:
    """Scores of one release on one metric, one row per (question, sample); any array-likes will do.

    Raises:
        ContractError: Lengths differ, a score is infinite, or a (question, sample) stands twice.
    """

    question_id: TextArray
    document_id: TextArray  # empty where a question is about no document; it then stands alone
    sample: NDArray[np.int64]  # number of the repeat; the releases may have different numbers of repeats
    score: FloatArray  # NaN or None: the row has no score

    def __post_init__(self) -> None:
        for name, kind in zip(
            ("question_id", "document_id", "sample", "score"), (str, str, np.int64, float), strict=True
        ):
            object.__setattr__(self, name, np.asarray(getattr(self, name), dtype=kind).reshape(-1))
        lengths = [len(self.question_id), len(self.document_id), len(self.sample), len(self.score)]
        if len(set(lengths)) > 1:
            raise ContractError(f"Columns of scores have {lengths} rows. Give one value of each per answer.")
        repeated = [key for key, n in Counter(self._keys(slice(None))).items() if n > 1]
        _refuse(repeated, "(question, sample) pair(s) stand twice", "Number the repeats 0, 1, 2 …")
        _refuse(self._keys(np.isinf(self.score)), "infinite score(s)", "Leave what could not be scored empty")

    def refuse_outside(self, low: float, high: float) -> None:
        """Raise `ContractError` naming the rows whose score is not in [low, high]."""
        outside = self._keys((self.score < low) | (self.score > high))
        _refuse(outside, f"score(s) outside [{low!r}, {high!r}]", "Mend the scorer or the metric's low and high")

    def _keys(self, rows: NDArray[np.bool_] | slice) -> list[tuple[str, int]]:
        return list(zip(self.question_id[rows].tolist(), self.sample[rows].tolist(), strict=True))


def _refuse(keys: list[tuple[str, int]], what: str, action: str) -> None:
    if keys:
        raise ContractError(f"{len(keys)} {what}: (question, sample) {first_three(keys)}. {action}.")


@dataclass(frozen=True, eq=False)
class Items:
    """Questions that can be compared, with their means in both releases."""

    baseline: FloatArray
    candidate: FloatArray
    document: IntArray  # number of the question's document, 0 … n_documents - 1
    n_documents: int
    n_missing: int  # questions the candidate left unanswered, wholly or in one of its samples
    n_expected: int  # questions with a baseline score, which the candidate was to answer


def align(baseline: Scores, candidate: Scores, *, worst: float | None) -> Items:
    """Pair the releases by question; no items when they share none.

    Args:
        baseline: Scores of the release in production, usually several samples per question.
        candidate: Scores of the release on trial; questions unknown to the baseline are ignored.
        worst: What a missing candidate score counts as; None drops it (it is counted either way).

    Raises:
        ContractError: A question belongs to two documents.
    """
    scored = ~np.isnan(baseline.score)
    questions, code = np.unique(baseline.question_id[scored], return_inverse=True)
    before = _means(code, baseline.score[scored], len(questions))
    known = np.isin(candidate.question_id, questions)
    code, score = np.searchsorted(questions, candidate.question_id[known]), candidate.score[known]
    missing = np.bincount(code, minlength=len(questions)) == 0
    missing[code[np.isnan(score)]] = True
    if worst is None or not known.any():
        answered = ~np.isnan(score)
        after = _means(code[answered], score[answered], len(questions))
    else:
        after = _means(code, np.nan_to_num(score, nan=worst), len(questions), empty=worst)
    # What only the rounding of means made is no difference; at zero spread it would be "significant".
    after = np.where(np.isclose(after, before, rtol=8 * np.finfo(float).eps, atol=0), before, after)
    kept = ~np.isnan(after)
    names, document = np.unique(_documents(questions[kept], baseline, candidate), return_inverse=True)
    return Items(before[kept], after[kept], document, len(names), int(missing.sum()), len(questions))


def _means(code: IntArray, score: FloatArray, n: int, *, empty: float = np.nan) -> FloatArray:
    counts = np.bincount(code, minlength=n)
    totals = np.bincount(code, weights=score, minlength=n)
    return np.where(counts > 0, totals / np.maximum(counts, 1), empty)


def _documents(questions: TextArray, *sides: Scores) -> TextArray:
    """Return each question's document, or a name of its own where it has none."""
    owner: dict[str, str] = {}
    torn = set()
    for side in sides:
        for question, document in zip(side.question_id.tolist(), side.document_id.tolist(), strict=True):
            if owner.setdefault(question, document) != document:
                torn.add(question)
    if torn:
        named = first_three(sorted(torn))
        raise ContractError(f"{len(torn)} question(s) belong to two documents: {named}. Score both on one test set.")
    return np.array([owner[q] or f"question\x1f{q}" for q in questions.tolist()], dtype=str)

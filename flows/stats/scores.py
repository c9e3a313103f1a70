"""Pair two releases' scores question by question, so that nothing unanswered gets lost.

A question is one item: its value is the mean over its samples. What the candidate left unscored,
row or whole question, is counted and, where a worst score exists, takes it; a baseline sample
without a score says nothing and is dropped. Questions about one document are not independent, so
each item remembers its document (Miller 2024, arXiv:2411.00640).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from flows.core.errors import ContractError, first_three

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.intp]
TextArray = NDArray[np.str_]


@dataclass(frozen=True, eq=False)
class Scores:
    """Scores of one release on one metric, one row per (question, sample).

    Args:
        question_id: Which question.
        document_id: The document it is about; empty where there is none (the question then stands alone).
        sample: Number of the repeat; baseline and candidate may have different numbers of repeats.
        score: The value; NaN or None means that the row has no score.

    Raises:
        ContractError: Lengths differ, a score is infinite, or a (question, sample) stands twice.
    """

    question_id: TextArray
    document_id: TextArray
    sample: NDArray[np.int64]
    score: FloatArray

    def __post_init__(self) -> None:
        for name, kind in (
            ("question_id", str),
            ("document_id", str),
            ("sample", np.int64),
            ("score", float),
        ):
            object.__setattr__(self, name, np.asarray(getattr(self, name), dtype=kind).reshape(-1))
        lengths = [len(self.question_id), len(self.document_id), len(self.sample), len(self.score)]
        if len(set(lengths)) > 1:
            raise ContractError(f"Columns of scores have {lengths} rows. Give one value of each per answer.")
        self._refuse(np.isinf(self.score), "infinite score(s)", "Leave what could not be scored empty")
        self._refuse(self._repeated(), "row(s) repeat a (question, sample)", "Number the repeats 0, 1, 2 …")

    def refuse_outside(self, low: float, high: float) -> None:
        """Raise `ContractError` naming the questions whose score is not in [low, high]."""
        outside = (self.score < low) | (self.score > high)
        self._refuse(
            outside, f"score(s) outside [{low!r}, {high!r}]", "Mend the scorer or the metric's low and high"
        )

    def _repeated(self) -> NDArray[np.bool_]:
        repeated = np.zeros(len(self.score), dtype=bool)
        order = np.lexsort((self.sample, self.question_id))
        question, sample = self.question_id[order], self.sample[order]
        repeated[order[1:]] = (question[1:] == question[:-1]) & (sample[1:] == sample[:-1])
        return repeated

    def _refuse(self, rows: NDArray[np.bool_], what: str, action: str) -> None:
        if rows.any():
            keys = [(str(self.question_id[i]), int(self.sample[i])) for i in np.flatnonzero(rows)[:4]]
            keys += [("", 0)] * (int(rows.sum()) - len(keys))
            raise ContractError(f"{len(keys)} {what} at (question, sample) {first_three(keys)}. {action}.")


@dataclass(frozen=True, eq=False)
class Items:
    """Questions that can be compared, with their means in both releases.

    Args:
        baseline: Mean baseline score per question.
        candidate: Mean candidate score per question.
        document: Number of the question's document, 0 … n_documents - 1.
        n_documents: Documents among these questions.
        n_missing: Questions the candidate left unanswered, wholly or in one of its samples.
        n_expected: Questions with a baseline score, which the candidate was to answer.
    """

    baseline: FloatArray
    candidate: FloatArray
    document: IntArray
    n_documents: int
    n_missing: int
    n_expected: int


def align(baseline: Scores, candidate: Scores, *, worst: float | None) -> Items:
    """Pair the releases by question.

    Args:
        baseline: Scores of the release in production, usually several samples per question.
        candidate: Scores of the release on trial; questions unknown to the baseline are ignored.
        worst: What a missing candidate score counts as; None drops it (it is counted either way).

    Returns:
        One item per comparable question; no items when the releases share no question.

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
        raise ContractError(
            f"{len(torn)} question(s) belong to two documents: {first_three(sorted(torn))}. "
            "Score both releases on one version of the test set."
        )
    return np.array([owner[q] or f"question\x1f{q}" for q in questions.tolist()], dtype=str)

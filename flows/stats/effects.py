"""Estimate how much better or worse a candidate release is, with honest uncertainty.

Differences are taken per question and summed per document; the standard error is robust to
documents (Cameron & Miller 2015), bounds come from Student's t. Bounded metrics get two pseudo
documents, one up and one down ("add two": Agresti & Min 2005, Bonett & Price 2012), without which
intervals of near-deterministic answers collapse to zero width. Cost and latency totals are compared
by the logarithm of their ratio, linearised. Above zero always means that the candidate is better.
"""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from scipy import special

from flows.core.errors import ParamsError
from flows.stats.scores import Items, Scores, align

__all__ = ["Effect", "MetricKind", "MetricSpec", "Scores", "absolute_effect", "paired_effect", "student_t"]

MetricKind = Literal["bounded", "unbounded", "ratio"]


@dataclass(frozen=True, kw_only=True)
class MetricSpec:
    """How one metric is read and how much of it may be lost.

    Raises:
        ParamsError: Unknown kind, bad range or negative margin.
    """

    kind: MetricKind  # `bounded`: scores in [low, high]; `unbounded`: anywhere; `ratio`: totals are compared
    low: float = -np.inf  # smallest possible score; must be given for `bounded`
    high: float = np.inf  # largest possible score; likewise
    higher_is_better: bool = True  # False for cost, latency, error rates
    margin: float  # tolerated loss >= 0 in score units; natural log for `ratio` (+10 % = ln 1.10 = 0.0953)

    def __post_init__(self) -> None:
        if self.kind not in ("bounded", "unbounded", "ratio"):
            raise ParamsError(f"kind {self.kind!r} does not exist. Use 'bounded', 'unbounded' or 'ratio'.")
        if not 0 <= self.margin < np.inf:
            raise ParamsError(f"margin {self.margin!r} is below 0 or no number. Give the loss you tolerate.")
        finite = self.kind != "bounded" or np.isfinite([self.low, self.high]).all()
        if not (finite and self.low < self.high):
            raise ParamsError(f"{self.kind!r} metric with range {self.low!r}..{self.high!r}. Give low < high.")

    @property
    def sign(self) -> int:
        """+1 where more is better, -1 where less is."""
        return 1 if self.higher_is_better else -1

    @property
    def worst(self) -> float | None:
        """What an unanswered question scores; None where there is no worst score."""
        return (self.low if self.higher_is_better else self.high) if self.kind == "bounded" else None


@dataclass(frozen=True)
class Effect:
    """Candidate minus baseline, above zero = better; NaN numbers where `problem` says why not."""

    n_questions: int  # questions compared
    n_documents: int  # documents they are about, the units that count as independent
    n_missing: int  # questions the candidate left unanswered, wholly or in one sample
    n_expected: int  # questions the candidate was to answer
    baseline_mean: float = np.nan  # mean over questions, in the metric's own units and direction
    candidate_mean: float = np.nan  # likewise; an unanswered question of a bounded metric counts as worst
    effect: float = np.nan  # oriented difference as observed (log ratio of totals for `ratio`)
    center: float = np.nan  # the same after the add-two correction, the middle of the interval
    se: float = np.nan  # standard error of `center`
    df: int = 0  # degrees of freedom of Student's t
    lower: float = np.nan  # one-sided bound at 1 - alpha: hardly worse than this
    upper: float = np.nan  # one-sided bound at 1 - alpha: hardly better than this
    p_worse: float = np.nan  # small = shown to be worse than the baseline
    p_noninferior: float = np.nan  # small = shown not to be worse by the margin or more
    problem: str = ""  # `no_common_questions`, `one_document`, `non_positive_total`, `not_evaluated`


def paired_effect(baseline: Scores, candidate: Scores, spec: MetricSpec, *, alpha: float) -> Effect:
    """Estimate candidate minus baseline with document-clustered uncertainty.

    Args:
        baseline: One row per (question, sample).
        candidate: Likewise; missing questions and scores are counted, not ignored.
        spec: The metric's kind, range, direction and margin.
        alpha: One-sided error of each bound, such as 0.05.

    Returns:
        The effect; with `problem` set and NaN numbers where the data cannot tell anything.

    Raises:
        ContractError: Scores outside the metric's range, or a question with two documents.
    """
    baseline.refuse_outside(spec.low, spec.high)
    candidate.refuse_outside(spec.low, spec.high)
    items = align(baseline, candidate, worst=spec.worst)
    return _effect(items, spec, alpha, binary=_is_binary(spec, baseline, candidate))


def absolute_effect(
    candidate: Scores, spec: MetricSpec, *, limit: float, side: Literal["at_least", "at_most"], alpha: float
) -> Effect:
    """Estimate how far a metric stays on the right side of a guardrail's limit.

    The constant `limit` takes the baseline's place and the margin is 0: a pass means "shown to be
    inside", a fail "shown to be outside".

    Args:
        candidate: A row for every question that was asked; an unanswered one stands there as NaN.
        spec: The metric; its margin and direction play no part.
        limit: Smallest (side `at_least`) or largest (`at_most`) mean that is allowed, in score units.
        side: On which side of the limit the mean must lie.
        alpha: One-sided error of each bound.
    """
    guarded = replace(spec, margin=0.0, higher_is_better=side == "at_least")
    constant = replace(candidate, score=np.full(len(candidate.score), limit))
    constant.refuse_outside(spec.low, spec.high)
    candidate.refuse_outside(spec.low, spec.high)
    items = align(constant, candidate, worst=guarded.worst)
    # The limit is no score: were it to vote, ten out of ten would look like a narrow interval.
    return _effect(items, guarded, alpha, binary=_is_binary(spec, candidate))


def student_t(center: float, se: float, df: float) -> float:
    """Return P(T <= center / se) for Student's t; a step at zero when `se` is zero."""
    if se > 0:
        return float(special.stdtr(df, center / se))
    return 1.0 if center >= 0 else 0.0


def _is_binary(spec: MetricSpec, *sides: Scores) -> bool:
    return all(bool((np.isnan(s.score) | np.isin(s.score, (spec.low, spec.high))).all()) for s in sides)


def _effect(items: Items, spec: MetricSpec, alpha: float, *, binary: bool) -> Effect:
    counts = Effect(len(items.baseline), items.n_documents, items.n_missing, items.n_expected)
    if not counts.n_questions:
        return replace(counts, problem="no_common_questions")
    means = float(items.baseline.mean()), float(items.candidate.mean())
    seen = replace(counts, baseline_mean=means[0], candidate_mean=means[1])
    if spec.kind == "ratio" and min(means) <= 0:
        return replace(seen, problem="non_positive_total")
    raw, center, se, df = _estimate(items, spec, binary)
    if df == 0:
        return replace(seen, effect=raw, problem="one_document")
    reach = float(special.stdtrit(df, 1 - alpha)) * se
    seen = replace(seen, effect=raw, center=center, se=se, df=df, lower=center - reach, upper=center + reach)
    p_worse, p_noninferior = student_t(center, se, df), student_t(-center - spec.margin, se, df)
    return replace(seen, p_worse=p_worse, p_noninferior=p_noninferior)


def _estimate(items: Items, spec: MetricSpec, binary: bool) -> tuple[float, float, float, int]:
    """Return the raw effect, its add-two correction, the standard error and the degrees of freedom."""
    d = spec.sign * (items.candidate - items.baseline) + 0.0  # no -0.0
    sums, sizes = np.bincount(items.document, weights=d), np.bincount(items.document).astype(float)
    if spec.kind == "bounded":
        widest = np.abs(d).max()
        w = spec.high - spec.low if binary or widest == 0 else widest
        sums, sizes = np.append(sums, [w, -w]), np.append(sizes, [1.0, 1.0])
    raw, center = float(d.mean()), float(sums.sum() / sizes.sum())
    residuals = (sums - center * sizes) / sizes.sum()
    if spec.kind == "ratio":
        before, after = (np.bincount(items.document, weights=mean) for mean in (items.baseline, items.candidate))
        raw = center = spec.sign * float(np.log(after.sum() / before.sum())) + 0.0
        residuals = after / after.sum() - before / before.sum()
    df = len(residuals) - 1
    return raw, center, float(np.sqrt((df + 1) / df * np.sum(residuals**2))) if df else 0.0, df

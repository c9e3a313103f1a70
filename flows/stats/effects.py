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
from flows.stats.scores import FloatArray, Items, Scores, align

__all__ = ["Effect", "MetricKind", "MetricSpec", "Scores", "absolute_effect", "paired_effect", "student_t"]

MetricKind = Literal["bounded", "unbounded", "ratio"]


@dataclass(frozen=True, kw_only=True)
class MetricSpec:
    """How one metric is read and how much of it may be lost.

    Args:
        kind: `bounded` scores lie in [low, high]; `unbounded` ones anywhere; `ratio` compares totals.
        margin: The loss that is tolerated, above or at 0; score units, or natural log units for `ratio`
            (ln 1.10 = 0.0953 for +10 %).
        low: Smallest possible score; must be given for `bounded`.
        high: Largest possible score; likewise.
        higher_is_better: False for cost, latency, error rates.

    Raises:
        ParamsError: Unknown kind, bad range or negative margin.
    """

    kind: MetricKind
    low: float = -np.inf
    high: float = np.inf
    higher_is_better: bool = True
    margin: float

    def __post_init__(self) -> None:
        if self.kind not in ("bounded", "unbounded", "ratio"):
            raise ParamsError(f"kind {self.kind!r} does not exist. Use 'bounded', 'unbounded' or 'ratio'.")
        if not 0 <= self.margin < np.inf:
            raise ParamsError(f"margin {self.margin!r} is below 0 or no number. Give the loss you tolerate.")
        finite = self.kind != "bounded" or np.isfinite([self.low, self.high]).all()
        if not (finite and self.low < self.high):
            raise ParamsError(
                f"{self.kind} metric with low={self.low!r}, high={self.high!r}. Give low < high."
            )

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
    """Candidate minus baseline, oriented so that above zero is better.

    Args:
        n_questions: Questions compared.
        n_documents: Documents they are about, the units that count as independent.
        n_missing: Questions the candidate left unanswered, wholly or in one sample.
        n_expected: Questions the candidate was to answer.
        baseline_mean: Mean over questions, in the metric's own units and direction.
        candidate_mean: Likewise; an unanswered question of a bounded metric counts as worst.
        effect: Oriented difference as observed (log ratio of totals for `ratio`).
        center: The same after the add-two correction, the middle of the interval.
        se: Standard error of `center`.
        df: Degrees of freedom of Student's t; 0 when nothing can be said.
        lower: One-sided bound at 1 - alpha: it is hardly worse than this.
        upper: One-sided bound at 1 - alpha: it is hardly better than this.
        p_worse: Evidence against "not worse than the baseline"; small = worse.
        p_noninferior: Evidence against "worse by the margin or more"; small = good enough.
        problem: Why nothing can be said: `no_common_questions`, `one_document`,
            `non_positive_total`; empty otherwise.
    """

    n_questions: int
    n_documents: int
    n_missing: int
    n_expected: int
    baseline_mean: float = np.nan
    candidate_mean: float = np.nan
    effect: float = np.nan
    center: float = np.nan
    se: float = np.nan
    df: int = 0
    lower: float = np.nan
    upper: float = np.nan
    p_worse: float = np.nan
    p_noninferior: float = np.nan
    problem: str = ""

    @property
    def missing_share(self) -> float:
        """Share of the expected questions that lack an answer, 0 … 1."""
        return self.n_missing / self.n_expected if self.n_expected else 1.0


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
    for side in (baseline, candidate):
        side.refuse_outside(spec.low, spec.high)
    items = align(baseline, candidate, worst=spec.worst)
    return _effect(items, spec, alpha, binary=_is_binary(spec, baseline, candidate))


def absolute_effect(
    candidate: Scores, spec: MetricSpec, *, limit: float, side: Literal["at_least", "at_most"], alpha: float
) -> Effect:
    """Estimate how far a metric stays on the right side of a guardrail's limit.

    The constant `limit` takes the baseline's place and the margin is 0, so that a passing verdict
    means "shown to be inside" and a failing one "shown to be outside".

    Args:
        candidate: Rows for every question that was asked; an unanswered one stands there as NaN.
        spec: The metric; direction and margin are those of the guardrail instead.
        limit: Smallest (`at_least`) or largest (`at_most`) mean that is allowed.
        side: On which side of the limit the mean must lie.
        alpha: One-sided error of each bound.
    """
    guarded = replace(spec, margin=0.0, higher_is_better=side == "at_least")
    constant = replace(candidate, score=np.full(len(candidate.score), limit))
    for scores in (candidate, constant):
        scores.refuse_outside(spec.low, spec.high)
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
    seen = replace(counts, baseline_mean=items.baseline.mean(), candidate_mean=items.candidate.mean())
    if spec.kind == "ratio" and min(seen.baseline_mean, seen.candidate_mean) <= 0:
        return replace(seen, problem="non_positive_total")
    raw, center, se, df = (
        _log_ratio(items, spec) if spec.kind == "ratio" else _difference(items, spec, binary)
    )
    if df == 0:
        return replace(seen, effect=raw, problem="one_document")
    reach = float(special.stdtrit(df, 1 - alpha)) * se
    return replace(
        seen,
        effect=raw,
        center=center,
        se=se,
        df=df,
        lower=center - reach,
        upper=center + reach,
        p_worse=student_t(center, se, df),
        p_noninferior=student_t(-center - spec.margin, se, df),
    )


def _difference(items: Items, spec: MetricSpec, binary: bool) -> tuple[float, float, float, int]:
    """Return raw difference, corrected difference, its standard error and degrees of freedom."""
    d = spec.sign * (items.candidate - items.baseline) + 0.0  # no -0.0
    sums = np.bincount(items.document, weights=d)
    sizes = np.bincount(items.document).astype(float)
    if spec.kind == "bounded":
        widest = np.abs(d).max()
        w = spec.high - spec.low if binary or widest == 0 else widest
        sums, sizes = np.append(sums, [w, -w]), np.append(sizes, [1.0, 1.0])
    center = float(sums.sum() / sizes.sum())
    return float(d.mean()), center, _cluster_se((sums - center * sizes) / sizes.sum()), len(sums) - 1


def _log_ratio(items: Items, spec: MetricSpec) -> tuple[float, float, float, int]:
    baseline = np.bincount(items.document, weights=items.baseline)
    candidate = np.bincount(items.document, weights=items.candidate)
    log_ratio = spec.sign * float(np.log(candidate.sum() / baseline.sum())) + 0.0
    residuals = candidate / candidate.sum() - baseline / baseline.sum()
    return log_ratio, log_ratio, _cluster_se(residuals), len(residuals) - 1


def _cluster_se(residuals: FloatArray) -> float:
    n = len(residuals)
    return float(np.sqrt(n / (n - 1) * np.sum(residuals**2))) if n > 1 else 0.0

"""Use a judge's cheap scores without inheriting its bias.

People's labels of a sample correct the judge's mean over everything (PPI++, Angelopoulos et al. 2023,
arXiv:2311.01453); Cohen's kappa (1960, weighted 1968) says whether it agrees with them beyond chance.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from flows.core.errors import ContractError
from flows.stats.scores import FloatArray


@dataclass(frozen=True)
class JudgePolicy:
    """When a judge may pass or block a release."""

    labels_min: int = 50  # answers labelled by people
    kappa_min: float = 0.4  # agreement with them

    def may_gate(self, labels: int, kappa: float, lower: float) -> bool:
        """Say whether the judge may decide: kappa suffices and its bound `lower` is above chance; NaN never is."""
        return labels >= self.labels_min and kappa >= self.kappa_min and lower > 0


@dataclass(frozen=True)
class PpiMean:
    """A mean corrected by human labels; bounds by Student's t with `df`."""

    estimate: float  # in the labels' units
    se: float
    df: int  # labels - 1
    weight: float  # trust in the judge (lambda), 0 … 1; 0 = the labels alone
    label_gain: float  # as if there were so many times as many labels


def ppi_mean(labels: FloatArray, judged: FloatArray, unlabelled: FloatArray) -> PpiMean:
    """Return the mean human score of all answers from a few labels and many judgements.

    Args:
        labels: Human scores, (n,); for the gate, paired differences.
        judged: The judge's scores of the same answers, (n,).
        unlabelled: The judge's scores of other answers from the same source, (N,); may be empty.

    Raises:
        ContractError: Fewer than two labels, unequal lengths, or a value that is missing.
    """
    n, more = len(labels), len(unlabelled)
    every = np.concatenate([judged, unlabelled])
    if n < 2 or len(judged) != n or not (np.isfinite(every).all() and np.isfinite(labels).all()):
        raise ContractError(f"{n} labels, {len(judged)} judgements of them. Give two or more of each, none empty.")
    spread = float(np.var(every, ddof=1)) if more > 1 else 0.0
    weight = float(np.clip(np.cov(labels, judged)[0, 1] / ((1 + n / more) * spread), 0, 1)) if spread else 0.0
    corrected = labels - weight * judged
    alone, variance = float(np.var(labels, ddof=1)) / n, float(np.var(corrected, ddof=1)) / n
    estimate = float(np.mean(corrected))
    if weight:
        estimate += weight * float(np.mean(unlabelled))
        variance += weight**2 * float(np.var(unlabelled, ddof=1)) / more
    return PpiMean(estimate, variance**0.5, n - 1, weight, alone / variance if variance else 1.0)


def cohen_kappa(first: Sequence[object], second: Sequence[object], *, ordinal: bool = False) -> float:
    """Return agreement beyond chance: 1 full, 0 chance, NaN with one category; `ordinal` weighs by squared distance.

    Raises:
        ContractError: No answers, or not the same number from both.
    """
    if len(first) != len(second) or not first:
        raise ContractError(f"{len(first)} and {len(second)} labels. Give both raters' labels of the same answers.")
    if ordinal:
        a, b = np.asarray(first, dtype=float), np.asarray(second, dtype=float)
        apart, chance = float(np.mean((a - b) ** 2)), float(a.var() + b.var() + (a.mean() - b.mean()) ** 2)
    else:
        theirs = Counter(second)
        apart = float(np.mean([x != y for x, y in zip(first, second, strict=True)]))
        chance = 1 - sum(n * theirs[label] for label, n in Counter(first).items()) / len(first) ** 2
    return 1 - apart / chance if chance else float("nan")

"""Say before paying what an evaluation of a given size can find out.

A real regression sits in some of the documents, so it adds variance of its own: plans made with the
variance of an unchanged release promise 80 % power and deliver 47-71 %. The worst case takes the
largest variance a drop d can have, d (range - d), and its clumping in a share of the documents.
"""

from dataclasses import dataclass
from math import ceil, sqrt

from scipy import special

from flows.core.errors import ParamsError


@dataclass(frozen=True)
class Design:
    """Size and noise of an evaluation.

    Raises:
        ParamsError: A size that no evaluation can have.
    """

    questions: int  # asked of both releases
    documents: int  # what they are about
    sd: float  # of a question's paired difference between unchanged releases, in score units
    deff: float = 1.0  # design effect of the documents on an unchanged release's variance
    score_range: float = 1.0  # high - low of the metric
    broken_share: float = 0.4  # share of the documents in which a regression sits

    def __post_init__(self) -> None:
        if not (2 <= self.documents <= self.questions and self.sd >= 0 and 0 < self.broken_share <= 1):
            raise ParamsError(f"{self!r} is impossible. Give two or more documents, at most one per question.")

    @property
    def clumping(self) -> float:
        """What a drop's square adds to the variance because it hits whole documents."""
        return (self.questions / self.documents - 1) * (1 - self.broken_share) / self.broken_share

    def variance(self, drop: float) -> float:
        """Return the variance of a question's difference when the release is worse by `drop`."""
        clumped = drop * (self.score_range - drop) + self.clumping * drop**2
        return self.sd**2 * self.deff + clumped


def detectable_drop(design: Design, *, alpha: float = 0.05, power: float = 0.8) -> tuple[float, float | None]:
    """Return the drop that fails with chance `power`: if it adds no variance, and in the worst case.

    The worst case solves d = (t_{1-alpha} + t_power) sqrt(variance(d) / questions), quadratic in d;
    None means that no drop is found so surely. Both in score units.
    """
    df = design.documents - 1
    reach = float(special.stdtrit(df, 1 - alpha) + special.stdtrit(df, power))
    square = design.questions / reach**2 + 1 - design.clumping
    root = sqrt(max(design.score_range**2 + 4 * square * design.variance(0.0), 0.0))
    worst = (design.score_range + root) / (2 * square) if square > 0 else design.score_range
    same = reach * sqrt(design.variance(0.0) / design.questions)
    return same, worst if worst < design.score_range else None


def pass_power(design: Design, margin: float, *, drop: float = 0.0, alpha: float = 0.05) -> float:
    """Return the chance that the gate passes a release that is worse by `drop` (0 = unchanged).

    `margin` and `drop` are in score units; add-two is reckoned with its full range, as for binary scores.
    """
    n, g = design.questions + 2, design.documents + 2
    total = design.questions * design.variance(drop) + 2 * design.score_range**2
    se = sqrt(g / (g - 1) * total) / n
    ahead = (margin - drop * design.questions / n) / se
    return float(special.stdtr(g - 1, ahead - special.stdtrit(g - 1, 1 - alpha)))


def baseline_samples(within_sd: float, questions: int, margin: float, *, samples_min: int = 4) -> int:
    """Return how often to ask the frozen baseline each question: 9 sd^2 / (questions margin^2) or more."""
    return max(samples_min, ceil(9 * within_sd**2 / (questions * margin**2)))

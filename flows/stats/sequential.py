"""Look early at a paid evaluation without raising its error rate.

Group-sequential looks after fixed shares of the documents, in a random order drawn before the run.
The error spent by share t is alpha * t**2 (Kim & DeMets 1987); the level of each look follows from
the recursion over Brownian motion (Lan & DeMets 1983; Jennison & Turnbull 2000). Both bounds of an
effect use the same level: call the gate with `alpha=look_levels(...)[k]`.
"""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from scipy import special

from flows.core.errors import ParamsError

LOOKS = (0.25, 0.5, 0.75, 1.0)
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(200)
_REACH_SD = 9.0  # beyond this many standard deviations lies less than double precision can add


def look_levels(fractions: Sequence[float] = LOOKS, alpha: float = 0.05) -> tuple[float, ...]:
    """Return the one-sided level of each look; the last at 1.0 has spent exactly `alpha`.

    Args:
        fractions: Shares of the documents seen at the looks, increasing, in (0, 1].
        alpha: One-sided error of the whole run.

    Raises:
        ParamsError: Shares that do not increase within (0, 1].
    """
    limits = boundaries(tuple(fractions), tuple(alpha * t**2 for t in fractions))
    return tuple(float(special.ndtr(-z)) for z in limits)


@lru_cache(maxsize=64)
def boundaries(fractions: tuple[float, ...], spent: tuple[float, ...]) -> tuple[float, ...]:
    """Return the z of each look that no change crosses with the cumulative chance `spent`."""
    from scipy.optimize import brentq

    if not fractions or np.any(np.diff([0.0, *fractions]) <= 0) or fractions[-1] > 1:
        raise ParamsError(f"Looks at shares {fractions!r}. Give increasing shares in (0, 1].")
    limits: list[float] = []
    points, mass = np.zeros(1), np.ones(1)  # where the runs that go on are, and how likely
    for t, before, chance in zip(fractions, (0.0, *fractions), np.diff([0.0, *spent]), strict=False):
        sd = np.sqrt(t - before)
        limit = brentq(lambda b: mass @ special.ndtr((points - b) / sd) - chance, -_REACH_SD, _REACH_SD)  # noqa: B023
        limits.append(float(limit / np.sqrt(t)))
        low = -_REACH_SD * np.sqrt(t)
        new = low + (limit - low) * (_NODES + 1) / 2
        steps = np.exp(-(((new[:, None] - points) / sd) ** 2) / 2) / (sd * np.sqrt(2 * np.pi))
        points, mass = new, (steps @ mass) * _WEIGHTS * (limit - low) / 2
    return tuple(limits)


def document_looks(documents: Sequence[str], fractions: Sequence[float], seed: int) -> list[list[str]]:
    """Return the documents that are new at each look, in a random order fixed by `seed`."""
    order = np.random.default_rng(seed).permutation(sorted(set(documents))).tolist()
    ends = [round(share * len(order)) for share in fractions]
    return [order[start:end] for start, end in zip([0, *ends], ends, strict=False)]

"""How sure a scenario's cost is, from how much the logged days differ.

Calls of one day, or of one conversation, are alike, so whole clusters are what varies: the interval of a mean day is
Student's t over the days' sums; that of the change is the linearised ratio estimator over clusters (Cochran 1977,
chapter 6). It holds for traffic like the logged one and knows nothing of growth, which is the forecast's matter.
"""

from math import sqrt
from typing import TYPE_CHECKING

import numpy as np

from flows.forecast.series import FloatArray

if TYPE_CHECKING:
    import pandas as pd

DAYS_MIN = 8  # with fewer, conversations are the clusters
LEVEL = 0.975  # of each end of a 95 % interval
Ends = tuple[float, float] | None


def mean_day(costs: FloatArray, calls: "pd.DataFrame") -> Ends:
    """Return the 95 % interval of the cost of a day with calls; None with fewer than two."""
    sums = _sums(costs, calls["started_at"].dt.floor("D"))
    if len(sums) < 2:
        return None
    reach = _t(len(sums)) * float(sums.std(ddof=1)) / sqrt(len(sums))
    return max(0.0, float(sums.mean()) - reach), float(sums.mean()) + reach


def change(costs: FloatArray, before: FloatArray, calls: "pd.DataFrame") -> Ends:
    """Return the 95 % interval of the relative change of the cost; None with fewer than two clusters."""
    clusters = clusters_of(calls)
    after, base = _sums(costs, clusters), _sums(before, clusters)
    number, total = len(base), float(base.sum())
    if number < 2 or not total:
        return None
    ratio = float(after.sum()) / total
    rest = after - ratio * base
    reach = _t(number) * sqrt(number / (number - 1) * float(rest @ rest)) / total
    return ratio - 1 - reach, ratio - 1 + reach


def clusters_of(calls: "pd.DataFrame") -> "pd.Series[str]":
    """Return the day of each call, or with few days its conversation (a call without one is its own)."""
    days = calls["started_at"].dt.strftime("%Y-%m-%d")
    return days if days.nunique() >= DAYS_MIN else calls["conversation_id"].fillna(calls["call_id"])


def _sums(costs: FloatArray, clusters: "pd.Series[str]") -> FloatArray:
    import pandas as pd

    return np.asarray(pd.Series(costs).groupby(clusters.to_numpy()).sum(), dtype=np.float64)


def _t(clusters: int) -> float:
    from scipy import special

    return float(special.stdtrit(clusters - 1, LEVEL)) if clusters > 1 else float(np.inf)

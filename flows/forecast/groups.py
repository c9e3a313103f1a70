"""Sum the forecast by use case, model and token type, bottom-up, each sum with an interval of its own.

The mean is the sum of the series; the interval comes from the group's own past errors, as for the total: the sum of the
series' bounds would be a third too wide (research, statistics §5).
"""

from typing import Any

import numpy as np

from flows.forecast.intervals import bounds
from flows.forecast.outlook import Outlook, errors_of
from flows.forecast.params import ForecastParams
from flows.forecast.series import BoolArray

PARTS = ("use_case", "model", "token_type")
USD_DIGITS = 6


def by_part(outlook: Outlook, params: ForecastParams) -> list[dict[str, Any]]:
    """Return `by`, `name`, `mean`, `lower_80`, … over the horizon, in cost; largest first within each part.

    Args:
        outlook: Its series are called `<use_case>/<model>/<token type>`; with other names there are no groups.
        params: Levels, and how intervals are learned.
    """
    if not all(name.count("/") >= len(PARTS) - 1 for name in outlook.usage.ids):
        return []
    names, index = np.unique(outlook.names, return_inverse=True)
    split = np.array([_parts(name) for name in names.tolist()])[index.reshape(outlook.names.shape)]
    found = []
    for part, label in enumerate(PARTS):
        labels = split[:, :, part]
        rows = [_group(outlook, label, name, labels == name, params) for name in np.unique(labels).tolist()]
        found += sorted((row for row in rows if row), key=lambda row: (-row["mean"], row["name"]))
    return found


def _parts(name: str) -> tuple[str, str, str]:
    use_case, _, rest = name.partition("/")
    model, _, token_type = rest.rpartition("/")
    return use_case, model, token_type


def _group(outlook: Outlook, by: str, name: str, here: BoolArray, params: ForecastParams) -> dict[str, Any]:
    """Return one group's row, or nothing when none of its series has a price."""
    here = here & outlook.priced[:, None]
    if not here.any():
        return {}
    mean = np.where(here, outlook.cost, 0.0).sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        price = np.nan_to_num(outlook.cost[:, 0] / outlook.amount[:, 0])
    weights = np.where(here.any(axis=1), price, 0.0)
    weights = weights if weights.any() else here.any(axis=1).astype(float)
    errors = errors_of(outlook.past.weighted(weights), params, cumulative=True)
    row: dict[str, Any] = {"by": by, "name": name, "mean": round(float(mean.sum()), USD_DIGITS)}
    for level in params.levels:
        sides = bounds(np.cumsum(mean)[None], errors, level, ratio_max=params.ratio_max)
        for side, bound in zip(("lower", "upper"), sides, strict=True):
            value = float(bound[0, -1])
            row[f"{side}_{level}"] = None if np.isnan(value) else round(value, USD_DIGITS)
    return row

"""What causes cost besides traffic: our own scheduled work, and sums that are planned.

Own work (nightly evaluation, above all) is no random series: it costs what its last run cost,
as often as it is scheduled. It is kept out of the traffic and added as a known amount.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from flows.forecast.costs import factors, one_off
from flows.forecast.params import Event
from flows.forecast.series import FloatArray

if TYPE_CHECKING:
    import pandas as pd

DAYS_PER_WEEK = 7
OWN_WORK = "own_work/"


@dataclass(frozen=True)
class Driver:
    """A known cost by day, (horizon,) in USD; NaN when its price is unknown."""

    unique_id: str
    driver: str
    cost: FloatArray


def own_work(
    runs_per_week: Mapping[str, float], cost_per_run: Mapping[str, float | None], days: "pd.DatetimeIndex",
    events: Sequence[Event] = (),
) -> list[Driver]:  # fmt: skip
    """Return the stages that have run and are scheduled, spread evenly over the week.

    Args:
        runs_per_week: By stage.
        cost_per_run: Cost of the last run by stage, None = unpriced; stages that never ran are absent.
        days: The days ahead.
        events: Those whose pattern begins with `own_work/` change it: a larger corpus or test set.
    """
    import pandas as pd

    found = []
    own = [event for event in events if event.series.startswith(OWN_WORK)]
    today = days[:1] - pd.Timedelta(days=1)
    for stage, runs in sorted(runs_per_week.items()):
        if stage in cost_per_run and runs > 0:
            each = cost_per_run[stage]
            a_day = np.nan if each is None else each * runs / DAYS_PER_WEEK
            name = [OWN_WORK + stage]
            change = factors(name, days, own)[0] / factors(name, today, own)[0]  # the last run knew today's
            found.append(Driver(name[0], stage, a_day * change))
    return found


def planned(events: Sequence[Event], days: "pd.DatetimeIndex") -> list[Driver]:
    """Return the events that cost a sum within the days ahead."""
    sums = [Driver(f"event/{event.name}", event.name, one_off(days, event)) for event in events]
    return [driver for driver in sums if driver.cost.any()]


def known_cost(drivers: Sequence[Driver], horizon: int) -> FloatArray:
    """Return the sum of the priced drivers by day, (horizon,)."""
    return np.sum([np.nan_to_num(driver.cost) for driver in drivers], axis=0) if drivers else np.zeros(horizon)

"""Notice days whose usage the forecast of the day before did not expect.

The detector is the project's e-CUSUM (`flows.stats.ecusum`) on one-day-ahead log errors, in both directions, with
the weeks before the watched days as reference. The budget of false alarms is shared by all series.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from flows.forecast.intervals import log_errors
from flows.forecast.outlook import Past
from flows.forecast.params import ForecastParams
from flows.stats.ecusum import AlarmPolicy, daily_z, drift

if TYPE_CHECKING:
    import pandas as pd

SATURDAY = 5


def alarms(past: Past, ids: Sequence[str], days: "pd.DatetimeIndex", params: ForecastParams) -> list[dict[str, Any]]:
    """Return the alarms of the newest days, oldest first.

    Args:
        past: Past forecasts of the series.
        ids: Their names.
        days: All days of the history.
        params: Watched and reference days, false alarms.

    Returns:
        `unique_id`, `ds`, `direction` (up, down) and `ratio` (actual over expected on that day). Nothing
        while a series has fewer errors than the reference needs.
    """
    policy = AlarmPolicy(days_per_false_alarm=params.days_per_false_alarm, reference_days=params.anomaly_reference_days)
    errors = log_errors(past.paths, past.actual, floor_share=params.floor_share, cumulative=False)[:, :, 0]
    newest = min(errors.shape[1], params.anomaly_watch_days + params.anomaly_reference_days)
    if newest <= params.anomaly_reference_days:
        return []
    watched = days[len(days) - newest :]
    weekend = (watched.day_of_week.to_numpy() >= SATURDAY).astype(float)
    found = []
    for name, row in zip(ids, errors[:, errors.shape[1] - newest :], strict=True):
        if (~np.isnan(row)).sum() <= params.anomaly_reference_days:
            continue
        z = daily_z(row, weekend, policy=policy, sd_min=params.anomaly_sd_min)
        for day, error, look in zip(watched, row, drift(z, channels=len(ids), policy=policy), strict=True):
            if look.alarm:
                up = look.log_e_up >= look.log_e_down
                direction = "up" if up else "down"
                found.append(
                    {
                        "unique_id": name,
                        "ds": f"{day:%Y-%m-%d}",
                        "direction": direction,
                        "ratio": round(float(np.exp(error)), 3),
                    }
                )
    return sorted(found, key=lambda alarm: (alarm["ds"], alarm["unique_id"]))


def said(alarms: Sequence[Mapping[str, Any]], shown: int = 5) -> list[str]:
    """Return the alarms as sentences, one per series and direction, the newest first; at most `shown` and a rest."""
    groups: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for alarm in alarms:
        groups.setdefault((alarm["unique_id"], alarm["direction"]), []).append(alarm)
    newest = sorted(groups.items(), key=lambda item: item[1][-1]["ds"], reverse=True)
    lines = [
        f"anomaly: {name} went {direction} on {rows[0]['ds']}, {rows[0]['ratio']:g} times what was expected that day"
        + (f" (alarms until {rows[-1]['ds']})" if len(rows) > 1 else "")
        for (name, direction), rows in newest[:shown]
    ]
    rest = len(groups) - len(lines)
    return [*lines, *([f"anomaly: {rest} more series"] if rest > 0 else [])]

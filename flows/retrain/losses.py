"""Say how many points a cause takes away: measured where an artifact says so, assumed elsewhere.

A point is a hundredth of quality on a scale of 0 to 1. Money is turned into points by
`value_usd_per_point_day`, so that every repair is weighed on one scale.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from flows.retrain.diagnosis import Finding
from flows.retrain.params import Cause, RetrainParams
from flows.retrain.signals import Signal, by_name
from flows.retrain.stored import ALARMS, VERDICT, Alarm, Stored

PERCENT = 100


@dataclass(frozen=True)
class Loss:
    """Points lost a day, and where the number comes from."""

    points: float
    source: Literal["measured", "assumed"]
    basis: str

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return asdict(self)


def losses(
    findings: Sequence[Finding], found: Sequence[Signal], stored: Stored, params: RetrainParams
) -> dict[Cause, Loss]:
    """Return the loss of every cause found."""
    return {finding.cause: _loss(finding.cause, found, stored, params) for finding in findings}


def _loss(cause: Cause, found: Sequence[Signal], stored: Stored, params: RetrainParams) -> Loss:
    known = by_name(found)
    quality, retrieval = known["quality_low"], known["retrieval_low"]
    if cause in ("cost_rise", "availability"):
        measured = _of_calls(cause, known, stored, params)
    elif quality.fired and quality.strength:
        measured = Loss(quality.strength * PERCENT, "measured", f"{VERDICT}: {quality.why}")
    elif cause == "stale_index" and retrieval.fired and retrieval.strength:
        measured = Loss(retrieval.strength * PERCENT, "measured", retrieval.evidence[0].file)
    else:
        measured = None
    return measured or Loss(params.points_assumed[cause], "assumed", f"retrain.points_assumed.{cause}")


def _of_calls(cause: Cause, known: dict[str, Signal], stored: Stored, params: RetrainParams) -> Loss | None:
    signal = known["error_rise" if cause == "availability" else "cost_rise"]
    alarms = _alarms(signal, stored)
    rise = sum(max(alarm.after - alarm.before, 0.0) for alarm in alarms)
    if not rise:
        return None
    if cause == "availability":
        return Loss(round(rise * PERCENT, 4), "measured", f"{ALARMS}: a failed answer loses every point")
    if stored.answers_per_day is None:
        return None
    usd_per_day = rise * stored.answers_per_day
    basis = f"{ALARMS}: {usd_per_day:.4g} USD a day more"
    return Loss(round(usd_per_day / params.value_usd_per_point_day, 4), "measured", basis)


def _alarms(signal: Signal, stored: Stored) -> list[Alarm]:
    keys = {item.key for item in signal.evidence}
    alarms = stored.monitor.alarms if stored.monitor and signal.fired else []
    return [alarm for place, alarm in enumerate(alarms) if f"alarms[{place}]" in keys]

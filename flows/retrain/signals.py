"""Turn stored data into signals: one named fact each, true, false, or not measured.

"Not measured" is never read as "fine": a missing file, a channel that still learns or a verdict
about a release that does not answer is None, and the proposal lists it. A signal's `window` names
the occasion by content (the alarm's day, the judged release, the chunks), so that the same occasion
is recognised whenever and however often it is looked at.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date, timedelta
from itertools import pairwise
from typing import Any

from flows.retrain.params import RetrainParams
from flows.retrain.stored import (
    ALARMS,
    METRICS,
    QUESTIONS,
    VERDICT,
    Alarm,
    Monitor,
    Stored,
)

ID_CHARS = 12
WATCHED: dict[str, tuple[str, tuple[str, ...], str | None]] = {
    # signal: (what its channels point to, the channels, the direction that matters; None = both)
    "output_drift": ("output", ("output_tokens", "refusal_share"), None),
    "input_drift": ("input", ("input_tokens",), None),
    "latency_rise": ("latency", ("latency_ms",), "rise"),
    "cost_rise": ("cost", ("cost_usd",), "rise"),
    "error_rise": ("availability", ("error_share",), "rise"),
}


@dataclass(frozen=True)
class Evidence:
    """Where a signal was read: file, key in it, and what stood there."""

    file: str
    key: str
    value: Any


@dataclass(frozen=True)
class Signal:
    """One fact.

    Args:
        name: Which.
        fired: Whether it asks for action; None = not measured.
        why: In words, without numbers of documents or people.
        since: Day it began, where a day is known.
        window: The occasion; empty when not fired.
        strength: Relative change, share or shortfall, from 0; None when not fired.
        evidence: What it was read from.
    """

    name: str
    fired: bool | None
    why: str
    since: date | None = None
    window: str = ""
    strength: float | None = None
    evidence: tuple[Evidence, ...] = field(default=())

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return asdict(self) | {
            "since": self.since and str(self.since),
            "evidence": [asdict(item) for item in self.evidence],
        }


def signals(stored: Stored, params: RetrainParams) -> list[Signal]:
    """Return every signal, fired or not, in a fixed order."""
    return [
        provider_changed(stored, params),
        *(drifted(name, stored, params) for name in WATCHED),
        retrieval_low(stored, params),
        index_behind(stored),
        questions_stale(stored, params),
        quality_low(stored, params),
    ]


def _watching(stored: Stored) -> Monitor | None:
    return stored.monitor if stored.monitor and stored.monitor.as_of else None


def _is_current(monitor: Monitor, params: RetrainParams) -> Callable[[date], bool]:
    """Return whether a day belongs to the episode that is not over yet.

    Alarms close to each other are one episode and become history together. Otherwise the oldest
    would leave first, and what is left of it would look like a new occasion.
    """
    days = sorted([alarm.day for alarm in monitor.alarms] + [change.day for change in monitor.provider_changes])
    if monitor.as_of is None or not days or days[-1] <= monitor.as_of - timedelta(days=params.recent_days):
        return lambda day: False
    apart = [later for earlier, later in pairwise(days) if later > earlier + timedelta(days=params.episode_gap_days)]
    start = apart[-1] if apart else days[0]
    return lambda day: day >= start


def provider_changed(stored: Stored, params: RetrainParams) -> Signal:
    """Fire when the provider serves another snapshot under a requested name."""
    name = "provider_changed"
    if (monitor := _watching(stored)) is None:
        return Signal(name, None, "no production calls were watched")
    is_current = _is_current(monitor, params)
    changes = [item for item in enumerate(monitor.provider_changes) if is_current(item[1].day)]
    if not changes:
        return Signal(name, False, "the same snapshots answer as before")
    last = max((change for _, change in changes), key=lambda change: change.day)
    evidence = tuple(
        Evidence(ALARMS, f"provider_changes[{number}]", change.request_model) for number, change in changes
    )
    why = f"{last.request_model} is answered by another snapshot since {last.day}"
    return Signal(name, True, why, last.day, str(last.day), last.share, evidence)


def drifted(name: str, stored: Stored, params: RetrainParams) -> Signal:
    """Fire when the last alarm of one of the signal's channels is recent and of the direction that matters."""
    points_to, channels, direction = WATCHED[name]
    if (monitor := _watching(stored)) is None:
        return Signal(name, None, "no production calls were watched")
    of_kind = [item for item in enumerate(monitor.alarms) if item[1].points_to == points_to]
    latest = {alarm.channel: (place, alarm) for place, alarm in sorted(of_kind, key=lambda item: item[1].day)}
    is_current = _is_current(monitor, params)
    alarms = [item for item in latest.values() if is_current(item[1].day) and direction in (None, item[1].direction)]
    if not alarms:
        learning = [channel for channel in channels if channel in monitor.learning]
        if learning:
            return Signal(name, None, f"still learning: {', '.join(learning)}")
        return Signal(name, False, "no recent alarm")
    evidence = tuple(
        Evidence(ALARMS, f"alarms[{place}]", [alarm.channel, alarm.before, alarm.after]) for place, alarm in alarms
    )
    first = min(alarm.day for _, alarm in alarms)
    why = ", ".join(f"{alarm.channel} {alarm.direction} noticed {alarm.day}" for _, alarm in alarms)
    return Signal(name, True, why, first, str(first), max(_size(alarm) for _, alarm in alarms), evidence)


def _size(alarm: Alarm) -> float:
    """Return a share's change as it is, any other relative to its level before."""
    change = abs(alarm.after - alarm.before)
    return round(change if alarm.unit.startswith("share") or not alarm.before else change / abs(alarm.before), 4)


def retrieval_low(stored: Stored, params: RetrainParams) -> Signal:
    """Fire when retrieval is below its guardrail, or below the minimum where there is no guardrail."""
    name, metric = "retrieval_low", params.retrieval_metric
    guarded = stored.verdict.guardrails.get(metric) if stored.verdict else None
    mean = (stored.metrics or {}).get(metric)
    if guarded and guarded.verdict not in ("pass", "fail"):
        return Signal(name, None, f"the guardrail of {metric} is {guarded.verdict}")
    if guarded is None and mean is None:
        return Signal(name, None, f"{metric} was not evaluated")
    low = guarded.low if guarded and guarded.low is not None else params.retrieval_min
    fired = guarded.verdict == "fail" if guarded else bool(mean is not None and mean < low)
    mean = guarded.mean if guarded and guarded.mean is not None else mean
    if not fired:
        return Signal(name, False, f"{metric} holds its minimum")
    where = Evidence(VERDICT, f"guardrails.{metric}", mean) if guarded else Evidence(METRICS, metric, mean)
    shortfall = None if mean is None else round(max(low - mean, 0.0), 4)
    why = f"{metric} is below its minimum of {low:g}"
    return Signal(name, True, why, stored.evaluated_on, _judged(stored), shortfall, (where,))


def _judged(stored: Stored) -> str:
    return f"release:{stored.verdict.release_id[:ID_CHARS]}" if stored.verdict else f"evaluated:{stored.evaluated_on}"


def index_behind(stored: Stored) -> Signal:
    """Fire when the chunks are not the ones that the index was built from."""
    name, index = "index_behind", stored.index
    if index is None or index.chunks is None or index.embedded is None:
        return Signal(name, None, "there is no record of what was ingested or embedded")
    if index.chunks == index.embedded:
        return Signal(name, False, "the index was built from these very chunks")
    evidence = (
        Evidence("data/ingest/run.json", "outputs.chunks", index.chunks[:ID_CHARS]),
        Evidence("data/embed/run.json", "inputs.chunks", index.embedded[:ID_CHARS]),
    )
    return Signal(
        name, True, "the chunks changed after they were embedded", None,
        f"chunks:{index.chunks[:ID_CHARS]}", 1.0, evidence,
    )  # fmt: skip


def questions_stale(stored: Stored, params: RetrainParams) -> Signal:
    """Fire when the documents moved away under many questions."""
    name, share = "questions_stale", stored.stale_share
    if share is None:
        return Signal(name, None, "there is no test set")
    if share <= params.stale_share_max:
        return Signal(name, False, "few questions are stale")
    why, evidence = "the documents of many questions changed", (Evidence(QUESTIONS, "mean(stale)", round(share, 4)),)
    return Signal(name, True, why, stored.evaluated_on, f"stale:{share:.2f}", round(share, 4), evidence)


def quality_low(stored: Stored, params: RetrainParams) -> Signal:
    """Fire when the gate shows an answer metric of the release that answers to be worse, or below its guardrail.

    A refused candidate is no loss in production, so a verdict about one leaves production not measured.
    """
    name, verdict = "quality_low", stored.verdict
    if verdict is None:
        return Signal(name, None, "nothing was evaluated")
    if stored.production and stored.production.current.release_id != verdict.release_id:
        return Signal(name, None, "the last verdict is about a candidate that does not answer")
    words = answer_words(stored, params)
    failed = sorted(key for key, (word, _) in words.items() if word == "fail")
    if not failed:
        unclear = sorted(key for key, (word, _) in words.items() if word != "pass")
        if unclear or not words:
            return Signal(name, None, f"no clear verdict on {', '.join(unclear[:3]) or 'any answer metric'}")
        return Signal(name, False, "no answer metric failed")
    evidence = tuple(Evidence(VERDICT, key, words[key][1]) for key in failed)
    why = f"failed: {', '.join(key.partition('.')[2] for key in failed)}"
    worst = max((words[key][1] or 0.0 for key in failed), default=0.0)
    return Signal(name, True, why, stored.evaluated_on, _judged(stored), round(worst, 4), evidence)


def answer_words(stored: Stored, params: RetrainParams) -> dict[str, tuple[str, float | None]]:
    """Return the gate's word and the measured loss (score units) per `metrics.x` and `guardrails.x`."""
    if stored.verdict is None:
        return {}
    found: dict[str, tuple[str, float | None]] = {}
    for metric, judged in stored.verdict.metrics.items():
        if metric not in params.other_metrics:
            found[f"metrics.{metric}"] = judged.verdict, None if judged.effect is None else max(-judged.effect, 0.0)
    for metric, rail in stored.verdict.guardrails.items():
        if metric not in params.other_metrics:
            known = rail.low is not None and rail.mean is not None
            found[f"guardrails.{metric}"] = rail.verdict, max((rail.low or 0) - (rail.mean or 0), 0) if known else None
    return found


def by_name(found: Sequence[Signal]) -> dict[str, Signal]:
    """Return the signals by their names."""
    return {signal.name: signal for signal in found}

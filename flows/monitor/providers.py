"""Notice that the provider serves another model under the same name.

A provider says which snapshot answered (`response_model`, `system_fingerprint`). A pair that was
never seen before for a requested model is a fact, not a statistic, so it is reported on its first
day with enough answers. A provider that says nothing is only caught by the drift of its answers.
"""

from collections import Counter
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class ProviderChange:
    """A requested model answered by a snapshot it was not answered by before."""

    request_model: str
    day: str
    response_model: str
    system_fingerprint: str
    previous_response_model: str
    previous_system_fingerprint: str
    share: float  # of that day's answers

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return asdict(self)


def changes(answers: "pd.DataFrame", *, share_min: float) -> list[ProviderChange]:
    """Return every change of snapshot, oldest first.

    Args:
        answers: Production answers of the calls log.
        share_min: Share of a day's answers below which a new snapshot is not reported yet.
    """
    found: list[ProviderChange] = []
    known = answers[answers["response_model"].notna()].fillna({"system_fingerprint": "not given"})
    for model, rows in known.groupby("request_model", sort=True):
        seen: dict[tuple[str, str], None] = {}
        for day, of_day in rows.groupby(rows["started_at"].dt.date, sort=True):
            counts = Counter(zip(of_day["response_model"], of_day["system_fingerprint"], strict=True))
            for snapshot, count in sorted(counts.items()):
                share = count / len(of_day)
                if share < share_min or snapshot in seen:
                    continue
                if seen:
                    before = next(reversed(seen))
                    found.append(ProviderChange(str(model), str(day), *snapshot, *before, round(share, 4)))
                seen[snapshot] = None
    return sorted(found, key=lambda change: (change.day, change.request_model))

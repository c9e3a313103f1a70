"""Read the state of every release off the decision log; states are stored nowhere else."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from flows.release.decisions import Decision

State = Literal["candidate", "production", "retired"]


@dataclass(frozen=True)
class ReleaseRow:
    """A release and what became of it; `since` is the UTC time at which it came into this state."""

    release_id: str
    state: State
    since: str
    rolled_back: bool


def production_stack(decisions: Sequence[Decision]) -> list[Decision]:
    """Return the promotions still standing, oldest first: the last one is in production.

    A promotion goes on top of the stack and a roll back takes the top off; so a second roll back
    goes further back, never forward to the release that was just taken out.
    """
    stack: list[Decision] = []
    for decision in decisions:
        top = stack[-1].release_id if stack else None
        if decision.action == "promote" and decision.release_id != top:
            stack.append(decision)
        elif decision.action == "roll_back" and stack:
            stack.pop()
    return stack


def in_production(decisions: Sequence[Decision]) -> str | None:
    """Return the id of the release in production, or None."""
    stack = production_stack(decisions)
    return stack[-1].release_id if stack else None


def roll_back_of(decisions: Sequence[Decision], release_id: str) -> Decision | None:
    """Return the decision that took the release out of production by roll back, if that still stands."""
    if release_id in {item.release_id for item in production_stack(decisions)}:
        return None
    taken_out = None
    for place, decision in enumerate(decisions):
        if decision.action == "roll_back" and in_production(decisions[:place]) == release_id:
            taken_out = decision
    return taken_out


def pointer_for(decisions: Sequence[Decision]) -> dict[str, Any] | None:
    """Return what the pointer file must hold, or None when nothing was ever promoted."""
    stack = production_stack(decisions)
    if not stack:
        return None
    change = [decision for decision in decisions if decision.action in {"promote", "roll_back"}][-1]
    return {
        "release_id": stack[-1].release_id,
        "previous": stack[-2].release_id if len(stack) > 1 else None,
        "promoted_at": stack[-1].at,
        "decision": change.hash,
    }


def rows(decisions: Sequence[Decision]) -> list[ReleaseRow]:
    """Return every release of the log, the one decided about last first."""
    current = in_production(decisions)
    latest = {item.release_id: item.at for item in decisions if item.action not in {"refuse", "erase"}}
    promoted = {item.release_id for item in decisions if item.action == "promote"}
    found = []
    for release_id, since in sorted(latest.items(), key=lambda item: item[1], reverse=True):
        retired: State = "retired" if release_id in promoted else "candidate"
        state: State = "production" if release_id == current else retired
        found.append(ReleaseRow(release_id, state, since, roll_back_of(decisions, release_id) is not None))
    return found

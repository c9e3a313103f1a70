"""The decision log: who let what into production, when, why, and on which evidence.

One JSON object per line, each carrying the hash of the line before it (a hash chain; Haber and
Stornetta 1991): whoever alters or removes a line must rewrite all that follow, and the pointer
file keeps the hash of the last change of production outside the log. Lines are only ever added,
under a lock, by replacing the file in one step, so a kill leaves the old log or the new one.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal, get_args

from flows.core.clock import Clock
from flows.core.errors import IntegrityError
from flows.core.files import write_text
from flows.core.ids import canonical_json, sha256
from flows.core.project import Project

Action = Literal["register", "promote", "refuse", "roll_back", "erase"]
GENESIS = "0" * 64


@dataclass(frozen=True)
class Decision:
    """One line of the log.

    Args:
        seq: Number of the line, from 1.
        at: UTC time, ISO 8601.
        actor: User name on this machine.
        action: What was decided.
        release_id: The release decided about; for `roll_back`, the one that answers from now on; for
            `erase`, one that loses a document and can no longer be reproduced.
        why: The reason, in words.
        commit: Commit the project stood at, or None outside git.
        evidence: SHA-256 of the files the decision rests on, by name.
        prev_hash: Hash of the line before; 64 zeros for the first.
        hash: SHA-256 over all the other fields.
    """

    seq: int
    at: str
    actor: str
    action: Action
    release_id: str
    why: str
    commit: str | None
    evidence: dict[str, str]
    prev_hash: str
    hash: str

    def line(self) -> str:
        """Return the decision as it stands in the log."""
        return canonical_json(asdict(self)) + "\n"


def decisions_path(project: Project) -> Path:
    """Return the log's file."""
    return project.data("release", "decisions.jsonl")


def seal(previous: Decision | None, **values: Any) -> Decision:
    """Return the decision that follows `previous`, with its number and hashes."""
    body = values | {
        "seq": previous.seq + 1 if previous else 1,
        "prev_hash": previous.hash if previous else GENESIS,
    }
    return Decision(**body, hash=_hash_of(body))


def _hash_of(body: Mapping[str, Any]) -> str:
    return sha256(canonical_json({name: value for name, value in body.items() if name != "hash"}))


def read_decisions(project: Project) -> list[Decision]:
    """Read and verify the log, oldest first; an absent log is an empty one.

    Raises:
        IntegrityError: Names the first line that was altered.
    """
    path = decisions_path(project)
    if not path.exists():
        return []
    text = path.read_bytes().decode(errors="replace")  # a broken character breaks its line's hash
    return verify_chain(text.removesuffix("\n").split("\n"))


def verify_chain(lines: Sequence[str]) -> list[Decision]:
    """Return the decisions in these lines after checking that each follows on the one before.

    Raises:
        IntegrityError: Names the first line that is torn, altered, missing or out of place.
    """
    found: list[Decision] = []
    for number, line in enumerate(lines, start=1):
        decision = _parse(line)
        previous = found[-1].hash if found else GENESIS
        if decision is None or decision.seq != number or decision.prev_hash != previous:
            raise _altered(number)
        if decision.hash != _hash_of(asdict(decision)) or decision.line() != line + "\n":
            raise _altered(number)
        found.append(decision)
    return found


def _parse(line: str) -> Decision | None:
    try:
        values = json.loads(line)
        decision = Decision(**{item.name: values[item.name] for item in fields(Decision)})
    except (ValueError, KeyError, TypeError):
        return None
    return decision if decision.action in get_args(Action) else None


def _altered(number: int) -> IntegrityError:
    return IntegrityError(
        f"the decision log was altered: line {number} of 'data/release/decisions.jsonl' does not follow on the line "
        "before it. Restore the file from its last snapshot with `dvc checkout data/release.dvc`."
    )


class DecisionLog:
    """The log, open for adding; the caller holds the lock of `data/release`.

    Args:
        project: The project.
        actor: Who decides.
        commit: Commit the project stands at.
        clock: Source of the recorded times.
    """

    def __init__(self, project: Project, *, actor: str, commit: str | None, clock: Clock) -> None:
        self.decisions = read_decisions(project)
        self._path, self._actor, self._commit, self._clock = decisions_path(project), actor, commit, clock

    def append(self, action: Action, release_id: str, *, why: str, evidence: Mapping[str, str]) -> Decision:
        """Add a decision; it is on the disk when this returns."""
        decision = seal(
            self.decisions[-1] if self.decisions else None,
            at=self._clock().isoformat(timespec="milliseconds"),
            actor=self._actor,
            action=action,
            release_id=release_id,
            why=why,
            commit=self._commit,
            evidence=dict(evidence),
        )
        self.decisions = [*self.decisions, decision]
        write_text(self._path, "".join(item.line() for item in self.decisions))
        return decision

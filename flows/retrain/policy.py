"""Decide what to propose: once per trigger, at rest after each proposal, never twice the same.

A trigger is a cause on one occasion, and its id is the hash of both, so running again, on another
machine or after a crash, recognises it. After a proposal its cause rests for `cooldown_days` nights
of data; a repair needs that long before its effect can be told from the old evidence.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Literal

from flows.core.ids import content_id
from flows.retrain.diagnosis import Finding, diagnose
from flows.retrain.losses import losses
from flows.retrain.params import RetrainParams
from flows.retrain.repairs import Case, Option, choose, weigh
from flows.retrain.signals import Signal, signals
from flows.retrain.stored import Stored

State = Literal["proposed", "cooling_down", "known", "none"]
Proposal = Mapping[str, Any]


@dataclass(frozen=True)
class Trigger:
    """A cause on one occasion; `state` is `proposed` while it is open, until something is proposed for it."""

    trigger_id: str
    finding: Finding
    state: State

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {"trigger_id": self.trigger_id, "state": self.state, **self.finding.to_json()}


@dataclass(frozen=True)
class Decision:
    """The state of things: what fired, what it means, what each repair is worth, what is proposed.

    `new` is the proposal made now, `standing` those made earlier for triggers that still fire.
    """

    state: State
    as_of: date | None
    signals: list[Signal]
    triggers: list[Trigger]
    case: Case
    options: list[Option]
    chosen: Option | None
    new: dict[str, Any] | None
    standing: list[Proposal]


def decide(stored: Stored, history: Sequence[Proposal], params: RetrainParams) -> Decision:
    """Decide from stored data alone; the same data give the same decision.

    Args:
        stored: What the other stages left.
        history: All earlier proposals, oldest first.
        params: The policy.
    """
    found = signals(stored, params)
    fired = triggers(diagnose(found, params), history, stored.as_of, params)
    opened = [trigger.finding for trigger in fired if trigger.state == "proposed"]
    weighed = opened or [trigger.finding for trigger in fired]
    case = Case(weighed, losses(weighed, found, stored, params), found, stored)
    options = weigh(case, params) if weighed else []
    chosen = choose(options) if opened else None
    if chosen and chosen.repair == "none":  # not recorded, so that it is weighed again when a price or value changes
        fired = [_with(trigger, "none" if trigger.state == "proposed" else trigger.state) for trigger in fired]
    new = proposal(stored.as_of, fired, case, options, chosen) if chosen and chosen.repair != "none" else None
    ids = {trigger.trigger_id for trigger in fired}
    standing = [item for item in history if ids & {trigger["trigger_id"] for trigger in item["triggers"]}]
    return Decision(_overall(fired), stored.as_of, found, fired, case, options, chosen, new, standing)


def trigger_id(finding: Finding) -> str:
    """Return the id of a cause on its occasion."""
    return content_id("trigger", finding.cause, finding.window)


def triggers(
    findings: Sequence[Finding], history: Sequence[Proposal], as_of: date | None, params: RetrainParams
) -> list[Trigger]:
    """Return the findings as triggers: `known`, `cooling_down`, or open (`proposed`)."""
    seen = {trigger["trigger_id"] for item in history for trigger in item["triggers"]}
    found = []
    for finding in findings:
        name = trigger_id(finding)
        resting = _rests(finding, history, as_of, params)
        found.append(Trigger(name, finding, "known" if name in seen else "cooling_down" if resting else "proposed"))
    return found


def _rests(finding: Finding, history: Sequence[Proposal], as_of: date | None, params: RetrainParams) -> bool:
    """Return whether the cause was proposed for too recently; a day that is not known counts as too recent."""
    last = [item for item in history if finding.cause in {trigger["cause"] for trigger in item["triggers"]}]
    days = [item["as_of"] for item in last]
    if not days or params.cooldown_days == 0:
        return False
    if as_of is None or None in days:
        return True
    return as_of < max(date.fromisoformat(day) for day in days) + timedelta(days=params.cooldown_days)


def _with(trigger: Trigger, state: State) -> Trigger:
    return Trigger(trigger.trigger_id, trigger.finding, state)


def _overall(fired: Sequence[Trigger]) -> State:
    states = {trigger.state for trigger in fired}
    order: tuple[State, ...] = ("proposed", "none", "cooling_down", "known")
    return next((state for state in order if state in states), "none")


def proposal(
    as_of: date | None, fired: Sequence[Trigger], case: Case, options: Sequence[Option], chosen: Option
) -> dict[str, Any]:
    """Return the line that is kept: triggers, evidence, every repair's value, commands; nothing is executed."""
    new = [trigger for trigger in fired if trigger.state == "proposed"]
    names = {name for trigger in new for name in trigger.finding.signals}
    return {
        "proposal_id": content_id("proposal", sorted(trigger.trigger_id for trigger in new)),
        "as_of": None if as_of is None else str(as_of),
        "triggers": [trigger.to_json() for trigger in new],
        "points_lost": {cause: loss.to_json() for cause, loss in case.losses.items()},
        "evidence": [signal.to_json() for signal in case.signals if signal.name in names],
        "repair": chosen.repair,
        "cost_usd": chosen.cost_usd,
        "value_usd": chosen.value_usd,
        "ev_usd": chosen.ev_usd,
        "sufficient": chosen.sufficient,
        "commands": list(chosen.commands),
        "repairs": [option.to_json() for option in options],
        "dry_run": True,
    }

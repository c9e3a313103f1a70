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
from flows.retrain.losses import Loss, losses
from flows.retrain.params import Cause, RetrainParams
from flows.retrain.repairs import Case, Option, choose, weigh
from flows.retrain.signals import Signal, signals
from flows.retrain.stored import Stored

State = Literal["proposed", "cooling_down", "known", "none"]
Proposal = Mapping[str, Any]


@dataclass(frozen=True)
class Trigger:
    """A cause on one occasion; `open` until this run proposes something for it or finds nothing worth its cost."""

    trigger_id: str
    finding: Finding
    state: State | Literal["open"]

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {"trigger_id": self.trigger_id, "state": self.state, **self.finding.to_json()}


@dataclass(frozen=True)
class Decision:
    """The state of things.

    Args:
        state: The most urgent state of all triggers; `none` also when nothing fired.
        as_of: The last day the data know of.
        signals: Every signal, fired or not.
        triggers: The causes found, each on its occasion.
        losses: Points lost per cause.
        options: What each repair would cost and restore, weighed on all open triggers, else on all.
        new: The proposals made now, the most valuable first.
        standing: Those made earlier for triggers that still fire.
    """

    state: State
    as_of: date | None
    signals: list[Signal]
    triggers: list[Trigger]
    losses: dict[Cause, Loss]
    options: list[Option]
    new: list[dict[str, Any]]
    standing: list[Proposal]


def decide(stored: Stored, history: Sequence[Proposal], params: RetrainParams) -> Decision:
    """Decide from stored data alone; the same data give the same decision.

    Args:
        stored: What the other stages left.
        history: All earlier proposals, oldest first.
        params: The policy.
    """
    found = signals(stored, params)
    findings = diagnose(found, params)
    lost = losses(findings, found, stored, params)
    fired = triggers(findings, history, stored.as_of, params)
    opened = [trigger for trigger in fired if trigger.state == "open"]
    options = weigh(_case(opened or fired, lost, found, stored), params) if fired else []
    new = propose(opened, lost, found, stored, params)
    done = {item["trigger_id"] for proposal in new for item in proposal["triggers"]}
    fired = [_settled(trigger, done) for trigger in fired]
    ids = {trigger.trigger_id for trigger in fired}
    standing = [item for item in history if ids & {trigger["trigger_id"] for trigger in item["triggers"]}]
    return Decision(_overall(fired), stored.as_of, found, fired, lost, options, new, standing)


def propose(
    opened: Sequence[Trigger],
    lost: Mapping[Cause, Loss],
    found: Sequence[Signal],
    stored: Stored,
    params: RetrainParams,
) -> list[dict[str, Any]]:
    """Return the best repair, then the best for the causes it does not touch, until nothing is worth its cost.

    A cause without a worthwhile repair is not recorded, so that it is weighed again when a price changes.
    """
    new: list[dict[str, Any]] = []
    while opened:
        case = _case(opened, lost, found, stored)
        options = weigh(case, params)
        chosen = choose(options)
        if chosen.repair == "none":
            break
        touched = [trigger for trigger in opened if chosen.gain[trigger.finding.cause]]
        new.append(proposal(stored.as_of, touched, case, options, chosen))
        opened = [trigger for trigger in opened if trigger not in touched]
    return new


def _case(fired: Sequence[Trigger], lost: Mapping[Cause, Loss], found: Sequence[Signal], stored: Stored) -> Case:
    return Case([trigger.finding for trigger in fired], lost, found, stored)


def _settled(trigger: Trigger, done: set[str]) -> Trigger:
    if trigger.state != "open":
        return trigger
    return Trigger(trigger.trigger_id, trigger.finding, "proposed" if trigger.trigger_id in done else "none")


def trigger_id(finding: Finding) -> str:
    """Return the id of a cause on its occasion."""
    return content_id("trigger", finding.cause, finding.window)


def triggers(
    findings: Sequence[Finding], history: Sequence[Proposal], as_of: date | None, params: RetrainParams
) -> list[Trigger]:
    """Return the findings as triggers: `known`, `cooling_down` or `open`."""
    seen = {trigger["trigger_id"] for item in history for trigger in item["triggers"]}
    found = []
    for finding in findings:
        name = trigger_id(finding)
        resting = _rests(finding, history, as_of, params)
        found.append(Trigger(name, finding, "known" if name in seen else "cooling_down" if resting else "open"))
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


def _overall(fired: Sequence[Trigger]) -> State:
    states = {trigger.state for trigger in fired}
    order: tuple[State, ...] = ("proposed", "none", "cooling_down", "known")
    return next((state for state in order if state in states), "none")


def proposal(
    as_of: date | None, touched: Sequence[Trigger], case: Case, options: Sequence[Option], chosen: Option
) -> dict[str, Any]:
    """Return the line that is kept: triggers, evidence, every repair's value, commands; nothing is executed."""
    names = {name for trigger in touched for name in trigger.finding.signals}
    causes = [trigger.finding.cause for trigger in touched]
    return {
        "proposal_id": content_id("proposal", sorted(trigger.trigger_id for trigger in touched)),
        "as_of": None if as_of is None else str(as_of),
        "triggers": [{"trigger_id": trigger.trigger_id, **trigger.finding.to_json()} for trigger in touched],
        "points_lost": {cause: case.losses[cause].to_json() for cause in causes},
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

"""Stage `retrain`: stored data become triggers, a diagnosis and the proposal of a repair.

It proposes and executes nothing. Its inputs may all be missing; what is missing is listed as not
measured. Time is the data's own (`as_of`), so a late or repeated run finds the same triggers.
"""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from flows.core.clock import Clock, utc_now
from flows.core.files import write_json
from flows.core.main import run_stage_main
from flows.core.progress import Progress, silent
from flows.core.project import Project
from flows.core.runs import Job, RunRecord
from flows.retrain.ledger import read_proposals, write_proposals
from flows.retrain.params import RetrainParams
from flows.retrain.policy import Decision, Trigger, decide
from flows.retrain.stored import Stored, read


def run(
    project_dir: str = ".",
    *,
    force: bool = False,
    max_usd: float | None = None,
    progress: Progress = silent,
    clock: Clock = utc_now,
) -> RunRecord:
    """Propose the cheapest sufficient repair for the triggers that fired."""
    project = Project.open(project_dir)
    params = RetrainParams.load(project)
    stored = read(project)
    plain = params.model_dump(mode="json")
    job = Job(project, "retrain", params=plain, inputs=stored.files, extra=_extra(stored), clock=clock)
    if not force and (done := job.unchanged()):
        return done
    ledger, current = project.data("retrain", "proposals.jsonl"), project.data("retrain", "proposal.json")
    with job.running() as record:
        history = read_proposals(ledger)
        decision = decide(stored, history, params)
        kept = [*history, *decision.new]
        if decision.new or not ledger.exists():
            write_proposals(ledger, kept)
        write_json(current, to_json(decision))
        job.add_outputs(record, ledger, current)
        record.counts = {
            "triggers": len(decision.triggers),
            "proposed": len(decision.new),
            "proposals": len(kept),
            "not_measured": len(not_measured(decision)),
        }
        record.notes = [f"not measured: {', '.join(not_measured(decision))}"] if not_measured(decision) else []
        record.summary = summarise(decision, params)
    return record


def run_summary(project_dir: str = ".", *, force: bool = False, max_usd: float | None = None) -> str:
    """Run the stage and return its one-line summary."""
    return run(project_dir, force=force, max_usd=max_usd).summary


def _extra(stored: Stored) -> dict[str, Any]:
    """Return what decides besides the input files: facts of other stages' run records."""
    return {
        "index": asdict(stored.index) if stored.index else None,
        "evaluated_on": str(stored.evaluated_on) if stored.evaluated_on else None,
        "previous_problem": stored.production.previous_problem if stored.production else None,
    }


def to_json(decision: Decision) -> dict[str, Any]:
    """Return the content of `proposal.json`."""
    return {
        "as_of": None if decision.as_of is None else str(decision.as_of),
        "state": decision.state,
        "dry_run": True,
        "triggers": [trigger.to_json() for trigger in decision.triggers],
        "signals": [signal.to_json() for signal in decision.signals],
        "not_measured": not_measured(decision),
        "points_lost": {cause: loss.to_json() for cause, loss in decision.losses.items()},
        "repairs": [option.to_json() for option in decision.options],
        "proposals": decision.new,
        "standing": [dict(item) for item in decision.standing],
    }


def not_measured(decision: Decision) -> list[str]:
    """Return the signals that could not be measured."""
    return [signal.name for signal in decision.signals if signal.fired is None]


def summarise(decision: Decision, params: RetrainParams) -> str:
    """Say in one line what fired and what is proposed."""
    count = len(decision.triggers)
    parts = [f"{count or 'no'} trigger{'s' if count > 1 else ''}"]
    if count:
        parts[0] += f": {', '.join(_named(trigger) for trigger in decision.triggers)}"
        parts.append(_outcome(decision, params))
    if missing := not_measured(decision):
        parts.append(f"{len(missing)} of {len(decision.signals)} signals not measured")
    return "; ".join(parts)


def _named(trigger: Trigger) -> str:
    return trigger.finding.cause + (f" ({trigger.finding.since})" if trigger.finding.since else "")


def _outcome(decision: Decision, params: RetrainParams) -> str:
    if decision.new:
        return f"proposed: {', '.join(_priced(item, params) for item in decision.new)}, dry run"
    if decision.state == "none":
        return "proposed: none (no possible repair is worth its cost)"
    earlier = ", ".join(f"{item['repair']} of {item['as_of']}" for item in decision.standing)
    stands = f"proposed already: {earlier}" if earlier else "nothing new is proposed"
    return stands + (", cooling down" if decision.state == "cooling_down" else "")


def _priced(item: Mapping[str, Any], params: RetrainParams) -> str:
    worth = f"cost ${item['cost_usd']:,.0f}, worth ${item['value_usd']:,.0f} in {params.horizon_days} days"
    return f"{item['repair']} ({worth}{'' if item['sufficient'] else ', not sufficient'})"


def main() -> None:
    """Run from the command line."""
    run_stage_main(run)


if __name__ == "__main__":
    main()

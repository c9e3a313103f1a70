"""Stage `release`: register the candidate, and promote it if and only if its gate passed.

Everything that answers hangs on one pointer file, replaced in one step; everything decided stands
in the log. Running the stage again decides nothing twice.
"""

from pathlib import Path

from flows.core.clock import Clock, utc_now
from flows.core.errors import GateError
from flows.core.main import run_stage_main
from flows.core.progress import Progress, silent
from flows.core.project import Project
from flows.core.runs import Job, RunRecord
from flows.rag.release import ReleaseManifest, open_manifest
from flows.release.decisions import DecisionLog, read_decisions
from flows.release.params import ReleaseParams
from flows.release.registry import (
    keep_evidence,
    open_log,
    publish_pointer,
    read_pointer,
    register,
    require_index,
)
from flows.release.states import in_production, pointer_for
from flows.release.verdicts import Verdict, read_verdict, refusal


def run(
    project_dir: str = ".",
    *,
    force: bool = False,
    max_usd: float | None = None,
    progress: Progress = silent,
    clock: Clock = utc_now,
) -> RunRecord:
    """Register evaluate's candidate and promote it if its verdict is `pass`; return the run's record.

    Raises:
        LockedError: Another run, or a person, is changing data/release.
        InputError: There is no candidate or no verdict yet, or the candidate's index is gone.
        IntegrityError: The candidate, the verdict, a release or the decision log was altered.
        GateError: The verdict refuses and params say `block`.
    """
    project = Project.open(project_dir)
    params = ReleaseParams.load(project)
    files = candidate_path(project), verdict_path(project)
    job = Job(project, "release", params=params.model_dump(mode="json"), inputs=files, clock=clock)
    if not force and (done := job.unchanged()) and read_pointer(project) == pointer_for(read_decisions(project)):
        done.summary = summarise(project)
        _stop_if_asked(project, params)
        return done
    with job.running() as record:
        progress("release", 0, 1)
        log = open_log(project, clock)
        manifest, verdict = open_manifest(files[0]), read_verdict(files[1])
        before = len(log.decisions)
        register(project, log, manifest)
        reason = decide(project, log, manifest, verdict)
        record.counts = {"decisions": len(log.decisions) - before, "promoted": int(reason is None)}
        prompts = [manifest.prompt(step) for step in manifest.prompts]
        record.notes = [f"not promoted: {reason}"] if reason else []
        record.notes += [note for prompt in prompts for note in prompt.notes]
        record.summary = summarise(project)
        progress("release", 1, 1)
    _stop_if_asked(project, params)
    return record


def decide(
    project: Project, log: DecisionLog, manifest: ReleaseManifest, verdict: Verdict, *, by_hand: str | None = None
) -> str | None:
    """Promote the release or record why not; the caller holds the lock.

    Args:
        project: The project.
        log: The open decision log.
        manifest: The verified, registered release.
        verdict: The gate's word.
        by_hand: The reason of the person who asked; None = a run of the stage.

    Returns:
        Why it is not in production now, or None when it is.
    """
    release_id = manifest.release_id
    publish_pointer(project, log.decisions)  # finish what a killed run began
    if in_production(log.decisions) == release_id:
        return None
    evidence = keep_evidence(project, verdict_path(project))
    reason = refusal(verdict, release_id, log.decisions, by_hand=by_hand is not None)
    if reason is None:
        require_index(project, manifest)
        log.append("promote", release_id, why=by_hand or "the gate passed", evidence=evidence)
        publish_pointer(project, log.decisions)
        return None
    last = log.decisions[-1]
    if (last.action, last.release_id, last.why, last.evidence) != ("refuse", release_id, reason, evidence):
        log.append("refuse", release_id, why=reason, evidence=evidence)
    return reason


def _stop_if_asked(project: Project, params: ReleaseParams) -> None:
    decisions = read_decisions(project)
    last = decisions[-1] if decisions else None
    if last is None or last.action != "refuse":
        return
    word = read_verdict(verdict_path(project)).verdict
    if (params.on_inconclusive if word == "inconclusive" else params.on_fail) == "block":
        raise GateError(
            f"release {last.release_id!r} is not promoted: {last.why}. See data/evaluate/verdict.json, mend the "
            "release and run `llmops evaluate`; production is unchanged."
        )


def summarise(project: Project) -> str:
    """Say in one line what is in production and what became of the last decision."""
    decisions = read_decisions(project)
    current = in_production(decisions)
    production = f"release {current[:12]} is in production" if current else "nothing is in production"
    last = decisions[-1] if decisions else None
    if last and last.action == "refuse":
        return f"release {last.release_id[:12]} not promoted ({last.why}); {production}"
    if last and last.action == "roll_back":
        return f"{production} after a roll back ({last.why})"
    return production


def candidate_path(project: Project) -> Path:
    """Return evaluate's candidate manifest."""
    return project.data("evaluate", "candidate.json")


def verdict_path(project: Project) -> Path:
    """Return evaluate's verdict."""
    return project.data("evaluate", "verdict.json")


def run_summary(project_dir: str = ".", *, force: bool = False, max_usd: float | None = None) -> str:
    """Run the stage and return its summary: what a Prefect task hands on."""
    return run(project_dir, force=force, max_usd=max_usd).summary


def main() -> None:
    """Run the stage from the command line, without Prefect."""
    run_stage_main(run)


if __name__ == "__main__":
    main()

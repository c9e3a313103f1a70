"""What a person does with releases: look, promote, roll back, verify. `llmops release …` calls these.

Each change is one act under the lock of `data/release`, the same that a run of the stage holds.
"""

from dataclasses import dataclass

from flows.core.clock import Clock, utc_now
from flows.core.errors import GateError, InputError, IntegrityError, LlmopsError, UsageError
from flows.core.files import sha256_file
from flows.core.locks import writer_lock
from flows.core.project import Project
from flows.rag.release import load_release, open_manifest
from flows.release.decisions import Decision, read_decisions
from flows.release.registry import (
    evidence_path,
    lock_path,
    open_log,
    publish_pointer,
    read_pointer,
    register,
    require_index,
    require_whole,
)
from flows.release.stage import candidate_path, decide, verdict_path
from flows.release.states import ReleaseRow, in_production, pointer_for, production_stack, rows
from flows.release.verdicts import read_verdict


@dataclass(frozen=True)
class Status:
    """What there is: the releases, newest first, and the decisions, oldest first."""

    production: str | None
    previous: str | None
    code_changed: bool
    releases: list[ReleaseRow]
    decisions: list[Decision]


def status(project_dir: str = ".") -> Status:
    """Return all releases with their states.

    `code_changed` says that this installation answers with other code than production was judged with.

    Raises:
        IntegrityError: The decision log or the release in production was altered.
    """
    project = Project.open(project_dir)
    decisions = read_decisions(project)
    pointer = pointer_for(decisions) or {"release_id": None, "previous": None}
    current = pointer["release_id"]
    changed = load_release(project, current).code_changed if current else False
    return Status(current, pointer["previous"], changed, rows(decisions), decisions)


def promote(project_dir: str, release_id: str, why: str, *, actor: str | None = None, clock: Clock = utc_now) -> str:
    """Promote a release whose gate passed.

    Unlike a run of the stage this may bring back a release that was rolled back; nothing else is
    different, and nothing skips the gate.

    Args:
        project_dir: The project's folder.
        release_id: Evaluate's candidate, or its first digits (8 or more).
        why: The reason, for the decision log.
        actor: Who decides; None = the user this process runs as.
        clock: Source of the recorded time.

    Returns:
        What happened, in one line.

    Raises:
        UsageError: No reason is given.
        GateError: The release is not evaluate's candidate, or its verdict refuses; this is recorded.
        IntegrityError: The candidate, the verdict or the log was altered.
    """
    _require_reason(why)
    project = Project.open(project_dir)
    with writer_lock(lock_path(project), what="data/release"):
        log = open_log(project, clock, actor=actor)
        manifest, verdict = open_manifest(candidate_path(project)), read_verdict(verdict_path(project))
        if len(release_id) < 8 or not manifest.release_id.startswith(release_id):
            raise GateError(
                f"release {release_id!r} is not the candidate that was judged, which is {manifest.release_id!r}. "
                "Set params.yaml to what you want to promote and run `llmops evaluate`."
            )
        register(project, log, manifest)
        reason = decide(project, log, manifest, verdict, by_hand=why)
    if reason:
        raise GateError(
            f"release {manifest.release_id!r} is not promoted: {reason}. Run `llmops evaluate` for a verdict on it "
            "against what is in production; nothing skips the gate."
        )
    return f"release {manifest.release_id[:12]} is in production"


def roll_back(project_dir: str, why: str, *, actor: str | None = None, clock: Clock = utc_now) -> str:
    """Put the previous release back into production, in one step.

    It needs no gate: the previous release passed its own. The index is not touched.

    Args:
        project_dir: The project's folder.
        why: The reason, for the decision log.
        actor: Who decides; None = the user this process runs as.
        clock: Source of the recorded time.

    Returns:
        What happened, in one line.

    Raises:
        UsageError: No reason is given.
        InputError: There is no previous release, or its index version is gone.
        IntegrityError: The previous release or the log was altered.
    """
    _require_reason(why)
    project = Project.open(project_dir)
    with writer_lock(lock_path(project), what="data/release"):
        log = open_log(project, clock, actor=actor)
        stack = production_stack(log.decisions)
        if len(stack) < 2:
            raise InputError(
                f"there is no release to roll back to: {len(stack)} promotion(s) stand. "
                "See `llmops release status`; change params.yaml and run `llmops evaluate` instead."
            )
        leaving, returning = stack[-1], stack[-2]
        require_index(project, load_release(project, returning.release_id))
        log.append("roll_back", returning.release_id, why=why, evidence=returning.evidence)
        publish_pointer(project, log.decisions)
    return f"release {returning.release_id[:12]} is in production again, {leaving.release_id[:12]} is retired"


def verify(project_dir: str = ".") -> str:
    """Check every byte that decisions rest on.

    Returns:
        What was checked, in one line.

    Raises:
        IntegrityError: Lists everything that was altered or is missing.
    """
    project = Project.open(project_dir)
    decisions = read_decisions(project)
    require_whole(project, decisions)
    ids = sorted({item.release_id for item in decisions})
    found = [*_broken_releases(project, ids), *_broken_evidence(project, decisions)]
    if read_pointer(project) != pointer_for(decisions):
        found.append("'current.json' does not say what follows from the log; `llmops release` mends it")
    if found:
        raise IntegrityError(
            f"{len(found)} problem(s) in 'data/release':\n  " + "\n  ".join(found)
            + "\nRestore it with `dvc checkout data/release.dvc`."
        )  # fmt: skip
    return f"{len(decisions)} decision(s) and {len(ids)} release(s) are as they were recorded"


def _broken_releases(project: Project, ids: list[str]) -> list[str]:
    current, found = in_production(read_decisions(project)), []
    for release_id in ids:
        try:
            manifest = load_release(project, release_id)
            if release_id == current:
                require_index(project, manifest)
        except LlmopsError as error:
            found.append(str(error))
    return found


def _broken_evidence(project: Project, decisions: list[Decision]) -> list[str]:
    wanted = {digest for item in decisions if item.action != "register" for digest in item.evidence.values()}
    copies = [(digest, evidence_path(project, digest)) for digest in sorted(wanted)]
    return [
        f"evidence {path.name!r} is missing or was altered"
        for digest, path in copies
        if not path.is_file() or sha256_file(path) != digest
    ]


def _require_reason(why: str) -> None:
    if not why.strip():
        raise UsageError('a decision needs a reason. Say it with `--why "…"`.')

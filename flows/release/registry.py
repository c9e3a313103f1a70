"""The folder `data/release`: registered releases, evidence, and the pointer to the one in production.

The decision log is written first and the pointer is made from it, so a run that is killed in
between is finished by the next one: whatever the pointer should say follows from the log. A
registered release and a piece of evidence are written once and never changed.
"""

import os
import pwd
from pathlib import Path
from typing import Any

from flows.core.clock import Clock
from flows.core.errors import IntegrityError, LlmopsError
from flows.core.files import read_json, sha256_file, write_bytes, write_json
from flows.core.project import Project
from flows.core.runs import git_commit
from flows.rag.release import ReleaseManifest, load_release, manifest_path
from flows.release.decisions import Decision, DecisionLog
from flows.release.states import pointer_for

REMEDY = "Restore data/release with `dvc checkout data/release.dvc`"


def pointer_path(project: Project) -> Path:
    """Return the file whose replacement changes production."""
    return project.data("release", "current.json")


def lock_path(project: Project) -> Path:
    """Return the lock of `data/release`; the same that a run of the stage holds."""
    return project.state("locks", "release.lock")


def user_name() -> str:
    """Return the name of the user this process runs as."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # a container may run under a number without a name
        return f"uid-{os.getuid()}"


def open_log(project: Project, clock: Clock, *, actor: str | None = None) -> DecisionLog:
    """Open the log for adding; the caller holds the lock.

    Raises:
        IntegrityError: A line was altered, or lines that the pointer refers to are gone.
    """
    commit = git_commit(project.root)
    log = DecisionLog(project, actor=actor or user_name(), commit=commit, clock=clock)
    require_whole(project, log.decisions)
    return log


def read_pointer(project: Project) -> dict[str, Any] | None:
    """Return the pointer's content, or None when it is absent or unreadable (it is made from the log)."""
    try:
        values = read_json(pointer_path(project), remedy=REMEDY)
    except LlmopsError:
        return None
    return values if isinstance(values, dict) else None


def require_whole(project: Project, decisions: list[Decision]) -> None:
    """Refuse a log whose end was cut off: the pointer knows the hash of the last change.

    Raises:
        IntegrityError: The decision that the pointer names is not in the log.
    """
    pointer = read_pointer(project)
    if pointer and pointer.get("decision") not in {decision.hash for decision in decisions}:
        raise IntegrityError(
            f"the decision log has {len(decisions)} line(s) and lacks the one that 'data/release/current.json' names: "
            f"its end was removed. {REMEDY}."
        )


def publish_pointer(project: Project, decisions: list[Decision]) -> bool:
    """Let the pointer say what follows from the log; return whether it had to change."""
    wanted = pointer_for(decisions)
    if wanted is None or read_pointer(project) == wanted:
        return False
    write_json(pointer_path(project), wanted)
    return True


def register(project: Project, log: DecisionLog, manifest: ReleaseManifest) -> bool:
    """Keep the manifest for good; return whether it is new.

    Raises:
        IntegrityError: A file under its id exists and was altered.
    """
    path = manifest_path(project, manifest.release_id)
    if path.exists():
        load_release(project, manifest.release_id)
    else:
        write_json(path, manifest.to_json())
    if any(item.action == "register" and item.release_id == manifest.release_id for item in log.decisions):
        return False
    evidence = {project.relative(path): sha256_file(path)}
    log.append("register", manifest.release_id, why="evaluated as a candidate", evidence=evidence)
    return True


def keep_evidence(project: Project, source: Path) -> dict[str, str]:
    """Copy a file that a decision rests on under its hash; return its name and hash.

    The next evaluation overwrites the verdict; the copy is what an auditor reads years later.
    """
    digest = sha256_file(source)
    copy = evidence_path(project, digest)
    if not copy.exists():
        write_bytes(copy, source.read_bytes())
    return {project.relative(source): digest}


def evidence_path(project: Project, digest: str) -> Path:
    """Return where a piece of evidence is kept."""
    return project.data("release", "evidence", f"{digest}.json")


def require_index(project: Project, manifest: ReleaseManifest) -> None:
    """Refuse a release whose pinned index version cannot be read.

    Raises:
        InputError: No version carries the tag any more.
        IntegrityError: Its files are damaged, or it was embedded by another model.
    """
    from flows.index.manifest import resolve
    from flows.index.verify import require_intact
    from flows.rag.release import require_same_embedding

    index = resolve(project, manifest.index_tag)
    require_intact(project, index)
    require_same_embedding(manifest.embedding_fingerprint, index.fingerprint)

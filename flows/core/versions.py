"""Record finished stages in DVC: Prefect runs, DVC records (docs/decisions/0003).

The only module that imports dvc. A stage does its work in this process; afterwards `record`
commits it, which stores its outputs in DVC's cache and writes dvc.lock exactly as `dvc repro`
would have done. DVC hashes a stage's dependencies after the command, so an input edited while
the stage ran would be recorded as the one it was made from; the run record has the hashes from
before, and a difference refuses the commit.

Where a project is no DVC repository, or LLMOPS_VERSIONING=off, every function does nothing.
"""

import json
import logging
from collections.abc import Sequence
from contextlib import chdir
from pathlib import Path
from typing import Any

from flows.core.errors import IntegrityError, TerminalError
from flows.core.files import sha256_file, write_text
from flows.core.locks import writer_lock
from flows.core.params import read_yaml
from flows.core.project import Project
from flows.core.runs import RunRecord, last_record
from flows.core.settings import load_settings, silence_telemetry


def enabled(project: Project) -> bool:
    """Return whether this project's stages are recorded in DVC."""
    setting = load_settings().llmops_versioning
    return setting == "dvc" or (setting == "auto" and (project.root / ".dvc").is_dir())


def record(project_dir: str, stage: str) -> bool:
    """Record the stage's last run in DVC unless that very run is recorded already.

    A stage of dvc.yaml is committed. The others (release, monitor, retrain) keep append-only
    records, which are put under DVC as they are, together with the calls log.

    Returns:
        True when DVC was written; False when there was nothing to record.

    Raises:
        IntegrityError: An input changed while the stage ran.
    """
    project = Project.open(project_dir)
    run = last_record(project, stage)
    marker = project.state("recorded", stage)
    if not enabled(project) or run is None or (marker.is_file() and marker.read_text() == run.run_id):
        return False
    if stage in _dvc_stages(project):
        _refuse_changed_inputs(project, run)
        _with_repo(project, lambda repo: repo.commit(stage, force=True))
    else:
        snapshot(project_dir, [project.data(stage), project.data("calls")])
    write_text(marker, run.run_id)
    return True


def snapshot(project_dir: str, paths: Sequence[Path]) -> bool:
    """Put append-only folders under DVC as they are now (`dvc add`); empty or absent ones are left out."""
    project = Project.open(project_dir)
    present = [str(path) for path in paths if path.is_dir() and any(path.iterdir())]
    if not enabled(project) or not present:
        return False
    _with_repo(project, lambda repo: repo.add(present))
    return True


def changed(project_dir: str) -> dict[str, Any]:
    """Return what `dvc status` would show; an empty mapping when everything is recorded."""
    project = Project.open(project_dir)
    status: dict[str, Any] = _with_repo(project, lambda repo: repo.status()) if enabled(project) else {}
    return status


def heal(project: Project) -> bool:
    """Remove DVC's lock table when a killed process left it unreadable; it would block every command."""
    table = project.root / ".dvc" / "tmp" / "rwlock"
    try:
        json.loads(table.read_bytes())
    except FileNotFoundError:
        return False
    except ValueError:
        table.unlink()
        return True
    return False


def _dvc_stages(project: Project) -> set[str]:
    file = project.root / "dvc.yaml"
    return set(read_yaml(file).get("stages", {})) if file.is_file() else set()


def _refuse_changed_inputs(project: Project, run: RunRecord) -> None:
    changed_now = [
        name
        for name, expected in run.inputs.items()
        if not (project.root / name).is_file() or sha256_file(project.root / name) != expected
    ]
    if changed_now:
        raise IntegrityError(
            f"{len(changed_now)} input(s) of stage {run.stage!r} changed after it read them "
            f"(first: {changed_now[0]!r}), so its result is not recorded. Run `llmops {run.stage}` again."
        )


def _with_repo(project: Project, action: Any) -> Any:
    silence_telemetry()
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    logging.getLogger("dvc").setLevel(logging.ERROR)
    with writer_lock(project.state("locks", "dvc.lock"), what="the DVC record", wait=True):
        heal(project)
        try:
            with chdir(project.root), Repo() as repo:  # DVC resolves names against the current folder
                return action(repo)
        except DvcException as error:
            raise TerminalError(
                f"DVC could not record the result: {error}. Run `dvc status` in {str(project.root)!r} and mend it, "
                "or set LLMOPS_VERSIONING=off."
            ) from None

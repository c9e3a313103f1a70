"""Decide whether a stage has work to do, and record what it did (`data/<stage>/run.json`).

A stage's fingerprint covers its input files, its section of params, the code it imports and any
extra it names (a resolved model). Equal fingerprint and intact outputs mean that there is nothing
to do. The record is the last file written, so a killed run leaves the previous record, whose
fingerprint no longer matches: resuming is just running again.
"""

import platform
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime
from functools import cache, cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any

from flows.core.clock import Clock, utc_now
from flows.core.errors import InputError, LlmopsError
from flows.core.files import read_json, write_json
from flows.core.fingerprints import code_sha256
from flows.core.ids import canonical_json, content_id
from flows.core.locks import writer_lock
from flows.core.project import Project
from flows.core.stamps import hashes


@dataclass
class RunRecord:
    """What one run of a stage read, did and wrote. A stage fills the last block."""

    stage: str
    fingerprint: str
    started_at: str
    commit: str | None
    code_sha256: str
    params: dict[str, Any]
    inputs: dict[str, str]
    extra: dict[str, Any]
    versions: dict[str, str]
    run_id: str = ""
    ended_at: str = ""
    duration_s: float = 0.0
    outputs: dict[str, str] = field(default_factory=dict)

    seed: int | None = None
    counts: dict[str, int] = field(default_factory=dict)
    calls: int = 0
    cost_usd: float | None = 0.0  # None = some call is unpriced
    notes: list[str] = field(default_factory=list)
    summary: str = ""
    did_work: bool = field(default=True, repr=False)


class Job:
    """One run of a stage over named inputs and outputs.

    Args:
        project: The project.
        stage: The stage's name; its code is `flows.<stage>.stage`.
        params: The stage's params as a JSON-serialisable mapping.
        inputs: Files whose content decides the result; each must exist.
        extra: Whatever else decides the result, such as resolved model names.
        clock: Source of the recorded times.

    Raises:
        InputError: An input is missing.
    """

    def __init__(
        self,
        project: Project,
        stage: str,
        *,
        params: Mapping[str, Any],
        inputs: Sequence[Path] = (),
        extra: Mapping[str, Any] | None = None,
        clock: Clock = utc_now,
    ) -> None:
        self.project, self.stage, self.clock = project, stage, clock
        self.params, self.extra = dict(params), dict(extra or {})
        self.input_files = list(inputs)
        missing = [project.relative(path) for path in self.input_files if not path.is_file()]
        if missing:
            raise InputError(
                f"stage {stage!r} needs {', '.join(missing)}, which does not exist. "
                f"Run the earlier stages first: `llmops run --stages {_before(missing)},{stage}`."
            )

    @property
    def file(self) -> Path:
        """The record's file."""
        return self.project.data(self.stage, "run.json")

    @cached_property
    def inputs(self) -> dict[str, str]:
        """SHA-256 of every input file by its path in the project."""
        found = hashes(self.project, sorted(self.input_files))
        return {self.project.relative(path): digest for path, digest in found.items()}

    @cached_property
    def code(self) -> str:
        """Fingerprint of the code the stage runs."""
        return code_sha256(f"flows.{self.stage}.stage")

    @cached_property
    def fingerprint(self) -> str:
        """What decides the result, as one id."""
        return content_id(self.stage, self.inputs, _plain(self.params), _plain(self.extra), self.code)

    def unchanged(self) -> RunRecord | None:
        """Return the last run's record when it still stands: nothing to do."""
        record = last_record(self.project, self.stage)
        if record is None or record.fingerprint != self.fingerprint or not outputs_intact(self.project, record):
            return None
        record.did_work = False
        return record

    @contextmanager
    def running(self) -> Iterator[RunRecord]:
        """Hold the stage's lock, yield the record to fill, and write it when the block ends well.

        Add outputs by `record.outputs[...]` through `add_outputs`; without that nothing is checked
        later. An exception leaves the previous record in place.
        """
        with writer_lock(self.project.state("locks", f"{self.stage}.lock"), what=f"stage {self.stage!r}"):
            record = self._blank(self.clock())
            yield record
            ended = self.clock()
            started = datetime.fromisoformat(record.started_at)  # a stage of several steps sets an earlier one
            record.ended_at = ended.isoformat(timespec="milliseconds")
            record.duration_s = round((ended - started).total_seconds(), 3)
            record.run_id = content_id(record.fingerprint, record.started_at)
            write_json(self.file, {key: value for key, value in asdict(record).items() if key != "did_work"})

    def _blank(self, started: datetime) -> RunRecord:
        return RunRecord(
            stage=self.stage,
            fingerprint=self.fingerprint,
            started_at=started.isoformat(timespec="milliseconds"),
            commit=git_commit(self.project.root),
            code_sha256=self.code,
            params=_plain(self.params),
            inputs=self.inputs,
            extra=_plain(self.extra),
            versions={"llmops": own_version(), "python": platform.python_version()},
        )

    def add_outputs(self, record: RunRecord, *paths: Path) -> None:
        """Record the SHA-256 of finished output files."""
        found = hashes(self.project, paths)
        record.outputs |= {self.project.relative(path): digest for path, digest in found.items()}


def last_record(project: Project, stage: str) -> RunRecord | None:
    """Return the stage's last finished run, or None when it never ran or its record is torn."""
    path = project.data(stage, "run.json")
    try:
        values = read_json(path, remedy=f"Run `llmops {stage}`")
        return RunRecord(**{item.name: values[item.name] for item in fields(RunRecord) if item.name != "did_work"})
    except (LlmopsError, KeyError, TypeError):
        return None


def outputs_intact(project: Project, record: RunRecord) -> bool:
    """Return whether every recorded output still has its recorded bytes; what stands still is not read again."""
    files = {project.root / name: expected for name, expected in record.outputs.items()}
    return all(path.is_file() for path in files) and hashes(project, files) == files


@cache
def git_commit(root: Path) -> str | None:
    """Return the commit the project stands at, with `+dirty` for local changes to tracked files."""
    try:
        head = _git(root, "rev-parse", "HEAD")
        return head + ("+dirty" if _git(root, "status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.SubprocessError):
        return None


def _git(root: Path, *args: str) -> str:
    done = subprocess.run(["git", "-C", str(root), *args], capture_output=True, text=True, timeout=10, check=True)
    return done.stdout.strip()


@cache
def own_version() -> str:
    """Return the installed version of this package, or `source` when it is not installed."""
    try:
        return version("llmops")
    except ModuleNotFoundError:
        return "source"


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return values as JSON holds them, so that fresh and stored ones compare equal."""
    import json

    plain: dict[str, Any] = json.loads(canonical_json(dict(values)))
    return plain


def _before(missing: Sequence[str]) -> str:
    return ",".join(dict.fromkeys(name.split("/")[1] for name in missing if name.startswith("data/")))

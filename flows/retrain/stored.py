"""Read what the other stages stored. What is not there is None, "not measured", and never "fine".

This is the only file of the room that opens others' files; everything after it is pure.
"""

from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from flows.core.errors import ContractError, LlmopsError
from flows.core.files import read_json
from flows.core.project import Project
from flows.core.runs import last_record
from flows.rag.release import ReleaseManifest, load_release, manifest_path, production_id

ALARMS, CHANNELS = "data/monitor/alarms.json", "data/monitor/channels.parquet"
VERDICT, METRICS = "data/evaluate/verdict.json", "data/evaluate/metrics.json"
INDEX, QUESTIONS = "data/embed/manifest.json", "data/testset/questions.parquet"
CURRENT = "data/release/current.json"
FILES = (ALARMS, CHANNELS, VERDICT, METRICS, INDEX, QUESTIONS, CURRENT)
CHUNKS = "data/ingest/chunks.parquet"
TRAFFIC_DAYS = 7  # a whole week, so that weekends count as often as they occur


class _Read(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", protected_namespaces=())


class Alarm(_Read):
    """A lasting change of a daily channel, as monitor reports it."""

    channel: str
    points_to: str
    day: date
    direction: str
    before: float
    after: float
    unit: str


class ProviderChange(_Read):
    """A requested model that another snapshot answers since `day`."""

    request_model: str
    day: date
    share: float


class Monitor(_Read):
    """`data/monitor/alarms.json`; `as_of` is None when there was no traffic."""

    as_of: date | None
    alarms: list[Alarm]
    provider_changes: list[ProviderChange]
    learning: list[str]
    counts: dict[str, int] = {}


class Judged(_Read):
    """The gate's word on one metric; `effect` in score units, above zero is better."""

    verdict: str
    effect: float | None = None


class Guarded(_Read):
    """The gate's word on one guardrail."""

    verdict: str
    low: float | None = None
    mean: float | None = None


class Verdict(_Read):
    """`data/evaluate/verdict.json`."""

    release_id: str
    verdict: str
    metrics: dict[str, Judged] = {}
    guardrails: dict[str, Guarded] = {}


@dataclass(frozen=True)
class Index:
    """SHA-256 of the chunks as they are and as they were embedded; None = no record of it."""

    chunks: str | None
    embedded: str | None


@dataclass(frozen=True)
class Production:
    """The release that answers, the one before it, and what is wrong with that one if it cannot be read."""

    current: ReleaseManifest
    previous: ReleaseManifest | None = None
    previous_problem: str | None = None


@dataclass(frozen=True)
class Stored:
    """All there is to decide on; None = that file does not exist."""

    monitor: Monitor | None = None
    answers_per_day: float | None = None
    verdict: Verdict | None = None
    metrics: dict[str, float] | None = None
    evaluated_on: date | None = None
    index: Index | None = None
    stale_share: float | None = None
    production: Production | None = None
    files: tuple[Path, ...] = field(default=(), compare=False)

    @property
    def as_of(self) -> date | None:
        """The last day that the evidence knows of: monitor's, else the day of the last evaluation."""
        return (self.monitor.as_of if self.monitor else None) or self.evaluated_on


Shape = TypeVar("Shape", bound=_Read)


def read(project: Project) -> Stored:
    """Read everything that is there.

    Raises:
        IntegrityError: A file is torn or was altered.
        ContractError: A file lacks a field; names the file and the fields.
    """
    metrics = _json(project, METRICS, "llmops evaluate")
    production, releases = _production(project)
    here = [project.root / name for name in FILES if (project.root / name).is_file()]
    return Stored(
        monitor=_parse(project, Monitor, ALARMS, "llmops monitor"),
        answers_per_day=_answers_per_day(project.root / CHANNELS),
        verdict=_parse(project, Verdict, VERDICT, "llmops evaluate"),
        metrics=metrics if isinstance(metrics, dict) else None,
        evaluated_on=_evaluated_on(project),
        index=_index(project),
        stale_share=_stale_share(project.root / QUESTIONS),
        production=production,
        files=(*here, *releases),
    )


def _json(project: Project, name: str, command: str) -> Any:
    path = project.root / name
    return read_json(path, remedy=f"Run `{command}`") if path.is_file() else None


def _parse(project: Project, shape: type[Shape], name: str, command: str) -> Shape | None:
    values = _json(project, name, command)
    try:
        return None if values is None else shape.model_validate(values)
    except ValidationError as error:
        broken = sorted({".".join(map(str, item["loc"])) or "the whole" for item in error.errors()})
        raise ContractError(
            f"{name!r} has {len(broken)} missing or wrong field(s): {', '.join(broken[:3])}. Run `{command} --force`."
        ) from None


def _evaluated_on(project: Project) -> date | None:
    record = last_record(project, "evaluate")
    return datetime.fromisoformat(record.started_at).date() if record else None


def _index(project: Project) -> Index | None:
    if not (project.root / INDEX).is_file():
        return None
    ingested, embedded = last_record(project, "ingest"), last_record(project, "embed")
    return Index(ingested.outputs.get(CHUNKS) if ingested else None, embedded.inputs.get(CHUNKS) if embedded else None)


def _stale_share(path: Path) -> float | None:
    if not path.is_file():
        return None
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    return pc.mean(pq.read_table(path, columns=["stale"])["stale"]).as_py()  # type: ignore[no-any-return]


def _answers_per_day(path: Path) -> float | None:
    """Return the mean number of answers over the last week of the busiest channel."""
    if not path.is_file():
        return None
    import pandas as pd

    table = pd.read_parquet(path, columns=["ds", "answers"])
    days = table.groupby("ds")["answers"].max().sort_index().tail(TRAFFIC_DAYS)
    return float(days.mean()) if len(days) else None


def _production(project: Project) -> tuple[Production | None, list[Path]]:
    current = production_id(project)
    if current is None:
        return None, []
    manifest, files = load_release(project, current), [manifest_path(project, current)]
    pointer = _json(project, CURRENT, "llmops release")
    if not (previous := pointer.get("previous")):
        return Production(manifest), files
    try:
        return Production(manifest, load_release(project, previous)), [*files, manifest_path(project, previous)]
    except LlmopsError as error:  # no reason to stop: it only means that nobody can roll back to it
        return Production(manifest, None, f"the previous release cannot be read ({type(error).__name__})"), files

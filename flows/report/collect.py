"""Read what the other stages left; whatever is missing is None and shown as not measured."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flows.core.errors import LlmopsError
from flows.core.files import read_json
from flows.core.project import STAGES, Project
from flows.core.runs import RunRecord, last_record

if TYPE_CHECKING:
    import pandas as pd

JSON_FILES = {
    "balance": "ingest/balance.json",
    "manifest": "embed/manifest.json",
    "rejections": "testset/rejections.json",
    "verdict": "evaluate/verdict.json",
    "metrics": "evaluate/metrics.json",
    "worst": "evaluate/worst.json",
    "components": "evaluate/components.json",
    "current": "release/current.json",
    "alarms": "monitor/alarms.json",
    "proposal": "retrain/proposal.json",
    "cost": "forecast/summary.json",
    "backtest": "forecast/backtest.json",
}
TABLE_FILES = {
    "quarantine": "ingest/quarantine.parquet",
    "questions": "testset/questions.parquet",
    "answers": "evaluate/answers.parquet",
    "scores": "evaluate/scores.parquet",
    "channels": "monitor/channels.parquet",
    "forecast": "forecast/forecast.parquet",
}


@dataclass(frozen=True)
class Facts:
    """Everything the page is made of."""

    json: dict[str, Any]
    tables: "dict[str, pd.DataFrame | None]"
    runs: dict[str, RunRecord | None]
    baseline_answers: "pd.DataFrame | None"
    said: list[dict[str, Any]] = field(default_factory=list)  # past forecasts, oldest first


def files(project: Project) -> list[Path]:
    """Return the artifacts that exist, in a fixed order; their content decides the page's."""
    runs = (f"{stage}/run.json" for stage in STAGES[:-1])
    names = ["forecast/said.jsonl", *JSON_FILES.values(), *TABLE_FILES.values(), *runs]
    return [path for name in sorted(names) if (path := project.data(*name.split("/"))).is_file()]


def collect(project: Project) -> Facts:
    """Read the artifacts."""
    found = {name: _json(project.data(*path.split("/"))) for name, path in JSON_FILES.items()}
    baseline = (found["verdict"] or {}).get("baseline_release_id")
    theirs = _table(project.data("evaluate", "baseline", baseline, "answers.parquet")) if baseline else None
    return Facts(
        json=found,
        tables={name: _table(project.data(*path.split("/"))) for name, path in TABLE_FILES.items()},
        runs={stage: last_record(project, stage) for stage in STAGES[:-1]},
        said=_lines(project.data("forecast", "said.jsonl")),
        baseline_answers=theirs,
    )


def _json(path: Path) -> Any:
    try:
        return read_json(path, remedy="Run `llmops run`")
    except LlmopsError:
        return None


def _lines(path: Path) -> list[dict[str, Any]]:
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    return [json.loads(line) for line in text.splitlines()]


def _table(path: Path) -> "pd.DataFrame | None":
    import pandas as pd

    return pd.read_parquet(path) if path.is_file() else None

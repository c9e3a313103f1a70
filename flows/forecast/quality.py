"""Set a scenario's cost beside the quality `evaluate` measured: the front, the cheapest model that is good enough.

Only what was measured counts: a model no release of which was ever evaluated has no quality here, whatever its name
promises. The guardrails are those of the last verdict.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from flows.core.contracts import SCORES
from flows.core.errors import LlmopsError
from flows.core.files import read_json
from flows.core.project import Project
from flows.core.tables import read_table

METRIC = "correctness"  # the axis of the front


def measured(project: Project) -> dict[str, dict[str, float]]:
    """Return the mean of every metric by chat model.

    What `llmops compare` measured comes first, an evaluation's numbers replace it, the candidate's those of others.
    """
    found = _compared(project)
    folders = sorted(project.data("evaluate", "baseline").glob("*"))
    for folder in [*folders, project.data("evaluate")]:
        if not (folder / "scores.parquet").is_file():
            continue
        scores = read_table(folder / "scores.parquet", SCORES, remedy="Run `llmops evaluate`")
        for release_id, rows in scores.groupby("release_id"):
            model = _model(project, str(release_id))
            if model:
                found[model] = {str(name): float(mean) for name, mean in rows.groupby("metric")["score"].mean().items()}
    return found


def _compared(project: Project) -> dict[str, dict[str, float]]:
    try:
        values = read_json(project.state("work", "evaluate", "compared.json"), remedy="Run `llmops compare`")
    except LlmopsError:
        return {}
    return {str(model): {str(name): float(mean) for name, mean in means.items()} for model, means in values.items()}


def _model(project: Project, release_id: str) -> str | None:
    for path in (project.data("release", "releases", f"{release_id}.json"), project.data("evaluate", "candidate.json")):
        try:
            manifest = read_json(path, remedy="Run `llmops evaluate`")
        except LlmopsError:
            continue
        if manifest.get("release_id", release_id) == release_id:
            return str(manifest["chat_model"])
    return None


def guardrails(project: Project) -> dict[str, tuple[float | None, float | None]]:
    """Return the interval of each metric that must hold by itself, of the last verdict."""
    try:
        verdict = read_json(project.data("evaluate", "verdict.json"), remedy="Run `llmops evaluate`")
    except LlmopsError:
        return {}
    return {name: (rail["low"], rail["high"]) for name, rail in (verdict.get("guardrails") or {}).items()}


def judged(
    rows: Sequence[Mapping[str, Any]], quality: Mapping[str, Mapping[str, float]],
    rails: Mapping[str, tuple[float | None, float | None]],
) -> dict[str, Any]:  # fmt: skip
    """Return the rows with what was measured, which of them are on the front, and the cheapest good enough.

    Args:
        rows: Of `whatif.replay`, with `model` and `usd`.
        quality: By model; see `measured`.
        rails: By metric; see `guardrails`.
    """
    known = [_judged(row, quality.get(_plain(str(row["model"]))), rails) for row in rows]
    both = [row for row in known if row["usd"] is not None and row["quality"] is not None]
    for row in known:
        row["on_front"] = row in both and not any(_beats(other, row) for other in both)
    good = [row for row in both if row["keeps_guardrails"]]
    cheapest = min(good, key=lambda row: row["usd"], default=None)
    return {"scenarios": known, "cheapest_that_keeps_guardrails": cheapest["model"] if cheapest else None}


def _plain(model: str) -> str:
    return model.rpartition("/")[2]


def _judged(row: Mapping[str, Any], metrics: Mapping[str, float] | None, rails: Mapping[str, Any]) -> dict[str, Any]:
    keeps = None
    if metrics is not None:
        keeps = bool(rails) and all(_inside(metrics.get(name), low, high) for name, (low, high) in rails.items())
    return {**row, "quality": None if metrics is None else metrics.get(METRIC), "keeps_guardrails": keeps}


def _inside(value: float | None, low: float | None, high: float | None) -> bool:
    return value is not None and (low is None or value >= low) and (high is None or value <= high)


def _beats(other: Mapping[str, Any], row: Mapping[str, Any]) -> bool:
    better = (other["usd"], -other["quality"]) <= (row["usd"], -row["quality"])
    dominates: bool = other["usd"] <= row["usd"] and other["quality"] >= row["quality"]
    return better and dominates and (other["usd"] < row["usd"] or other["quality"] > row["quality"])

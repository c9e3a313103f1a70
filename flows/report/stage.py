"""Stage `report`: one self-contained page for analysts, and its tables as Parquet and JSON beside it."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from flows.core.calls import log_sha256, read_calls
from flows.core.clock import Clock, utc_now
from flows.core.files import replacing, write_json, write_text
from flows.core.main import run_stage_main
from flows.core.progress import Progress, silent
from flows.core.project import Project
from flows.core.runs import Job, RunRecord
from flows.provider.params import ProviderParams
from flows.report.collect import Facts, collect, files
from flows.report.params import ReportParams

if TYPE_CHECKING:
    import pandas as pd

    from flows.report.page import Section


def run(
    project_dir: str = ".",
    *,
    force: bool = False,
    max_usd: float | None = None,
    progress: Progress = silent,
    clock: Clock = utc_now,
) -> RunRecord:
    """Write the page for analysts, each number linked to its artifact."""
    project = Project.open(project_dir)
    params = ReportParams.load(project)
    budgets = [budget.model_dump(mode="json") for budget in ProviderParams.load(project).budgets]
    extra = {"calls": log_sha256(project), "budgets": budgets}
    job = Job(project, "report", params=params.model_dump(mode="json"), inputs=files(project), extra=extra, clock=clock)
    if not force and (done := job.unchanged()):
        return done
    with job.running() as record:
        outputs = write(project, params)
        job.add_outputs(record, *outputs)
        record.counts = {"artifacts_read": len(job.input_files)}
        record.summary = f"page in {project.relative(outputs[0])}, made from {len(job.input_files)} artifacts"
    return record


def run_summary(project_dir: str = ".", *, force: bool = False, max_usd: float | None = None) -> str:
    """Run the stage and return its one-line summary."""
    return run(project_dir, force=force, max_usd=max_usd).summary


def write(project: Project, params: ReportParams) -> list[Path]:
    """Write the page and its tables; return the files, the page first."""
    from flows.report import budgets
    from flows.report.page import render
    from flows.report.quality import metric_table

    facts = collect(project)
    calls = read_calls(project)
    spent = daily_cost(calls)
    index = project.data("report", "index.html")
    subtitle = f"{project.root.name}: documents, quality, operations and cost, from the versioned artifacts"
    limits = budgets.table(calls, ProviderParams.load(project).budgets)
    parts = sections(facts, spent, limits, params)
    write_text(index, render(params.title, subtitle, parts))
    write_json(project.data("report", "report.json"), numbers(facts))
    tables = {"daily_cost": spent}
    if (scores := facts.tables["scores"]) is not None:
        tables["metrics"] = metric_table(scores)
    for name, frame in tables.items():
        with replacing(project.data("report", f"{name}.parquet")) as temporary:
            frame.to_parquet(temporary, compression="zstd", index=False)
    return [
        index,
        project.data("report", "report.json"),
        *(project.data("report", f"{name}.parquet") for name in tables),
    ]


def sections(facts: Facts, spent: "pd.DataFrame", limits: str, params: ReportParams) -> "list[Section]":
    """Return the page's sections in reading order: what was decided first, where it came from last."""
    from flows.report import evidence, forecasts, operations, quality, repair

    return [
        quality.verdict(facts, params),
        quality.metrics(facts, params),
        evidence.parts(facts, params),
        quality.worst(facts, params),
        operations.documents(facts, params),
        operations.index(facts, params),
        operations.monitoring(facts, params),
        repair.proposal(facts, params),
        operations.cost(facts, spent.tail(params.history_days), limits),
        forecasts.review(facts, spent),
        operations.lineage(facts, params),
    ]


def numbers(facts: Facts) -> dict[str, Any]:
    """Return the page's numbers as JSON: every JSON artifact, and each stage's counts and summary."""
    runs = {
        stage: {"run_id": record.run_id, "commit": record.commit, "counts": record.counts, "summary": record.summary}
        for stage, record in facts.runs.items()
        if record
    }
    return {"artifacts": {name: value for name, value in facts.json.items() if value is not None}, "runs": runs}


def daily_cost(calls: "pd.DataFrame") -> "pd.DataFrame":
    """Return cost and calls per UTC day and how many calls are unpriced: ds, cost_usd, calls, unpriced_calls."""
    day = calls["started_at"].dt.floor("D").rename("ds")
    priced = calls["cost_usd"].notna()
    grouped = calls.assign(unpriced=~priced).groupby(day)
    return grouped.agg(
        cost_usd=("cost_usd", "sum"), calls=("call_id", "size"), unpriced_calls=("unpriced", "sum")
    ).reset_index()


def main() -> None:
    """Run from the command line."""
    run_stage_main(run)


if __name__ == "__main__":
    main()

"""Stage `testset`: keep the questions that still hold, replace the others, publish why drafts were refused."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from flows.core.clock import Clock, utc_now
from flows.core.contracts import DOCUMENTS, QUESTIONS
from flows.core.errors import InputError, UsageError
from flows.core.files import write_json
from flows.core.main import run_stage_main
from flows.core.progress import Progress, silent
from flows.core.project import Project
from flows.core.runs import Job, RunRecord
from flows.core.tables import empty, read_table, write_table
from flows.rag.params import RagParams
from flows.testset.build import build
from flows.testset.closed import may_be_asked, without_closed
from flows.testset.filters import Rejections
from flows.testset.follow import Followed
from flows.testset.params import TestsetParams

if TYPE_CHECKING:
    import pandas as pd

Change = Callable[["pd.DataFrame", "pd.DataFrame"], "pd.DataFrame"]  # documents, stored questions -> questions


def run(
    project_dir: str = ".",
    *,
    force: bool = False,
    max_usd: float | None = None,
    progress: Progress = silent,
    clock: Clock = utc_now,
    change: Change | None = None,
) -> RunRecord:
    """Bring the test set up to date with the documents; `change` first edits the stored questions."""
    project = Project.open(project_dir)
    params = TestsetParams.load(project)
    job = job_of(project, clock=clock)
    if not (force or change) and (done := job.unchanged()):
        return done
    with job.running() as record:
        frame = documents_of(project)
        stored = stored_questions(project)
        known = change(frame, stored) if change else stored
        stored = without_closed(known, _all_documents(project), RagParams.load(project).access)
        if params.generator == "llm":
            from flows.testset.llm import proposing  # the provider is opened only where it is wanted

            with proposing(project, params, max_usd=max_usd, progress=progress) as proposer:
                made = build(frame, stored, params, propose=proposer.drafts, progress=progress)
            record.calls, record.cost_usd = proposer.calls, proposer.cost_usd
        else:
            made = build(frame, stored, params, progress=progress)
        table, rejections, followed = made
        retired = followed.retired + len(known) - len(stored)
        _publish(job, record, table, rejections, replace(followed, retired=retired))
    return record


def job_of(project: Project, *, clock: Clock = utc_now) -> Job:
    """Return the stage's job over everything that decides the test set."""
    params = TestsetParams.load(project).model_dump(mode="json")
    extra = {"access": list(RagParams.load(project).access)}
    return Job(project, "testset", params=params, inputs=[_documents(project)], extra=extra, clock=clock)


def _documents(project: Project) -> Path:
    return project.data("ingest", "documents.parquet")


def _all_documents(project: Project) -> "pd.DataFrame":
    return read_table(_documents(project), DOCUMENTS, remedy="Run `llmops ingest`")


def documents_of(project: Project) -> "pd.DataFrame":
    """Return the documents that are asked about: those that the release may read, since it has to answer.

    Raises:
        InputError: There are none.
    """
    held, frame = RagParams.load(project).access, _all_documents(project)
    asked = frame[may_be_asked(frame, held)].reset_index(drop=True)
    if len(frame) and asked.empty:
        raise InputError(
            f"none of {len(frame)} document(s) may be read with rag.access {list(held)}. Add their labels."
        )
    return asked


def stored_questions(project: Project) -> "pd.DataFrame":
    """Return the stored test set; no rows before the first run."""
    path = project.data("testset", "questions.parquet")
    if not path.exists():
        return empty(QUESTIONS)
    return read_table(path, QUESTIONS, remedy="Restore it (`dvc checkout`) or delete it to start a new test set")


def training_questions(project: Project) -> "pd.DataFrame":
    """Make the questions about the documents kept for training; they are stored nowhere and never asked.

    Raises:
        UsageError: No document is kept for training.
    """
    params = TestsetParams.load(project)
    if not params.train_share:
        raise UsageError("testset.train_share is 0: no document is kept for training. Set it, then `llmops testset`.")
    return build(documents_of(project), empty(QUESTIONS), params, split="train")[0]


def _publish(job: Job, record: RunRecord, table: "pd.DataFrame", rejections: Rejections, followed: Followed) -> None:
    folder = job.project.data("testset")
    write_table(folder / "questions.parquet", table, QUESTIONS)
    write_json(folder / "rejections.json", {"rejected": rejections.table()})
    job.add_outputs(record, folder / "questions.parquet", folder / "rejections.json")
    live = table[~table["stale"]]
    record.seed = record.params["seed"]
    record.counts = {
        "questions": len(live),
        "documents": int(live["document_id"].nunique()),
        "stale": int(table["stale"].sum()),
        "kept": sum(not item.stale for item in followed.questions),
        "moved": sum(item.moved and not item.stale for item in followed.questions),
        "retired": followed.retired,
        "new": len(table) - len(followed.questions),
        "rejected": sum(rejections.counts.values()),
        **{f"type_{name}": int(count) for name, count in sorted(Counter(live["question_type"]).items())},
    }
    record.summary = _summary(record.counts)


def _summary(counts: dict[str, int]) -> str:
    types = ", ".join(f"{count} {name.removeprefix('type_')}" for name, count in counts.items() if "type_" in name)
    return (
        f"{counts['questions']} questions about {counts['documents']} documents ({types or 'none'}): "
        f"{counts['new']} new, {counts['kept']} kept, {counts['stale']} stale, {counts['retired']} retired; "
        f"{counts['rejected']} drafts rejected"
    )


def run_summary(project_dir: str, *, force: bool = False, max_usd: float | None = None) -> str:
    """Run the stage and return its summary: the JSON-able form that a Prefect task returns."""
    return run(project_dir, force=force, max_usd=max_usd).summary


def main() -> None:
    """Run the stage from the command line."""
    run_stage_main(run)


if __name__ == "__main__":
    main()

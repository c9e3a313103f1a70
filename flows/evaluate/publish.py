"""Write what an evaluation found, below `data/evaluate/`; the record comes last (`flows.core.runs`)."""

from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flows.core.contracts import ANSWERS, CHUNKS, SCORES
from flows.core.files import read_json, write_json, write_text
from flows.core.runs import Job, RunRecord
from flows.core.tables import read_table, write_table
from flows.evaluate.challenges import sentence
from flows.evaluate.components import Component, components, flat
from flows.evaluate.components import sentence as weakest
from flows.evaluate.decide import Judgement, decide, overdue
from flows.evaluate.judge_trust import Report, Standing, reports, trusted_only
from flows.evaluate.looks import Look, at_look
from flows.evaluate.outputs import by_type, flat_metrics, verdict_json, worst_questions
from flows.evaluate.params import EvaluateParams
from flows.evaluate.plan import Plan
from flows.evaluate.undecided import evidence_for, smoke_verdict, with_verdict, without_judges

if TYPE_CHECKING:
    import pandas as pd

REMEDY = "Run `llmops evaluate`"


def publish(
    job: Job, record: RunRecord, todo: Plan, params: EvaluateParams, questions: "pd.DataFrame", *, notes: list[str],
    today: date, look: Look | None = None, looks: Mapping[str, Any] | None = None, judges: Sequence[Standing] = (),
) -> None:  # fmt: skip
    """Decide on the scores of the earlier steps and write every output of the stage."""
    folder = job.project.data("evaluate")
    answers, scores = _tables(job, todo.release_id)
    before, baseline = _tables(job, todo.baseline_id) if todo.baseline_id else (answers.iloc[:0], None)
    said_of = reports(job.project, judges, todo.release_id, scores)
    params, looks = at_look(trusted_only(params, judges), look), looks or {}
    params = without_judges(params) if looks.get("judges_skipped") else params
    if smoke := smoke_verdict(looks, scores):  # production was not asked
        before, baseline = answers.iloc[:0], None
    found = decide(scores, baseline, params, today=today, further=smoke)
    parts = _components(job, scores, questions, params)
    cost = None if answers["cost_usd"].isna().any() else float(answers["cost_usd"].sum())
    verdict = verdict_json(
        todo.release_id, todo.baseline_id, found, params,
        cost_usd=cost, overdue=overdue(params, today), notes=notes,
        evidence=evidence_for(
            found, scores, baseline, params, cost_per_answer=None if cost is None else cost / max(len(answers), 1),
            look=look, looks=looks,
        ),
        alpha_total=looks.get("alpha_total"),
        further=[*looks.get("said", []), *filter(None, [weakest(parts), sentence(scores)]), *_of_judges(said_of)],
        judges={one.standing.judge.name: one.to_json() for one in said_of},
    ) | {"looks": with_verdict(looks, found)}  # fmt: skip
    worst = worst_questions(scores, baseline, questions, params)
    written = _write(folder, answers, scores, {
        "candidate.json": read_json(_work(job, "candidate.json"), remedy=REMEDY),
        "metrics.json": flat_metrics(scores),
        "metrics_by_type.csv": by_type(scores),
        "worst.json": [row | _answer_ids(row["question_id"], answers, before) for row in worst],
        "components.json": [part.to_json() for part in parts],
        "components.csv": flat(parts),
        "verdict.json": verdict,
    })  # fmt: skip
    job.add_outputs(record, *written, *_keep_baseline(job, todo))
    record.counts = _counts(found, answers)
    record.summary = verdict["paragraph"]


def _counts(found: Judgement, answers: "pd.DataFrame") -> dict[str, int]:
    failed = int(answers["error"].notna().sum())
    sizes = {"questions": found.n_questions, "documents": found.n_documents}
    return sizes | {"answers": len(answers), "failed_answers": failed}


def _of_judges(found: Sequence[Report]) -> list[str]:
    return [said for one in found for said in one.sentences()]


def _write(folder: Path, answers: "pd.DataFrame", scores: "pd.DataFrame", others: Mapping[str, Any]) -> list[Path]:
    """Write both tables, and the others by their names as JSON or CSV; return the files."""
    write_table(folder / "answers.parquet", answers, ANSWERS)
    write_table(folder / "scores.parquet", scores, SCORES)
    for name, value in others.items():
        if name.endswith(".csv"):
            write_text(folder / name, value.to_csv(index=False))
        else:
            write_json(folder / name, value)
    return [folder / name for name in ("answers.parquet", "scores.parquet", *others)]


def _components(job: Job, scores: "pd.DataFrame", questions: "pd.DataFrame", params: EvaluateParams) -> list[Component]:
    path = job.project.data("ingest", "chunks.parquet")
    chunks = read_table(path, CHUNKS, remedy="Run `llmops ingest`") if path.exists() else None
    manifest = read_json(_work(job, "candidate.json"), remedy=REMEDY)
    return components(scores, questions, params, chain=manifest["chain"], chunks=chunks)


def _tables(job: Job, release_id: str) -> tuple["pd.DataFrame", "pd.DataFrame"]:
    answers = read_table(_work(job, f"{release_id}.answers.parquet"), ANSWERS, remedy=REMEDY)
    return answers, read_table(_work(job, f"{release_id}.scores.parquet"), SCORES, remedy=REMEDY)


def _answer_ids(question_id: str, answers: "pd.DataFrame", before: "pd.DataFrame") -> dict[str, list[str]]:
    """Name the answers to a question, so that a reader can lay both sides beside each other."""
    sides = {"candidate_answer_ids": answers, "baseline_answer_ids": before}
    return {name: list(side.loc[side["question_id"] == question_id, "answer_id"]) for name, side in sides.items()}


def _work(job: Job, name: str) -> Path:
    return job.project.state("work", "evaluate", name)


def _keep_baseline(job: Job, todo: Plan) -> list[Path]:
    """Freeze the baseline's answers and scores beside the verdict; the folder exists in any case."""
    folder = job.project.data("evaluate", "baseline")
    write_json(folder / "current.json", {"release_id": todo.baseline_id, "samples": todo.baseline_samples})
    if todo.baseline_id is None:
        return [folder / "current.json"]
    answers, scores = _tables(job, todo.baseline_id)
    write_table(folder / todo.baseline_id / "answers.parquet", answers, ANSWERS)
    write_table(folder / todo.baseline_id / "scores.parquet", scores, SCORES)
    return [folder / "current.json", *(folder / todo.baseline_id / f"{name}.parquet" for name in ("answers", "scores"))]

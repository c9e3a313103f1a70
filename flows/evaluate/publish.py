"""Write what an evaluation found, below `data/evaluate/`; the record comes last (`flows.core.runs`)."""

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from flows.core.contracts import ANSWERS, SCORES
from flows.core.files import read_json, write_json, write_text
from flows.core.runs import Job, RunRecord
from flows.core.tables import read_table, write_table
from flows.evaluate.challenges import sentence
from flows.evaluate.decide import Judgement, by_metric, decide, overdue
from flows.evaluate.evidence import Terms
from flows.evaluate.gateplan import Offer, offer, undecided
from flows.evaluate.looks import Look, at_look
from flows.evaluate.outputs import by_type, flat_metrics, verdict_json, worst_questions
from flows.evaluate.params import EvaluateParams
from flows.evaluate.plan import Plan
from flows.evaluate.registry import METRICS

if TYPE_CHECKING:
    import pandas as pd

REMEDY = "Run `llmops evaluate`"


def publish(
    job: Job,
    record: RunRecord,
    todo: Plan,
    params: EvaluateParams,
    questions: "pd.DataFrame",
    *,
    notes: list[str],
    today: date,
    look: Look | None = None,
) -> None:
    """Decide on the scores of the earlier steps and write every output of the stage."""
    folder = job.project.data("evaluate")
    answers, scores = _tables(job, todo.release_id)
    before, baseline = _tables(job, todo.baseline_id) if todo.baseline_id else (answers.iloc[:0], None)
    planned, params = params, at_look(params, look)
    found = decide(scores, baseline, params, today=today)
    cost = None if answers["cost_usd"].isna().any() else float(answers["cost_usd"].sum())
    verdict = verdict_json(
        todo.release_id, todo.baseline_id, found, params,
        cost_usd=cost, overdue=overdue(params, today), notes=notes,
        evidence=evidence_for(
            found, scores, baseline, planned, cost_per_answer=cost / len(answers) if cost else None, look=look
        ),
        further=[said] if (said := sentence(scores)) else [],
    )  # fmt: skip
    write_table(folder / "answers.parquet", answers, ANSWERS)
    write_table(folder / "scores.parquet", scores, SCORES)
    write_json(folder / "candidate.json", read_json(_work(job, "candidate.json"), remedy=REMEDY))
    write_json(folder / "metrics.json", flat_metrics(scores))
    write_text(folder / "metrics_by_type.csv", by_type(scores).to_csv(index=False))
    worst = worst_questions(scores, baseline, questions, params)
    write_json(folder / "worst.json", [row | _answer_ids(row["question_id"], answers, before) for row in worst])
    write_json(folder / "verdict.json", verdict)
    kept = _keep_baseline(job, todo)
    names = ("answers.parquet", "scores.parquet", "candidate.json", "metrics.json", "metrics_by_type.csv", "worst.json")
    job.add_outputs(record, *(folder / name for name in (*names, "verdict.json")), *kept)
    record.counts = {"questions": found.n_questions, "documents": found.n_documents, "answers": len(answers),
                     "failed_answers": int(answers["error"].notna().sum())}  # fmt: skip
    record.summary = verdict["paragraph"]


def evidence_for(
    found: Judgement, scores: "pd.DataFrame", baseline: "pd.DataFrame | None", params: EvaluateParams, *,
    cost_per_answer: float | None, look: Look | None = None,
) -> Offer:  # fmt: skip
    """Return what would decide the gated metrics that are inconclusive, at the price of today's answers."""
    theirs = {} if baseline is None else by_metric(baseline)
    specs = {name: METRICS[name].spec(params.margin(name)) for name in theirs}
    known = undecided(found.result.metrics, specs, theirs, by_metric(scores))
    terms = Terms(params.alpha, usd_per_call=cost_per_answer, tested=len(found.result.metrics))
    return offer(known, terms, look=look.number if look else None)


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

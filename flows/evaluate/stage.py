"""Stage `evaluate`: plan, answer, score, decide; each step leaves its result on disk for the next."""

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from flows.core.clock import Clock, utc_now
from flows.core.contracts import ANSWERS, QUESTIONS, SCORES
from flows.core.errors import InputError, IntegrityError
from flows.core.files import read_json, write_json
from flows.core.locks import writer_lock
from flows.core.main import run_stage_main
from flows.core.progress import Progress, silent
from flows.core.project import Project
from flows.core.runs import RunRecord
from flows.core.scope import one_run
from flows.core.tables import read_table, write_table
from flows.evaluate.answering import stored_answers, wanted
from flows.evaluate.buying import Ahead, record_json, sentences, walk
from flows.evaluate.cases import Case
from flows.evaluate.decide import overdue
from flows.evaluate.desk import LOOK_FILE, LOOKS_FILE, Both, work
from flows.evaluate.judge_stage import Side, forget_judged, judge_sides, with_judges
from flows.evaluate.judge_trust import standings, trusted_only
from flows.evaluate.looks import Buying, Look, alpha_total, planned_looks
from flows.evaluate.params import EvaluateParams
from flows.evaluate.plan import (
    QUESTIONS_FILE,
    Plan,
    baseline_of,
    buying_of,
    candidate_of,
    job_for,
    may_go_on,
    repeats_itself,
)
from flows.evaluate.publish import publish
from flows.evaluate.scoring import join, score_cases
from flows.provider.client import Provider, open_provider
from flows.rag.release import ReleaseManifest, load_release

if TYPE_CHECKING:
    import pandas as pd

REMEDY = "Run `llmops evaluate`"


def run(
    project_dir: str = ".",
    *,
    force: bool = False,
    max_usd: float | None = None,
    progress: Progress = silent,
    clock: Clock = utc_now,
) -> RunRecord:
    """Judge what params, prompts and index say now against production."""
    todo = plan(project_dir, force=force, max_usd=max_usd, clock=clock)
    if todo["unchanged"]:
        project = Project.open(project_dir)
        done = job_for(project, EvaluateParams.load(project), release_id=None, clock=clock).unchanged()
        if done is not None:
            return done
    answer(project_dir, todo, max_usd=max_usd, progress=progress, clock=clock)
    score(project_dir, todo)
    return decide(project_dir, todo, clock=clock)


def plan(
    project_dir: str = ".", *, force: bool = False, max_usd: float | None = None, clock: Clock = utc_now
) -> dict[str, Any]:
    """Build the candidate, find its baseline, and say whether the last verdict still stands.

    An inconclusive verdict does not stand when there is money to go on.

    Raises:
        InputError: There are no questions or no index yet.
    """
    project = Project.open(project_dir)
    params = EvaluateParams.load(project)
    started = clock()
    job = job_for(project, params, release_id=None, clock=clock)
    if not force and (done := job.unchanged()) and not may_go_on(project, max_usd):
        return Plan(done.extra["candidate"], done.extra["baseline"], 0, 0, True, done.summary).to_json()
    with open_provider(project, use_case="evaluation") as provider:
        candidate = candidate_of(project, provider)
    baseline = baseline_of(project, candidate.release_id)
    samples = params.baseline_samples
    if baseline and repeats_itself(load_release(project, baseline)):
        samples = 1
    for name in (LOOK_FILE, LOOKS_FILE):
        work(project, name).unlink(missing_ok=True)
    forget_judged(project)
    write_json(work(project, "candidate.json"), candidate.to_json())
    write_json(
        work(project, "usage.json"), {"started_at": started.isoformat(), "calls": 0, "cost_usd": 0.0, "notes": []}
    )
    todo = Plan(candidate.release_id, baseline, params.candidate_samples, samples)
    return replace(todo, buying=buying_of(project, todo, job.inputs[QUESTIONS_FILE], max_usd)).to_json()


def answer(
    project_dir: str,
    todo: dict[str, Any],
    *,
    max_usd: float | None = None,
    progress: Progress = silent,
    clock: Clock = utc_now,
) -> None:
    """Let candidate and baseline answer what they have not answered yet, look by look.

    Raises:
        TransientError: The provider is away; what was answered is kept, so running again goes on.
        BudgetError: The money does not suffice; likewise.
    """
    project = Project.open(project_dir)
    params, plan_, candidate = EvaluateParams.load(project), Plan(**todo), _candidate(project)
    blocked = "expired" in overdue(params, clock().date()).values()
    params = trusted_only(params, standings(project, params, candidate.chat_model))
    with (
        one_run(max_usd),
        writer_lock(project.state("locks", "evaluate-answer.lock"), what="the answers of stage 'evaluate'"),
        open_provider(project, use_case="evaluation", max_usd=max_usd, progress=progress) as provider,
    ):
        both = Both(
            project, provider, candidate, plan_, _questions(project), params, None if blocked else max_usd,
            lambda: _judge(project_dir, todo, max_usd, progress), lambda: score(project_dir, todo, deciding=True),
            progress,
        )  # fmt: skip
        try:
            _take_looks(both)
        finally:
            _add_usage(project, provider, both.notes)


def _take_looks(both: Both) -> None:
    """Take the planned looks, and lay down which were taken, which are ahead, and why there were no more."""
    params, buying = both.params, both.plan.buying
    early = params.early_looks and both.plan.baseline_id is not None
    later: Buying = "afterwards" if buying == "never" else buying
    looks, ahead = (
        list(planned_looks(both.questions, params, both.samples(), early=early, buying=how)) for how in (buying, later)
    )
    if not looks:
        return
    total = alpha_total(params, buying)
    smoke = both.smoke(looks[0])
    if smoke is not None:
        record = {
            "buying": buying,
            "alpha_total": total,
            "stopped": "smoke",
            "usable_share": smoke,
            "further": 0,
            "judges_skipped": True,
        }
        write_json(work(both.project, LOOKS_FILE), record)
        return
    tested = len(params.gated_metrics) + len(params.guardrails)
    walked = walk(looks, both.desk(), alpha=total, chance_min=params.evidence_chance_min, tested=tested)
    write_json(work(both.project, LOOK_FILE), walked.last.to_json())
    rest = [Ahead.of(look).to_json() for look in ahead if look.number > walked.last.number]
    price = both.usd_per_answer()
    write_json(work(both.project, LOOKS_FILE), record_json(walked, buying, total, price) | {
        "further": len(rest), "ahead": rest, "alpha_ahead": alpha_total(params, later),
        "said": sentences(walked, price), "judges_skipped": both.judges_skipped,
    })  # fmt: skip


def _judge(project_dir: str, todo: dict[str, Any], max_usd: float | None, progress: Progress) -> None:
    """Ask the judges of params.yaml, if there are any, about the answers of the look that lies in `LOOK_FILE`."""
    project = Project.open(project_dir)
    params = EvaluateParams.load(project)
    if not params.judges:
        return
    sides = [Side(release_id, cases) for release_id, _, cases in _answered(project, todo)]
    with open_provider(project, use_case="judge", max_usd=max_usd, progress=progress) as provider:
        try:
            judge_sides(project, provider, params, sides)
        finally:
            _add_usage(project, provider)


def _add_usage(project: Project, provider: Provider, notes: list[str] | None = None) -> None:
    path = work(project, "usage.json")
    seen, usage = read_json(path, remedy=REMEDY), provider.usage
    known = None not in (seen["cost_usd"], usage.cost_usd)
    write_json(path, seen | {
        "calls": seen["calls"] + usage.calls,
        "cost_usd": seen["cost_usd"] + usage.cost_usd if known else None,
        "notes": seen["notes"] if notes is None else notes,
    })  # fmt: skip


def score(project_dir: str, todo: dict[str, Any], *, deciding: bool = False) -> None:
    """Apply every scorer to the stored answers, the baseline's too: both by the same scorers.

    With `deciding` only the metrics that decide are scored: a look is judged in passing.
    """
    project = Project.open(project_dir)
    params = EvaluateParams.load(project)
    only = {*params.gated_metrics, *params.guardrails} if deciding else None
    for release_id, answers, cases in _answered(project, todo):
        scores = with_judges(project, release_id, score_cases(release_id, cases, params, only=only))
        write_table(work(project, f"{release_id}.answers.parquet"), answers, ANSWERS)
        write_table(work(project, f"{release_id}.scores.parquet"), scores, SCORES)


def _answered(project: Project, todo: dict[str, Any]) -> Iterator[tuple[str, "pd.DataFrame", list[Case]]]:
    """Yield the candidate, then production if there is one: id, answers, and these with their questions."""
    questions, plan_ = _asked(project), at(project, todo)
    sides = [(plan_.release_id, plan_.candidate_samples), (plan_.baseline_id, plan_.baseline_samples)]
    for release_id, samples in sides:
        if release_id is not None:
            answers = stored_answers(project, release_id, wanted(questions, samples))
            yield release_id, answers, join(questions, answers, _instructions(project, plan_, release_id))


def _instructions(project: Project, todo: Plan, release_id: str) -> str:
    """Return a release's system prompt; empty where an older release can no longer be read."""
    try:
        candidate = release_id == todo.release_id
        return (_candidate(project) if candidate else load_release(project, release_id)).prompt("answer").system
    except (InputError, IntegrityError):
        return ""


def _candidate(project: Project) -> ReleaseManifest:
    return ReleaseManifest.model_validate(read_json(work(project, "candidate.json"), remedy=REMEDY))


def decide(project_dir: str, todo: dict[str, Any], *, clock: Clock = utc_now) -> RunRecord:
    """Judge the scores and publish answers, scores, metrics and verdict."""
    project = Project.open(project_dir)
    params, plan_ = EvaluateParams.load(project), at(project, todo)
    usage = read_json(work(project, "usage.json"), remedy=REMEDY)
    job = job_for(project, params, release_id=plan_.release_id, clock=clock)
    with job.running() as record:
        publish(
            job, record, plan_, params, _asked(project), notes=usage["notes"], today=clock().date(),
            look=_look(project), looks=_looks(project), judges=standings(project, params, job.extra["chat_model"]),
        )  # fmt: skip
        record.started_at = usage["started_at"]
        record.calls, record.cost_usd, record.notes = usage["calls"], usage["cost_usd"], usage["notes"]
    return record


def _questions(project: Project) -> "pd.DataFrame":
    path = project.data("testset", "questions.parquet")
    return read_table(path, QUESTIONS, remedy="Run `llmops testset`")


def _look(project: Project) -> Look | None:
    """Return the look that was taken, if documents are asked about in looks."""
    path = work(project, LOOK_FILE)
    return Look(**read_json(path, remedy=REMEDY)) if path.exists() else None


def at(project: Project, todo: dict[str, Any]) -> Plan:
    """Return the plan with the samples of the look that was taken."""
    look, plan_ = _look(project), Plan(**todo)
    if look is None:
        return plan_
    return replace(plan_, candidate_samples=look.candidate_samples, baseline_samples=look.baseline_samples)


def _looks(project: Project) -> dict[str, Any]:
    """Return the record of the looks; empty when there was nothing to ask."""
    path = work(project, LOOKS_FILE)
    return dict(read_json(path, remedy=REMEDY)) if path.exists() else {}


def _asked(project: Project) -> "pd.DataFrame":
    """Return the questions that were to be answered: all, or those of the look that was taken."""
    look, questions = _look(project), _questions(project)
    return look.part(questions) if look else questions


def decide_summary(project_dir: str, todo: dict[str, Any]) -> str:
    """Run the last step and return the summary: the JSON-able form that a Prefect task returns."""
    return todo["summary"] if todo["unchanged"] else decide(project_dir, todo).summary


def run_summary(project_dir: str, *, force: bool = False, max_usd: float | None = None) -> str:
    """Run the stage and return its summary."""
    return run(project_dir, force=force, max_usd=max_usd).summary


def main() -> None:
    """Run the stage from the command line."""
    run_stage_main(run)


if __name__ == "__main__":
    main()

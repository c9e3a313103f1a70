"""Stage `evaluate`: plan, answer, score, decide; each step leaves its result on disk for the next."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flows.core.clock import Clock, utc_now
from flows.core.contracts import ANSWERS, QUESTIONS, SCORES
from flows.core.errors import BudgetError, InputError, IntegrityError
from flows.core.files import read_json, write_json
from flows.core.locks import writer_lock
from flows.core.main import run_stage_main
from flows.core.progress import Progress, silent
from flows.core.project import Project
from flows.core.runs import RunRecord
from flows.core.tables import read_table, write_table
from flows.evaluate.answering import answer_missing, stored_answers, wanted
from flows.evaluate.looks import Look, at_look, is_clear, planned_looks
from flows.evaluate.params import EvaluateParams
from flows.evaluate.plan import Plan, baseline_of, candidate_of, job_for, repeats_itself
from flows.evaluate.publish import publish
from flows.evaluate.scoring import join, score_cases
from flows.provider.client import Provider, open_provider
from flows.rag.release import ReleaseManifest, load_release

if TYPE_CHECKING:
    import pandas as pd

REMEDY = "Run `llmops evaluate`"
LOOK_FILE = "look.json"


def run(
    project_dir: str = ".",
    *,
    force: bool = False,
    max_usd: float | None = None,
    progress: Progress = silent,
    clock: Clock = utc_now,
) -> RunRecord:
    """Judge what params, prompts and index say now against production."""
    todo = plan(project_dir, force=force, clock=clock)
    if todo["unchanged"]:
        project = Project.open(project_dir)
        done = job_for(project, EvaluateParams.load(project), release_id=None, clock=clock).unchanged()
        if done is not None:
            return done
    answer(project_dir, todo, max_usd=max_usd, progress=progress)
    score(project_dir, todo)
    return decide(project_dir, todo, clock=clock)


def plan(project_dir: str = ".", *, force: bool = False, clock: Clock = utc_now) -> dict[str, Any]:
    """Build the candidate, find its baseline, and say whether the last verdict still stands.

    Raises:
        InputError: There are no questions or no index yet.
    """
    project = Project.open(project_dir)
    params = EvaluateParams.load(project)
    started = clock()
    if not force and (done := job_for(project, params, release_id=None, clock=clock).unchanged()):
        return Plan(done.extra["candidate"], done.extra["baseline"], 0, 0, True, done.summary).to_json()
    with open_provider(project, use_case="evaluation") as provider:
        candidate = candidate_of(project, provider)
    baseline = baseline_of(project, candidate.release_id)
    samples = params.baseline_samples
    if baseline and repeats_itself(load_release(project, baseline)):
        samples = 1
    _work(project, LOOK_FILE).unlink(missing_ok=True)
    write_json(_work(project, "candidate.json"), candidate.to_json())
    write_json(
        _work(project, "usage.json"), {"started_at": started.isoformat(), "calls": 0, "cost_usd": 0.0, "notes": []}
    )
    return Plan(candidate.release_id, baseline, params.candidate_samples, samples).to_json()


def answer(
    project_dir: str, todo: dict[str, Any], *, max_usd: float | None = None, progress: Progress = silent
) -> None:
    """Let candidate and baseline answer what they have not answered yet.

    Raises:
        TransientError: The provider is away; what was answered is kept, so running again goes on.
        BudgetError: The money does not suffice; likewise.
    """
    project = Project.open(project_dir)
    questions = _questions(project)
    plan_ = Plan(**todo)
    candidate = _candidate(project)
    notes: list[str] = []
    early = EvaluateParams.load(project).early_looks and plan_.baseline_id is not None
    with (
        writer_lock(project.state("locks", "evaluate-answer.lock"), what="the answers of stage 'evaluate'"),
        open_provider(project, use_case="evaluation", max_usd=max_usd, progress=progress) as provider,
    ):

        def ask(part: "pd.DataFrame") -> None:
            answer_missing(project, provider, candidate, wanted(part, plan_.candidate_samples), progress=progress)
            if plan_.baseline_id:
                notes[:] = _answer_baseline(project, provider, plan_, part, progress)

        try:
            if early:
                _ask_in_looks(project_dir, todo, questions, ask, notes)
            else:
                ask(questions)
        finally:
            _add_usage(project, provider, notes)


def _ask_in_looks(
    project_dir: str,
    todo: dict[str, Any],
    questions: "pd.DataFrame",
    ask: Callable[["pd.DataFrame"], None],
    notes: list[str],
) -> None:
    """Ask about a quarter of the documents more at a time, until the verdict is clear or the money is gone."""
    project, plan_ = Project.open(project_dir), Plan(**todo)
    params = EvaluateParams.load(project)
    said: list[str] = []
    for look in planned_looks(questions, params):
        try:
            ask(look.part(questions))
        except BudgetError:
            if look.number == 1:
                raise
            said = [
                f"The money did not suffice for look {look.number} of {look.of}; the one before was judged. To go on: "
                "`llmops evaluate --force` with more."
            ]
            break
        write_json(_work(project, LOOK_FILE), look.to_json())
        score(project_dir, todo)
        ours, theirs = (
            read_table(_work(project, f"{name}.scores.parquet"), SCORES, remedy=REMEDY)
            for name in (plan_.release_id, plan_.baseline_id)
        )
        if look.number < look.of and is_clear(ours, theirs, at_look(params, look)):
            said = [look.saved(questions, plan_.candidate_samples)]
            break
    notes += said


def _answer_baseline(
    project: Project, provider: Provider, todo: Plan, questions: "pd.DataFrame", progress: Progress
) -> list[str]:
    """Measure production where it was not measured yet; say what could not be, and go on."""
    release = load_release(project, str(todo.baseline_id))
    notes = [f"Production was measured {todo.baseline_samples} time(s) per question."]
    if repeats_itself(release):
        notes = ["Production was measured once per question: its model repeats itself at temperature 0."]
    try:
        asked = answer_missing(project, provider, release, wanted(questions, todo.baseline_samples), progress=progress)
    except (InputError, IntegrityError) as error:
        return [*notes, f"Production cannot be measured anew ({type(error).__name__}): {error}"]
    if asked and release.code_changed:
        notes.append("New answers of production were made by newer code than it was released with.")
    return notes


def _add_usage(project: Project, provider: Provider, notes: list[str]) -> None:
    path = _work(project, "usage.json")
    seen, usage = read_json(path, remedy=REMEDY), provider.usage
    known = None not in (seen["cost_usd"], usage.cost_usd)
    write_json(path, seen | {
        "calls": seen["calls"] + usage.calls,
        "cost_usd": seen["cost_usd"] + usage.cost_usd if known else None,
        "notes": notes,
    })  # fmt: skip


def score(project_dir: str, todo: dict[str, Any]) -> None:
    """Apply every scorer to the stored answers, the baseline's too: both by the same scorers."""
    project = Project.open(project_dir)
    params, questions, plan_ = EvaluateParams.load(project), _asked(project), Plan(**todo)
    sides = [(plan_.release_id, plan_.candidate_samples), (plan_.baseline_id, plan_.baseline_samples)]
    for release_id, samples in sides:
        if release_id is not None:
            answers = stored_answers(project, release_id, wanted(questions, samples))
            cases = join(questions, answers, _instructions(project, plan_, release_id))
            scores = score_cases(release_id, cases, params)
            write_table(_work(project, f"{release_id}.answers.parquet"), answers, ANSWERS)
            write_table(_work(project, f"{release_id}.scores.parquet"), scores, SCORES)


def _instructions(project: Project, todo: Plan, release_id: str) -> str:
    """Return a release's system prompt; empty where an older release can no longer be read."""
    try:
        candidate = release_id == todo.release_id
        return (_candidate(project) if candidate else load_release(project, release_id)).prompt("answer").system
    except (InputError, IntegrityError):
        return ""


def _candidate(project: Project) -> ReleaseManifest:
    return ReleaseManifest.model_validate(read_json(_work(project, "candidate.json"), remedy=REMEDY))


def decide(project_dir: str, todo: dict[str, Any], *, clock: Clock = utc_now) -> RunRecord:
    """Judge the scores and publish answers, scores, metrics and verdict."""
    project = Project.open(project_dir)
    params, plan_ = EvaluateParams.load(project), Plan(**todo)
    usage = read_json(_work(project, "usage.json"), remedy=REMEDY)
    job = job_for(project, params, release_id=plan_.release_id, clock=clock)
    with job.running() as record:
        publish(
            job, record, plan_, params, _asked(project), notes=usage["notes"], today=clock().date(), look=_look(project)
        )
        record.started_at = usage["started_at"]
        record.calls, record.cost_usd, record.notes = usage["calls"], usage["cost_usd"], usage["notes"]
    return record


def _questions(project: Project) -> "pd.DataFrame":
    path = project.data("testset", "questions.parquet")
    return read_table(path, QUESTIONS, remedy="Run `llmops testset`")


def _look(project: Project) -> Look | None:
    """Return the look that was taken, if documents are asked about in looks."""
    path = _work(project, LOOK_FILE)
    return Look(**read_json(path, remedy=REMEDY)) if path.exists() else None


def _asked(project: Project) -> "pd.DataFrame":
    """Return the questions that were to be answered: all, or those of the look that was taken."""
    look, questions = _look(project), _questions(project)
    return look.part(questions) if look else questions


def _work(project: Project, name: str) -> Path:
    return project.state("work", "evaluate", name)


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

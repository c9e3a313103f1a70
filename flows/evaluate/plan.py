"""Find out what is to be judged: the candidate, the release it must not be worse than, how often to ask.

The candidate is what params, prompts and index say now. Its baseline is the release in production;
when the candidate is in production itself, the one before it, so that promoting a release does not
make its own verdict out of date.
"""

from dataclasses import asdict, dataclass
from typing import Any

from flows.core.clock import Clock
from flows.core.files import read_json
from flows.core.project import Project
from flows.core.runs import Job, last_record
from flows.core.settings import load_settings
from flows.evaluate.decide import overdue
from flows.evaluate.judge_anchors import judge_files
from flows.evaluate.judge_trust import standings
from flows.evaluate.looks import Buying
from flows.evaluate.params import EvaluateParams
from flows.provider.client import Provider
from flows.provider.local.catalog import is_local
from flows.provider.params import ProviderParams
from flows.provider.session import resolve
from flows.rag.params import RagParams
from flows.rag.release import ReleaseManifest, build_candidate, load_step_prompt, production_id

QUESTIONS_FILE = "data/testset/questions.parquet"


@dataclass(frozen=True)
class Plan:
    """What the other steps have to do; plain values, so that a task can return it."""

    release_id: str
    baseline_id: str | None
    candidate_samples: int
    baseline_samples: int
    unchanged: bool = False
    summary: str = ""
    buying: Buying = "never"

    def to_json(self) -> dict[str, Any]:
        """Return the fields as JSON holds them."""
        return asdict(self)


def job_for(project: Project, params: EvaluateParams, *, release_id: str | None, clock: Clock) -> Job:
    """Return the stage's job over everything that decides a verdict.

    Args:
        project: The project.
        params: Section `evaluate`.
        release_id: The candidate; None = the one judged last, to see whether that still stands.
        clock: Its day decides which guardrail reviews are overdue.
    """
    rag, provider = RagParams.load(project), ProviderParams.load(project)
    chat, embedding = resolve(provider, load_settings())
    candidate = release_id or _judged_last(project)
    steps = {"answer": rag.prompt} | ({"rewrite": rag.rewrite_prompt} if rag.rewrite else {})
    prompts = [load_step_prompt(project, step, name) for step, name in steps.items()]
    judges = standings(project, params, chat)
    return Job(
        project,
        "evaluate",
        params={"evaluate": params.model_dump(mode="json"), "rag": rag.model_dump(mode="json")},
        inputs=[
            project.data("testset", "questions.parquet"),
            project.data("embed", "manifest.json"),
            *(project.root / prompt.path for prompt in prompts),
            *{path for one in judges for path in judge_files(project, one.judge)},
        ],
        extra={
            "chat_model": chat,
            "embedding_model": embedding,
            "candidate": candidate,
            "baseline": baseline_of(project, candidate),
            "overdue": overdue(params, clock().date()),
            "judges": {one.judge.name: one.judge.identity | {"calibration": one.calibration_id} for one in judges},
        },
        clock=clock,
    )


def _judged_last(project: Project) -> str | None:
    path = project.data("evaluate", "candidate.json")
    if not path.exists():
        return None
    values = read_json(path, remedy="Delete it and run `llmops evaluate`")
    return str(values["release_id"]) if isinstance(values, dict) and "release_id" in values else None


def baseline_of(project: Project, candidate: str | None) -> str | None:
    """Return the release that a candidate must not be worse than, or None when there is none."""
    production = production_id(project)
    if production is None or production != candidate:
        return production
    pointer = read_json(project.data("release", "current.json"), remedy="Run `llmops release`")
    previous = pointer.get("previous")
    return str(previous) if previous else None


def may_go_on(project: Project, max_usd: float | None) -> bool:
    """Return whether the last verdict is open, money is offered, and there is a look that it could buy."""
    path = project.data("evaluate", "verdict.json")
    if max_usd is None or not path.exists():
        return False
    verdict = read_json(path, remedy="Run `llmops evaluate --force`")
    looks = verdict.get("looks", {"further": 1})
    return verdict["verdict"] == "inconclusive" and bool(looks["further"])


def buying_of(project: Project, todo: Plan, questions_sha256: str, max_usd: float | None) -> Buying:
    """Return how further looks may be taken.

    A run that was planned with them keeps its plan, so that judging the same answers again says the same. Money
    that is offered after a verdict at full alpha buys looks that come on top of it.
    """
    was: Buying | None = None
    path, record = project.data("evaluate", "verdict.json"), last_record(project, "evaluate")
    if record is not None and path.exists():
        verdict = read_json(path, remedy="Run `llmops evaluate --force`")
        judged = (verdict["release_id"], verdict["baseline_release_id"], record.inputs.get(QUESTIONS_FILE))
        if judged == (todo.release_id, todo.baseline_id, questions_sha256):
            was = verdict.get("looks", {}).get("buying", "never")
    if was in ("planned", "afterwards") or max_usd is None:
        return was or "never"
    return "planned" if was is None else "afterwards"


def candidate_of(project: Project, provider: Provider) -> ReleaseManifest:
    """Bind what params, prompts and index say now into a release."""
    from flows.index.store import open_index

    index = open_index(project).manifest
    return build_candidate(project, chat_model=provider.chat_model, fingerprint=provider.fingerprint(), index=index)


def repeats_itself(release: ReleaseManifest) -> bool:
    """Return whether asking a release twice gives the same answer: a local model at temperature 0."""
    return is_local(release.chat_model) and release.model_params.temperature == 0

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
from flows.core.runs import Job
from flows.core.settings import load_settings
from flows.evaluate.decide import overdue
from flows.evaluate.params import EvaluateParams
from flows.provider.client import Provider
from flows.provider.local.catalog import is_local
from flows.provider.params import ProviderParams
from flows.provider.session import resolve
from flows.rag.params import RagParams
from flows.rag.release import ReleaseManifest, build_candidate, load_step_prompt, production_id


@dataclass(frozen=True)
class Plan:
    """What the other steps have to do; plain values, so that a task can return it."""

    release_id: str
    baseline_id: str | None
    candidate_samples: int
    baseline_samples: int
    unchanged: bool = False
    summary: str = ""

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
    return Job(
        project,
        "evaluate",
        params={"evaluate": params.model_dump(mode="json"), "rag": rag.model_dump(mode="json")},
        inputs=[
            project.data("testset", "questions.parquet"),
            project.data("embed", "manifest.json"),
            *(project.root / prompt.path for prompt in prompts),
        ],
        extra={
            "chat_model": chat,
            "embedding_model": embedding,
            "candidate": candidate,
            "baseline": baseline_of(project, candidate),
            "overdue": overdue(params, clock().date()),
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


def candidate_of(project: Project, provider: Provider) -> ReleaseManifest:
    """Bind what params, prompts and index say now into a release."""
    from flows.index.store import open_index

    index = open_index(project).manifest
    return build_candidate(project, chat_model=provider.chat_model, fingerprint=provider.fingerprint(), index=index)


def repeats_itself(release: ReleaseManifest) -> bool:
    """Return whether asking a release twice gives the same answer: a local model at temperature 0."""
    return is_local(release.chat_model) and release.model_params.temperature == 0

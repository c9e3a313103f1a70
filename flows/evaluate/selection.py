"""Which prompt, model and retrieval setting to take: measure combinations on the test set, side by side.

Each combination is a release that params.yaml could name. It answers by the stage's own steps and
into the stage's own store, so an answer is never paid twice, and it is held against what
params.yaml says now, question by question. Nothing is judged, registered or promoted: the best
of many looks better than it is, so what is chosen here still has to pass the gate.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flows.core.contracts import QUESTIONS
from flows.core.files import read_json, write_json
from flows.core.locks import writer_lock
from flows.core.progress import Progress, silent
from flows.core.project import Project
from flows.core.settings import load_settings
from flows.core.tables import read_table
from flows.evaluate.answering import answer_missing, stored_answers, wanted
from flows.evaluate.decide import by_metric
from flows.evaluate.front import Option, Place, places
from flows.evaluate.params import EvaluateParams, Guardrail
from flows.evaluate.registry import METRICS
from flows.evaluate.scoring import join, score_cases
from flows.provider.client import Provider, open_provider
from flows.provider.params import ProviderParams
from flows.provider.session import require_provider, resolve
from flows.rag.params import RagParams
from flows.rag.release import ReleaseManifest, build_candidate
from flows.stats.effects import Scores, paired_effect

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Combination:
    """One setting of everything that is compared."""

    prompt: str
    chat_model: str
    retrieval_mode: str
    retrieval_k: int


@dataclass(frozen=True)
class Measured:
    """What a combination was worth; None = unknown.

    Args:
        combination: What was measured.
        release_id: The release it would be.
        means: Mean score per measured metric.
        change: Quality minus that of the current params, above zero = better; None for those themselves.
        lower: One-sided bound of `change` at 1 - alpha: hardly worse than this.
        upper: Likewise: hardly better than this.
        option: Mean quality, mean cost of an answer, median latency.
        outside: Metrics whose mean lies outside their guardrail.
        place: On the front of quality, cost and latency, beaten, or unknown.
    """

    combination: Combination
    release_id: str
    means: dict[str, float]
    change: float | None
    lower: float | None
    upper: float | None
    option: Option
    outside: tuple[str, ...] = ()
    place: Place = "unknown"

    def to_json(self) -> dict[str, Any]:
        """Return the fields as JSON holds them."""
        return asdict(self)


def current(project: Project) -> Combination:
    """Return what params.yaml says now."""
    rag = RagParams.load(project)
    chat, _ = resolve(ProviderParams.load(project), load_settings())
    return Combination(rag.prompt, chat, rag.retrieval_mode, rag.retrieval_k)


def combinations(
    now: Combination,
    *,
    prompts: Sequence[str] = (),
    models: Sequence[str] = (),
    modes: Sequence[str] = (),
    ks: Sequence[int] = (),
) -> list[Combination]:
    """Return every combination once, the current one first; what is not given stays as it is."""
    axes = (prompts or [now.prompt], models or [now.chat_model], modes or [now.retrieval_mode], ks or [now.retrieval_k])
    return list(dict.fromkeys([now, *(Combination(*values) for values in product(*axes))]))


def compare(
    project: Project,
    todo: Sequence[Combination],
    *,
    metric: str,
    samples: int = 1,
    max_usd: float | None = None,
    progress: Progress = silent,
) -> list[Measured]:
    """Measure combinations; every later one is compared with the first.

    Args:
        project: A project with an index and a test set.
        todo: The combinations, the current one first.
        metric: What quality is: a metric that is a share and better when higher.
        samples: Answers per question.
        max_usd: Most this may cost, beside the limits in params.
        progress: Told about every answer.

    Raises:
        ParamsError: A prompt or a setting is wrong; before anything is asked.
        SettingsError: A model needs a provider that is not configured; likewise.
        TransientError: The provider is away; what was answered is kept.
        BudgetError: The money does not suffice; likewise.
    """
    params = EvaluateParams.load(project)
    questions = read_table(project.data("testset", "questions.parquet"), QUESTIONS, remedy="Run `llmops testset`")
    for item in todo:
        require_provider(item.chat_model, load_settings())
    lock = project.state("locks", "evaluate-answer.lock")
    with open_provider(project, use_case="evaluation", max_usd=max_usd, progress=progress) as provider:
        releases = [_release(project, provider, item) for item in todo]
        with writer_lock(lock, what="the answers of stage 'evaluate'"):
            for release in releases:
                answer_missing(project, provider, release, wanted(questions, samples), progress=progress)
    sides = [_scores(project, release, questions, params, samples) for release in releases]
    found = [
        _measured(item, release.release_id, side, sides[0], metric, params)
        for item, release, side in zip(todo, releases, sides, strict=True)
    ]
    front = places([one.option for one in found])
    _remember(project, found)
    return [replace(one, place=place) for one, place in zip(found, front, strict=True)]


def _remember(project: Project, found: Sequence[Measured]) -> None:
    """Leave the means by model for `llmops cost what-if`; of several combinations with a model, the first one's."""
    path = compared_file(project)
    known = read_json(path, remedy="Delete it") if path.exists() else {}
    write_json(path, known | {one.combination.chat_model: one.means for one in reversed(found)})


def compared_file(project: Project) -> Path:
    """Return where the last comparisons' means lie, {chat model: {metric: mean}}."""
    return project.state("work", "evaluate", "compared.json")


def _release(project: Project, provider: Provider, item: Combination) -> ReleaseManifest:
    from flows.index.store import open_index

    changes = {"prompt": item.prompt, "retrieval_mode": item.retrieval_mode, "retrieval_k": item.retrieval_k}
    rag = RagParams.parse(RagParams.load(project).model_dump() | changes, where="the combination")
    return build_candidate(
        project, chat_model=item.chat_model, fingerprint=provider.fingerprint(), index=open_index(project).manifest,
        params=rag,
    )  # fmt: skip


def _scores(
    project: Project, release: ReleaseManifest, questions: "pd.DataFrame", params: EvaluateParams, samples: int
) -> dict[str, Scores]:
    answers = stored_answers(project, release.release_id, wanted(questions, samples))
    cases = join(questions, answers, release.prompt("answer").system)
    return by_metric(score_cases(release.release_id, cases, params))


def _measured(
    item: Combination,
    release_id: str,
    ours: dict[str, Scores],
    first: dict[str, Scores],
    metric: str,
    params: EvaluateParams,
) -> Measured:
    import numpy as np

    means = {name: float(np.nanmean(scores.score)) for name, scores in ours.items() if not _empty(scores)}
    latency = None if "latency_ms" not in means else float(np.nanmedian(ours["latency_ms"].score))
    unpriced = "cost_usd" not in means or bool(np.isnan(ours["cost_usd"].score).any())
    option = Option(means.get(metric), None if unpriced else means["cost_usd"], latency)
    outside = tuple(name for name, rail in params.guardrails.items() if name in means and _misses(means[name], rail))
    if ours is first or metric not in ours or metric not in first:
        return Measured(item, release_id, means, None, None, None, option, outside)
    effect = paired_effect(first[metric], ours[metric], METRICS[metric].spec(params.margin(metric)), alpha=params.alpha)
    change, lower, upper = (None if np.isnan(value) else value for value in (effect.effect, effect.lower, effect.upper))
    return Measured(item, release_id, means, change, lower, upper, option, outside)


def _misses(mean: float, rail: Guardrail) -> bool:
    return (rail.low is not None and mean < rail.low) or (rail.high is not None and mean > rail.high)


def _empty(scores: Scores) -> bool:
    import numpy as np

    return bool(np.isnan(scores.score).all())

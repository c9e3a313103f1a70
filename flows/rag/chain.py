"""Run the chain that a release declares: rewrite → retrieve → answer → check, over many turns at once.

All turns go through a step together, so that questions are embedded by one request and models are
asked concurrently. A turn that fails keeps its place and says why; what stops everything (no key,
no money, a broken index) is an exception.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from flows.core.progress import Progress, silent
from flows.core.project import Project
from flows.provider.outcomes import clean
from flows.provider.requests import ChatResult
from flows.rag.release import ReleaseManifest, Retrieval
from flows.rag.steps import STEPS, Means, Work
from flows.rag.turns import Answer, Turn

if TYPE_CHECKING:
    from flows.index.store import Index
    from flows.provider.client import Provider

__all__ = ["Answer", "Turn", "answer_questions"]


def answer_questions(
    project: Project,
    provider: "Provider",
    release: ReleaseManifest,
    turns: Sequence[Turn],
    *,
    index: "Index | None" = None,
    progress: Progress = silent,
) -> list[Answer]:
    """Answer the turns with a release.

    Args:
        project: The project.
        provider: An open provider; its embedding model must be the release's.
        release: What answers; its prompts are taken from it, not from their files.
        turns: The questions.
        index: An open index; None = the version that the release pins.
        progress: Told about the retrieval; the provider reports its own calls.

    Returns:
        One answer per turn, in the order of the turns.

    Raises:
        InputError: The pinned index version is gone.
        IntegrityError: The index is damaged, or questions would be embedded by another model.
        LlmopsError: Whatever stops the provider as a whole: key, budget, outage.
    """
    works = [_begin(turn, release.retrieval) for turn in turns]
    if any(work.error is None for work in works):
        means = Means(provider, index or _pinned_index(project, release), release, progress)
        for step in release.chain:
            if alive := [work for work in works if work.error is None]:
                STEPS[step](means, alive)
    return [_finish(work) for work in works]


def _begin(turn: Turn, rules: Retrieval) -> Work:
    work = Work(turn, clean(turn.question).strip(), tuple(rules.access) if turn.access is None else turn.access)
    if not work.question:
        work.error = "question_empty"
    elif len(work.question) > rules.question_chars_max:
        work.error = "question_too_long"
    return work


def _pinned_index(project: Project, release: ReleaseManifest) -> "Index":
    from flows.index.store import open_index

    return open_index(project, release.index_tag)


def _finish(work: Work) -> Answer:
    results = [outcome for outcome in work.outcomes if isinstance(outcome, ChatResult)]
    costs = [outcome.cost_usd for outcome in work.outcomes]
    found = work.checked if work.error is None else None
    return Answer(
        text=found.text if found else "",
        refused=found.refused if found else False,
        format_valid=found.format_valid if found else False,
        citations=tuple(work.context.hits[place].chunk_id for place in found.cited) if found else (),
        retrieved=work.context.hits,
        call_ids=tuple(outcome.call_id for outcome in work.outcomes),
        input_tokens=sum(result.input_tokens for result in results),
        output_tokens=sum(result.output_tokens for result in results),
        latency_ms=sum(result.latency_ms for result in results) if results else None,
        cost_usd=None if None in costs else sum(cost for cost in costs if cost is not None),
        error=work.error,
        flags=found.flags if found else (),
        question=work.question,
        access=work.access,
    )

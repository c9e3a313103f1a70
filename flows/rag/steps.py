"""The steps a chain is made of; each takes all turns at once and writes what it found into them.

A turn that cannot go on gets a reason in a fixed word (`Work.error`) and is skipped by the steps
after it. The words of the provider (`truncated`, `content_filter`, …) are passed on unchanged.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from flows.core.progress import Progress
from flows.provider.requests import CallTags, ChatRequest, ChatResult, ProviderFailure
from flows.rag.checking import Checked, check_answer
from flows.rag.context import Context, neutralise, pack, planted_hit, render_history
from flows.rag.release import ReleaseManifest, require_same_embedding
from flows.rag.reranking import rerank
from flows.rag.turns import Turn

if TYPE_CHECKING:
    from flows.index.store import Hit, Index
    from flows.provider.client import Provider

SPARE = 2  # hits asked for per place of the context, since repeated texts take none


@dataclass(frozen=True)
class Means:
    """What the steps work with."""

    provider: "Provider"
    index: "Index"
    release: ReleaseManifest
    progress: Progress


@dataclass
class Work:
    """A turn on its way through the chain."""

    turn: Turn
    question: str
    access: tuple[str, ...]
    context: Context = field(default_factory=lambda: Context("", ()))
    outcomes: list[ChatResult | ProviderFailure] = field(default_factory=list)
    said: Mapping[str, Any] = field(default_factory=dict)
    checked: Checked | None = None
    error: str | None = None


def rewrite(means: Means, works: Sequence[Work]) -> None:
    """Let questions that follow on earlier turns stand alone; a first question already does."""
    following = [work for work in works if work.turn.history]
    asked = [
        {"history": render_history(work.turn.history), "question": neutralise(work.question)} for work in following
    ]
    _ask(means, "rewrite", following, asked)
    for work in following:
        work.question = str(work.said.get("question", "")).strip() or work.question


def retrieve(means: Means, works: Sequence[Work]) -> None:
    """Find chunks for all questions and pack them into contexts."""
    from flows.provider.tokens import count

    rules = means.release.retrieval
    counted = partial(count, model=means.release.chat_model)
    for work, hits in zip(works, _found(means, works), strict=True):
        planted = [planted_hit(work.turn.planted)] if work.turn.planted else []
        hits, places = [*planted, *hits], rules.k + len(planted)
        work.context = pack(hits, places=places, tokens_max=rules.context_tokens_max, count=counted)
        if hits and not work.context.hits:
            work.error = "context_too_small"


def _found(means: Means, works: Sequence[Work]) -> "list[list[Hit]]":
    """Return the hits of each question, best first, by the rules of the release."""
    rules, index = means.release.retrieval, means.index
    wanted = rules.mode != "text" or rules.rerank
    vectors = _embed(means, [work.question for work in works]) if wanted else [None] * len(works)
    found = []
    for done, (work, vector) in enumerate(zip(works, vectors, strict=True), start=1):
        found.append(index.search(work.question, vector, k=SPARE * rules.k, access=work.access, mode=rules.mode))
        means.progress("retrieve", done, len(works))
    if not rules.rerank:
        return found
    return rerank(found, vectors, partial(means.provider.embed, mode="document"), weight=rules.rerank)


def _embed(means: Means, questions: Sequence[str]) -> Any:
    require_same_embedding(asdict(means.provider.fingerprint()), means.release.embedding_fingerprint)
    return means.provider.embed(list(questions), mode="query")


def answer(means: Means, works: Sequence[Work]) -> None:
    """Ask the model each question with its context."""
    asked = [{"context": work.context.text, "question": neutralise(work.question)} for work in works]
    _ask(means, "answer", works, asked)


def check(means: Means, works: Sequence[Work]) -> None:
    """Check each answer against the chunks it was given."""
    words_min = means.release.retrieval.quote_words_min
    for work in works:
        work.checked = check_answer(work.said, [hit.text for hit in work.context.hits], quote_words_min=words_min)


def _ask(means: Means, step: str, works: Sequence[Work], asked: Sequence[Mapping[str, str]]) -> None:
    """Put one request per turn, all in one batch, and keep what came back with its turn."""
    if not works:
        return
    prompt, params = means.release.prompt(step), means.release.model_params
    requests = [
        ChatRequest(
            messages=prompt.render(values),
            tags=_tags(means, step, prompt.prompt_id, work),
            model=means.release.chat_model,
            temperature=params.temperature,
            max_output_tokens=params.max_output_tokens,
            seed=params.seed,
            response_schema=prompt.schema,
            sample=work.turn.sample,
        )
        for work, values in zip(works, asked, strict=True)
    ]
    for work, outcome in zip(works, means.provider.chat(requests), strict=True):
        work.outcomes.append(outcome)
        if isinstance(outcome, ProviderFailure):
            work.error = outcome.error_class
        elif outcome.parsed is None:
            work.error = "schema_mismatch"
        else:
            work.said = outcome.parsed


def _tags(means: Means, step: str, prompt_id: str, work: Work) -> CallTags:
    """Say in the calls log what the request was for, with which labels, and which chunks it carried."""
    hits = work.context.hits
    lineage = {"index_tag": means.index.manifest.tag, "chunk_ids": [hit.chunk_id for hit in hits]} if hits else {}
    return CallTags(
        step=step,
        release_id=means.release.release_id,
        conversation_id=work.turn.conversation_id,
        prompt_id=prompt_id,
        metadata={"access": list(work.access), **lineage},
    )


STEPS: dict[str, Callable[[Means, Sequence[Work]], None]] = {
    "rewrite": rewrite,
    "retrieve": retrieve,
    "answer": answer,
    "check": check,
}

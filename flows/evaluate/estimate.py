"""Estimate of `evaluate`: the answers that are missing, asked of a provider that sends nothing.

The chain itself makes the requests. Where the index is not built yet, chunks of the corpus stand in for what will be
retrieved: then the tokens are known to within `rag.context_tokens_max` a question, and so they are where a question's
vector is not in the cache.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import cycle, islice
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from flows.core.clock import Clock, utc_now
from flows.core.contracts import CHUNKS, QUESTIONS
from flows.core.errors import InputError, IntegrityError
from flows.core.project import Project
from flows.core.tables import read_table
from flows.evaluate.answering import known_answers, turn_of, wanted
from flows.evaluate.looks import planned_looks
from flows.evaluate.params import EvaluateParams
from flows.evaluate.plan import baseline_of, job_for, repeats_itself
from flows.index.manifest import published
from flows.index.store import open_index
from flows.provider.estimate import IDLE, Estimate, Span
from flows.provider.rehearsal import Rehearsal
from flows.provider.requests import EmbeddingFingerprint
from flows.rag.chain import answer_questions
from flows.rag.params import RagParams
from flows.rag.release import ReleaseManifest, build_candidate, load_release

if TYPE_CHECKING:
    import pandas as pd

UNKNOWN = (
    "evaluate: the questions are not made yet. `llmops run --stages ingest,testset` makes them, then this is known."
)
AHEAD = "evaluate: the index is not built yet; chunks of the corpus stand in for what will be retrieved"


@dataclass(frozen=True)
class _Side:
    """One release that answers, with the index it searches (None = the one it pins) and its answers per question."""

    release: ReleaseManifest
    index: Any
    samples: int


def estimate(
    project_dir: str = ".", *, force: bool = False, before: Collection[str] = (), clock: Clock = utc_now
) -> Estimate:
    """Return what the stage would ask.

    Args:
        project_dir: The project's folder.
        force: As for the stage: judge again, with the answers that are there.
        before: Earlier stages that have work to do first.
        clock: The moment whose prices hold.
    """
    project = Project.open(project_dir)
    params, path = EvaluateParams.load(project), project.data("testset", "questions.parquet")
    if {"ingest", "testset"} & set(before) or not path.is_file():
        return Estimate(known=False, notes=(UNKNOWN,))
    ahead = "embed" in before or published(project) is None
    if not (force or ahead) and job_for(project, params, release_id=None, clock=clock).unchanged():
        return IDLE
    rehearsal = Rehearsal(project, loose_tokens=RagParams.load(project).context_tokens_max, clock=clock)
    sides = list(_sides(project, params, rehearsal, ahead=ahead))
    questions = read_table(path, QUESTIONS, remedy="Run `llmops testset`")
    looks = params.early_looks and len(sides) > 1
    parts = [look.part(questions) for look in planned_looks(questions, params, early=looks)] or [questions]
    steps = list(_asked(project, rehearsal, sides, parts))
    return _from_first(steps[0], replace(steps[-1], notes=(*steps[-1].notes, *([AHEAD] if ahead else []))))


def _sides(project: Project, params: EvaluateParams, rehearsal: Rehearsal, *, ahead: bool) -> Iterator[_Side]:
    index: Any = _Corpus(project, rehearsal) if ahead else open_index(project)
    rehearsal.embedded = EmbeddingFingerprint(**index.manifest.fingerprint)
    candidate = build_candidate(
        project, chat_model=rehearsal.chat_model, fingerprint=rehearsal.fingerprint(), index=index.manifest
    )
    yield _Side(candidate, index, params.candidate_samples)
    if (name := baseline_of(project, candidate.release_id)) is not None:
        baseline = load_release(project, name)
        yield _Side(baseline, None, 1 if repeats_itself(baseline) else params.baseline_samples)


def _asked(
    project: Project, rehearsal: Rehearsal, sides: Sequence[_Side], parts: "Sequence[pd.DataFrame]"
) -> Iterator[Estimate]:
    """Ask about one part of the questions after the other, and yield the estimate so far after each."""
    known = [set(known_answers(project, side.release.release_id)["answer_id"]) for side in sides]
    notes: list[str] = []
    for part in parts:
        for side, answered in zip(sides, known, strict=True):
            name = side.release.release_id
            missing = [item for item in wanted(part, side.samples) if item.answer_id(name) not in answered]
            answered |= {item.answer_id(name) for item in missing}
            try:
                turns = [turn_of(item) for item in missing]
                answer_questions(project, rehearsal.provider, side.release, turns, index=side.index)
            except (InputError, IntegrityError) as error:
                notes.append(f"evaluate: production cannot be measured anew ({type(error).__name__})")
        yield rehearsal.estimate(*dict.fromkeys(notes))


def _from_first(first: Estimate, whole: Estimate) -> Estimate:
    """Return the whole with the first look as its least: an evaluation may stop there."""
    usd = None if first.usd is None or whole.usd is None else _least(first.usd, whole.usd)
    return replace(
        whole, calls=_least(first.calls, whole.calls), input_tokens=_least(first.input_tokens, whole.input_tokens),
        output_tokens=_least(first.output_tokens, whole.output_tokens), usd=usd,
    )  # fmt: skip


def _least(first: Span, whole: Span) -> Span:
    return replace(whole, low=min(first.low, whole.low))


class _Corpus:
    """Stands in for an index that is not built yet: its hits are chunks of the corpus, taken in turn."""

    def __init__(self, project: Project, rehearsal: Rehearsal) -> None:
        chunks = read_table(project.data("ingest", "chunks.parquet"), CHUNKS, remedy="Run `llmops ingest`")
        rows = zip(chunks["chunk_id"].tolist(), chunks["text"].tolist(), strict=True)
        self._hits = cycle([SimpleNamespace(chunk_id=name, text=text) for name, text in rows])
        model = rehearsal.embedding_model
        self.manifest: Any = SimpleNamespace(
            tag="", version=0, fingerprint={
                "model": model, "revision": "", "dims": 1, "normalised": True, "backend": "", "precision": "",
                "probe_sha256": "",
            },
        )  # fmt: skip

    def search(self, _text: str, _vector: Any, *, k: int, **_options: Any) -> list[Any]:
        """Return `k` chunks, whatever is looked for."""
        return list(islice(self._hits, k))

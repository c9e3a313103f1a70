"""Estimate of `evaluate`: the answers and judgements that are missing, asked of a provider that sends nothing.

The chain and the judges themselves make the requests, look by look as the stage does. Where the index is not built yet,
chunks of the corpus stand in for what will be retrieved: then the tokens are known to within `rag.context_tokens_max` a
question, and so they are where a question's vector is not in the cache. Judges read answers that nobody has given yet.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import cycle, islice
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from flows.core.clock import Clock, utc_now
from flows.core.contracts import ANSWERS, CHUNKS, QUESTIONS
from flows.core.errors import InputError, IntegrityError
from flows.core.ids import sha256
from flows.core.project import Project
from flows.core.tables import check, read_table
from flows.evaluate.answering import Wanted, known_answers, row_of, turn_of, wanted
from flows.evaluate.buying import smoke_look
from flows.evaluate.judge_stage import Side, judge_side
from flows.evaluate.judges import load_judges
from flows.evaluate.looks import Look, Samples, planned_looks
from flows.evaluate.params import EvaluateParams
from flows.evaluate.plan import baseline_of, job_for, repeats_itself
from flows.evaluate.scoring import join
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

UNKNOWN = "evaluate: its questions are not known before ingest and testset ran: `llmops run --stages ingest,testset`."
AHEAD = "evaluate: the index is not built yet, or of another model; chunks of the corpus stand in for hits"
JUDGED = "evaluate: judges read answers that are not given yet, each up to rag.max_output_tokens long"


@dataclass
class _Release:
    """One release that answers, the index it searches (None = the one it pins), and its answers so far by id."""

    release: ReleaseManifest
    index: Any
    samples: int
    rows: dict[str, dict[Any, Any]] = field(default_factory=dict)


def estimate(
    project_dir: str = ".", *, force: bool = False, before: Collection[str] = (), clock: Clock = utc_now
) -> Estimate:
    """Return what the stage would ask without further money offered (`--max-usd` may buy more looks).

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
    rehearsal = Rehearsal(project, loose_tokens=RagParams.load(project).context_tokens_max, clock=clock)
    index = published(project)
    ahead = "embed" in before or index is None or index.fingerprint["model"] != rehearsal.embedding_model
    if not (force or ahead) and job_for(project, params, release_id=None, clock=clock).unchanged():
        return IDLE
    sides = list(_sides(project, params, rehearsal, ahead=ahead))
    questions = read_table(path, QUESTIONS, remedy="Run `llmops testset`")
    ours, theirs = sides[0], sides[1] if len(sides) > 1 else None
    repeats = [repeats_itself(side.release) for side in sides]
    samples = Samples(ours.samples, theirs.samples if theirs else 0, repeats[0], repeats[-1])
    looks = list(planned_looks(questions, params, samples, early=params.early_looks and theirs is not None))
    if not looks:
        return IDLE
    steps = list(_Asked(project, params, rehearsal, sides, questions).looks(looks))
    return _from_first(steps[0], replace(steps[-1], notes=(*steps[-1].notes, *([AHEAD] if ahead else []))))


def _sides(project: Project, params: EvaluateParams, rehearsal: Rehearsal, *, ahead: bool) -> Iterator[_Release]:
    index: Any = _Corpus(project, rehearsal) if ahead else open_index(project)
    rehearsal.embedded = EmbeddingFingerprint(**index.manifest.fingerprint)
    candidate = build_candidate(
        project, chat_model=rehearsal.chat_model, fingerprint=rehearsal.fingerprint(), index=index.manifest
    )
    yield _Release(candidate, index, params.candidate_samples)
    if (name := baseline_of(project, candidate.release_id)) is not None:
        baseline = load_release(project, name)
        yield _Release(baseline, None, 1 if repeats_itself(baseline) else params.baseline_samples)


@dataclass
class _Asked:
    """The looks of an evaluation, asked of a rehearsal."""

    project: Project
    params: EvaluateParams
    rehearsal: Rehearsal
    sides: Sequence[_Release]
    questions: "pd.DataFrame"
    notes: list[str] = field(default_factory=list)

    def looks(self, looks: Sequence[Look]) -> Iterator[Estimate]:
        """Ask about one look after the other, and yield the estimate so far after each."""
        for side in self.sides:
            known = known_answers(self.project, side.release.release_id).to_dict("records")
            side.rows = {row["answer_id"]: row for row in known}
        smoke = smoke_look(looks[0], self.questions, self.params)
        self._answer(self.sides[0], wanted(smoke.part(self.questions), 1))
        for look in looks:
            part, counts = look.part(self.questions), (look.candidate_samples, look.baseline_samples)
            todo = [wanted(part, samples) for _, samples in zip(self.sides, counts, strict=False)]
            for side, items in zip(self.sides, todo, strict=True):
                self._answer(side, items)
            if self.params.judges:
                self._judge(part, todo)
            yield self.rehearsal.estimate(*dict.fromkeys(self.notes))

    def _answer(self, side: _Release, items: Sequence[Wanted]) -> None:
        name = side.release.release_id
        self.rehearsal.blind |= "rewrite" in side.release.chain  # nobody knows the question that will be asked
        missing = [item for item in items if item.answer_id(name) not in side.rows]
        try:
            turns = [turn_of(item) for item in missing]
            found = answer_questions(self.project, self.rehearsal.provider, side.release, turns, index=side.index)
        except (InputError, IntegrityError) as error:
            self.notes.append(f"evaluate: production cannot be measured anew ({type(error).__name__})")
            return
        rows = [row_of(name, item, answer) for item, answer in zip(missing, found, strict=True)]
        side.rows |= {row["answer_id"]: row for row in rows}

    def _judge(self, part: "pd.DataFrame", todo: Sequence[Sequence[Wanted]]) -> None:
        """Ask the judges about every answer; only those that know their anchors will be, so all this may happen."""
        import pandas as pd

        params = self.params.model_copy(update={"judge_anchors_right_min": 0.0})
        shown = []
        for side, items in zip(self.sides, todo, strict=True):
            name = side.release.release_id
            rows = [side.rows[key] for item in items if (key := item.answer_id(name)) in side.rows]
            answers = check(pd.DataFrame(rows, columns=list(ANSWERS.columns)), ANSWERS)
            shown.append(Side(name, join(part, answers, side.release.prompt("answer").system)))
        self.rehearsal.blind |= any(row["answer"] == "" for side in self.sides for row in side.rows.values())
        self.rehearsal.sure = False
        self.notes.append(JUDGED)
        against = shown[1].cases if len(shown) > 1 else ()
        for judge in load_judges(self.project, params, self.rehearsal.chat_model):
            for one in shown:
                judge_side(self.project, self.rehearsal.provider, judge, params, one, shown[0], against)
        self.rehearsal.sure = True


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
    """Stands in for an index that is not built yet: its hits are chunks of the corpus, the same for equal questions."""

    def __init__(self, project: Project, rehearsal: Rehearsal) -> None:
        chunks = read_table(project.data("ingest", "chunks.parquet"), CHUNKS, remedy="Run `llmops ingest`")
        names = ["chunk_id", "document_id", "document_version", "start", "end", "text"]
        rows = zip(*(chunks[name].tolist() for name in names), strict=True)
        self._hits = [SimpleNamespace(score=0.0, **dict(zip(names, row, strict=True))) for row in rows]
        model = rehearsal.embedding_model
        self.manifest: Any = SimpleNamespace(
            tag="", version=0, fingerprint={
                "model": model, "revision": "", "dims": 1, "normalised": True, "backend": "", "precision": "",
                "probe_sha256": "",
            },
        )  # fmt: skip

    def search(self, text: str, _vector: Any, *, k: int, **_options: Any) -> list[Any]:
        """Return `k` chunks, which have nothing to do with the question but their number and size."""
        first = int(sha256(text)[:8], 16) % len(self._hits)
        return list(islice(cycle(self._hits), first, first + k))

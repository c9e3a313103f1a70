"""Answer one question as production would, and say what answered: for `llmops ask`.

Production answers; before the first promotion there is none, so the candidate that the current
parameters describe answers instead, and the reply says so.
"""

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

from flows.core.errors import ProviderRefusedError, UsageError
from flows.core.project import Project
from flows.core.settings import Settings
from flows.rag.chain import Turn, answer_questions
from flows.rag.release import (
    ReleaseManifest,
    build_candidate,
    load_release,
    production_release,
    require_same_embedding,
)
from flows.rag.turns import Answer

if TYPE_CHECKING:
    from flows.index.search import Hit
    from flows.index.store import Index
    from flows.provider.client import Provider

State = Literal["production", "candidate", "chosen"]
USE_CASE = "answer"


@dataclass(frozen=True)
class Reply:
    """An answer and what gave it.

    `state` is `chosen` for a release that the caller named; `index_tag` is the index that was read,
    which is another than the release's when the caller named a version.
    """

    answer: Answer
    release: ReleaseManifest
    state: State
    index_tag: str

    def cited(self) -> list[tuple[int, "Hit"]]:
        """Return the cited chunks with the numbers they have in the text, in the order of first mention."""
        numbers = {hit.chunk_id: number for number, hit in enumerate(self.answer.retrieved, start=1)}
        return [(numbers[chunk], self.answer.retrieved[numbers[chunk] - 1]) for chunk in self.answer.citations]

    def origin(self) -> str:
        """Say in one line which release, prompt, model and index answered."""
        release = self.release
        state = {"candidate": "candidate (nothing is in production yet)", "chosen": "chosen"}.get(
            self.state, self.state
        )
        note = "; its code differs from the released code" if release.code_changed else ""
        own = "" if self.index_tag == release.index_tag else f" instead of its own {release.index_tag}"
        prompt = release.prompts["answer"]
        return (
            f"{state} release {release.release_id[:12]}: prompt {prompt.name}@{prompt.version}, "
            f"model {release.chat_model}, index {self.index_tag}{own}, reading {', '.join(self.answer.access)}{note}"
        )

    def to_json(self) -> dict[str, Any]:
        """Return the answer with its whole lineage, ready for `json.dumps`."""
        lineage = {"release": self.release.to_json(), "index_tag": self.index_tag}
        return {"state": self.state, **lineage, "answer": asdict(self.answer)}


def ask(
    project: Project,
    question: str,
    *,
    release: str | None = None,
    index_version: int | str | None = None,
    access: tuple[str, ...] | None = None,
    settings: Settings | None = None,
) -> Reply:
    """Answer a question.

    Args:
        project: The project.
        question: What is asked.
        release: Id of a registered release; None = production, or the candidate before there is one.
        index_version: Number or tag of the index version to read; None = the one that the release pins.
        access: Labels that the asker holds; None = those of the release.
        settings: The environment; None = read it.

    Raises:
        UsageError: The question is empty or too long.
        InputError: There is no index yet, no such release or version, or the version has no access labels.
        IntegrityError: That version was embedded by another model than the one for questions.
        ProviderRefusedError: The model gave no usable answer.
    """
    from flows.provider.client import open_provider

    with open_provider(project, use_case=USE_CASE, settings=settings) as provider:
        chosen, state = choose_release(project, provider, release)
        index = _index(project, provider, index_version or chosen.index_tag)
        answer = answer_questions(project, provider, chosen, [Turn(question, access=access)], index=index)[0]
    if answer.error in {"question_empty", "question_too_long"}:
        raise UsageError(
            f"the question is {answer.error.rsplit('_', 1)[-1]}. Ask in 1 to "
            f"{chosen.retrieval.question_chars_max:,} characters."
        )
    if answer.error:
        raise ProviderRefusedError(
            f"model {chosen.chat_model!r} gave no usable answer: {answer.error} (calls {list(answer.call_ids)}). "
            "Look the call up in data/calls, or ask again."
        )
    return Reply(answer, chosen, state, index.manifest.tag)


def _index(project: Project, provider: "Provider", version: int | str) -> "Index":
    from flows.index.store import open_index

    index = open_index(project, version)
    require_same_embedding(asdict(provider.fingerprint()), index.manifest.fingerprint)
    return index


def choose_release(project: Project, provider: "Provider", release: str | None) -> tuple[ReleaseManifest, State]:
    """Return the release that is to answer, and why it."""
    from flows.index.store import open_index

    if release is not None:
        return load_release(project, release), "chosen"
    if production := production_release(project):
        return production, "production"
    index = open_index(project).manifest
    fingerprint = provider.fingerprint()
    return build_candidate(project, chat_model=provider.chat_model, fingerprint=fingerprint, index=index), "candidate"

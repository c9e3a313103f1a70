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
from flows.rag.release import ReleaseManifest, build_candidate, load_release, production_release
from flows.rag.turns import Answer

if TYPE_CHECKING:
    from flows.index.search import Hit
    from flows.provider.client import Provider

State = Literal["production", "candidate", "chosen"]
USE_CASE = "answer"


@dataclass(frozen=True)
class Reply:
    """An answer and what gave it; `state` is `chosen` for a release that the caller named."""

    answer: Answer
    release: ReleaseManifest
    state: State

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
        prompt = release.prompts["answer"]
        return (
            f"{state} release {release.release_id[:12]}: prompt {prompt.name}@{prompt.version}, "
            f"model {release.chat_model}, index {release.index_tag}{note}"
        )

    def to_json(self) -> dict[str, Any]:
        """Return the answer with its whole lineage, ready for `json.dumps`."""
        return {"state": self.state, "release": self.release.to_json(), "answer": asdict(self.answer)}


def ask(project: Project, question: str, *, release: str | None = None, settings: Settings | None = None) -> Reply:
    """Answer a question.

    Args:
        project: The project.
        question: What is asked.
        release: Id of a registered release; None = production, or the candidate before there is one.
        settings: The environment; None = read it.

    Raises:
        UsageError: The question is empty or too long.
        InputError: There is no index yet, or no such release.
        ProviderRefusedError: The model gave no usable answer.
    """
    from flows.provider.client import open_provider

    with open_provider(project, use_case=USE_CASE, settings=settings) as provider:
        chosen, state = choose_release(project, provider, release)
        answer = answer_questions(project, provider, chosen, [Turn(question)])[0]
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
    return Reply(answer, chosen, state)


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

"""A release of this project's chain as a target: the candidate, production, or one that is registered.

It answers by the stage's own steps and into the stage's own store, so an answer is paid once, whichever
command asked first. The project's release state is read and never written.
"""

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from flows.core.errors import InputError, UsageError, first_three
from flows.core.locks import writer_lock
from flows.core.progress import Progress
from flows.core.project import Project
from flows.evaluate.answering import Wanted, answer_missing, stored_answers
from flows.evaluate.plan import candidate_of, repeats_itself
from flows.evaluate.replies import Reply
from flows.evaluate.targets import Given
from flows.provider.client import open_provider
from flows.rag.release import ReleaseManifest, load_release, production_id

if TYPE_CHECKING:
    import pandas as pd


class Release:
    """One release.

    Args:
        project: The project.
        spec: `candidate`, `production`, or an id of which eight digits suffice.
        max_usd: Most this may spend, beside the limits in params.

    Raises:
        InputError: It is not registered, nothing is in production, or there is no index.
    """

    def __init__(self, project: Project, spec: str, *, max_usd: float | None = None) -> None:
        self._project, self._max_usd = project, max_usd
        self._manifest = _manifest(project, spec)
        self.target_id = self._manifest.release_id
        self.name = f"release {self.target_id[:8]}"
        self.repeats_itself = repeats_itself(self._manifest)

    def answer(self, todo: Sequence[Wanted], *, progress: Progress) -> Given:
        """Answer what was never answered, and return everything."""
        project, wanted = self._project, list(todo)
        with (
            writer_lock(project.state("locks", "evaluate-answer.lock"), what="the answers of stage 'evaluate'"),
            open_provider(project, use_case="evaluation", max_usd=self._max_usd, progress=progress) as provider,
        ):
            answer_missing(project, provider, self._manifest, wanted, progress=progress)
            usage = provider.usage
        answers = {
            (row["question_id"], row["sample"]): row
            for row in _records(stored_answers(project, self.target_id, wanted))
        }
        replies = [_reply(answers[item.question_id, item.sample]) for item in wanted]
        return Given(replies, [], self._manifest.prompt("answer").system, usage.calls, usage.cost_usd)


def _manifest(project: Project, spec: str) -> ReleaseManifest:
    if spec == "candidate":
        with open_provider(project, use_case="evaluation") as provider:
            return candidate_of(project, provider)
    if spec == "production":
        name = production_id(project)
        if name is None:
            raise InputError("nothing is in production. Run `llmops release`, or name another target.")
        return load_release(project, name)
    known = sorted(path.stem for path in project.data("release", "releases").glob(f"{spec}*.json"))
    if len(known) > 1:
        raise UsageError(f"{spec!r} begins {len(known)} releases: {first_three(known)}. Give more digits.")
    return load_release(project, known[0] if known else spec)


def _records(frame: "pd.DataFrame") -> list[Mapping[Any, Any]]:
    return list(frame.astype(object).where(frame.notna(), None).to_dict("records"))


def _reply(row: Mapping[Any, Any]) -> Reply:
    return Reply(
        answer=row["answer"], refused=bool(row["refused"]), format_valid=bool(row["format_valid"]),
        contexts=tuple(json.loads(row["retrieved"])), citations=tuple(json.loads(row["citations"])),
        latency_ms=row["latency_ms"], cost_usd=row["cost_usd"], input_tokens=row["input_tokens"],
        output_tokens=row["output_tokens"], error=row["error"], call_ids=tuple(json.loads(row["call_ids"])),
    )  # fmt: skip

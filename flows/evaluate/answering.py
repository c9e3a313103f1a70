"""Let a release answer what it has not answered yet; nothing is asked, or paid, twice.

An answer is identified by release, question (id and words) and sample. Finished answers are kept
in the project's private state and, from earlier runs, below `data/evaluate`; rows that failed for
a reason outside the release (an outage) are asked again.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flows.core.challenges import read_challenge
from flows.core.contracts import ANSWERS
from flows.core.ids import content_id
from flows.core.progress import Progress
from flows.core.project import Project
from flows.core.tables import check, empty, read_table, write_table
from flows.evaluate.cases import MODEL_FAULTS
from flows.rag.chain import Answer, Turn, answer_questions
from flows.rag.conversation import parse_conversation
from flows.rag.release import ReleaseManifest

if TYPE_CHECKING:
    import pandas as pd

    from flows.provider.client import Provider

REMEDY = "Delete it and run `llmops evaluate`; its answers are asked for again"


@dataclass(frozen=True)
class Wanted:
    """One answer that is wanted."""

    question_id: str
    question: str
    sample: int
    planted: str = ""  # text of a challenge that the model is shown beside what is retrieved

    def answer_id(self, release_id: str) -> str:
        """Return the id of this answer by a release."""
        planted = [self.planted] if self.planted else []
        return content_id("answer", release_id, self.question_id, self.question, self.sample, *planted)


def wanted(questions: "pd.DataFrame", samples: int) -> list[Wanted]:
    """Return `samples` answers for every live question, in order of question id."""
    live = questions[~questions["stale"]].sort_values("question_id")
    rows = [(row["question_id"], row["question"], _planted(row)) for row in live.to_dict("records")]
    return [Wanted(name, question, sample, planted) for sample in range(samples) for name, question, planted in rows]


def _planted(question: Mapping[Any, Any]) -> str:
    challenge = read_challenge(question.get("challenge"))
    return challenge.planted if challenge else ""


def known_answers(project: Project, release_id: str) -> "pd.DataFrame":
    """Return every stored answer of a release that need not be asked for again."""
    import pandas as pd

    frames = [read_table(path, ANSWERS, remedy=REMEDY) for path in _stores(project, release_id) if path.exists()]
    if not frames:
        return empty(ANSWERS)
    found = pd.concat(frames, ignore_index=True)
    settled = found["error"].isna() | found["error"].isin(MODEL_FAULTS)
    return found[settled & (found["release_id"] == release_id)].drop_duplicates("answer_id")


def _stores(project: Project, release_id: str) -> Iterator[Path]:
    yield work_file(project, release_id)
    yield project.data("evaluate", "baseline", release_id, "answers.parquet")
    yield project.data("evaluate", "answers.parquet")


def work_file(project: Project, release_id: str) -> Path:
    """Return where a release's answers are kept between the stage's steps."""
    return project.state("work", "evaluate", f"{release_id}.parquet")


def answer_missing(
    project: Project, provider: "Provider", release: ReleaseManifest, todo: list[Wanted], *, progress: Progress
) -> int:
    """Answer what is missing, store it, and return how many answers were asked for.

    Raises:
        LlmopsError: What stops the provider or the index as a whole; what was answered before stays.
    """
    import pandas as pd

    known = known_answers(project, release.release_id)
    missing = [item for item in todo if item.answer_id(release.release_id) not in set(known["answer_id"])]
    turns = [turn_of(item) for item in missing]
    found = answer_questions(project, provider, release, turns, progress=progress) if turns else []
    rows = [row_of(release.release_id, item, answer) for item, answer in zip(missing, found, strict=True)]
    new = check(pd.DataFrame(rows), ANSWERS) if rows else empty(ANSWERS)
    table = (
        pd.concat([frame for frame in (known, new) if len(frame)], ignore_index=True) if len(known) + len(new) else new
    )
    write_table(work_file(project, release.release_id), table, ANSWERS)
    return len(missing)


def turn_of(item: Wanted) -> Turn:
    """Take the earlier turns of a conversational question as history."""
    history, question = parse_conversation(item.question)
    return Turn(question, history=history, sample=item.sample, planted=item.planted)


def stored_answers(project: Project, release_id: str, todo: list[Wanted]) -> "pd.DataFrame":
    """Return the stored answers that are wanted, failed ones included, in order of question and sample."""
    path = work_file(project, release_id)
    table = read_table(path, ANSWERS, remedy="Run `llmops evaluate`") if path.exists() else empty(ANSWERS)
    ids = {item.answer_id(release_id) for item in todo}
    return table[table["answer_id"].isin(ids)].sort_values(["question_id", "sample"], ignore_index=True)


def row_of(release_id: str, item: Wanted, answer: Answer) -> dict[str, Any]:
    """Return an answer as a row of the table `answers`."""
    return {
        "answer_id": item.answer_id(release_id),
        "release_id": release_id,
        "question_id": item.question_id,
        "sample": item.sample,
        "answer": answer.text,
        "refused": answer.refused,
        "format_valid": answer.format_valid,
        "citations": json.dumps(list(answer.citations)),
        "retrieved": json.dumps([_retrieved(hit) for hit in answer.retrieved], ensure_ascii=False),
        "call_ids": json.dumps(list(answer.call_ids)),
        "input_tokens": answer.input_tokens,
        "output_tokens": answer.output_tokens,
        "latency_ms": answer.latency_ms,
        "cost_usd": answer.cost_usd,
        "error": answer.error,
    }


def _retrieved(hit: Any) -> dict[str, Any]:
    """Keep a hit with its text, so that answers can be scored again when the index has moved on."""
    names = ("chunk_id", "document_id", "document_version", "start", "end", "score", "text")
    return {name: getattr(hit, name) for name in names}

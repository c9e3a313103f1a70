"""What can be evaluated: a release, an endpoint, a Python function, a file of answers.

A target is named by one word on the command line (`parse`), is asked all questions at once, and keeps
a row for each of them, whatever happens. Its id is the hash of all that is known to decide its answers.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

from flows.core.errors import UsageError
from flows.core.progress import Progress
from flows.evaluate.answering import Wanted
from flows.evaluate.replies import Reply

Kind = Literal["endpoint", "function", "recorded", "release"]
RECORDED = (".jsonl", ".ndjson", ".csv", ".parquet")
FORMS = (
    "https://host/v1 with --model, module:function, a file .jsonl, .csv or .parquet, or a release: candidate, "
    "production or an id"
)


@dataclass(frozen=True)
class Given:
    """What a target said to everything it was asked.

    Args:
        replies: One per question and sample that was wanted, in that order.
        notes: Sentences for people.
        instructions: The system prompt it answers by; empty where it has none or hides it.
        calls: Model calls made by us; None = the target makes its own.
        cost_usd: Of those calls; None = unknown.
    """

    replies: list[Reply]
    notes: list[str] = field(default_factory=list)
    instructions: str = ""
    calls: int | None = None
    cost_usd: float | None = None


class Target(Protocol):
    """Something that answers questions."""

    name: str
    """How people call it."""
    target_id: str
    """32 hex digits made of what decides its answers."""
    repeats_itself: bool
    """Whether asking twice gives the same answer, so that asking once is enough."""

    def answer(self, todo: Sequence[Wanted], *, progress: Progress) -> Given:
        """Answer everything; a question that fails keeps its place and says why."""
        ...


def parse(spec: str) -> Kind:
    """Return what kind of target a word names.

    Raises:
        UsageError: It names none; lists the forms.
    """
    if re.match(r"https?://", spec):
        return "endpoint"
    if Path(spec).suffix.lower() in RECORDED:
        return "recorded"
    if re.fullmatch(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*", spec):
        return "function"
    if spec in {"candidate", "production"} or re.fullmatch(r"[0-9a-f]{8,32}", spec):
        return "release"
    raise UsageError(f"{spec!r} names nothing that can be evaluated. Give {FORMS}.")


def error_counts(replies: Sequence[Reply]) -> Mapping[str, int]:
    """Return how many replies failed by reason, most frequent first."""
    found: dict[str, int] = {}
    for reply in replies:
        if reply.error is not None:
            found[reply.error] = found.get(reply.error, 0) + 1
    return dict(sorted(found.items(), key=lambda item: (-item[1], item[0])))

"""Show retrieved chunks to a model: numbered, within a budget of tokens, unable to pose as anything else.

Chunks are taken best first until one does not fit. Documents may share a text; it is shown once, for
its best hit, since a repetition would push another text out. Tags of the prompt that stand inside a
document are made harmless (`<` becomes `&lt;`), so a document cannot close its own block and speak as
the user.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from flows.core.ids import content_id

if TYPE_CHECKING:
    from flows.index.search import Hit
    from flows.provider.requests import Message

TAGS = (
    "chunk", "context", "question", "history", "task", "answer", "reference_answer", "first_answer", "second_answer",
)  # fmt: skip
_TAG = re.compile(r"<(?=[\s/]*(?:" + "|".join(TAGS) + r")\b)", re.IGNORECASE)


@dataclass(frozen=True)
class Context:
    """What the model is shown.

    Args:
        text: The blocks `<chunk id="1">…</chunk>`, one per line.
        hits: The hits shown; block N is `hits[N - 1]`.
    """

    text: str
    hits: tuple["Hit", ...]


def neutralise(text: str) -> str:
    """Make the tags that prompts use harmless inside data."""
    return _TAG.sub("&lt;", text)


def pack(hits: Sequence["Hit"], *, places: int, tokens_max: int, count: Callable[[str], int]) -> Context:
    """Number the hits, best first and each text once, as far as places and budget reach.

    Args:
        hits: Retrieved chunks, best first.
        places: Most blocks.
        tokens_max: Upper bound on the tokens of all blocks together.
        count: Counts the tokens of a text as the model does.
    """
    blocks: list[str] = []
    left = tokens_max
    best: dict[str, Hit] = {}
    for hit in hits:
        best.setdefault(hit.text, hit)
    shown = list(best.values())[:places]
    for number, hit in enumerate(shown, start=1):
        block = f'<chunk id="{number}">{neutralise(hit.text)}</chunk>'
        left -= count(block + "\n")
        if left < 0:
            break
        blocks.append(block)
    return Context("\n".join(blocks), tuple(shown[: len(blocks)]))


def planted_hit(text: str) -> "Hit":
    """Return a text as a hit, the best one: its author wrote it to be found."""
    from flows.index.search import Hit

    name = content_id("planted", text)
    return Hit(
        chunk_id=name, document_id=name, document_version=name, source_uri="planted", title="planted", heading="",
        start=0, end=len(text), text=text, score=1.0, vector_score=None, text_score=None, rank=0,
    )  # fmt: skip


def render_history(history: Sequence["Message"]) -> str:
    """Write earlier turns as lines `user: …` and `assistant: …`, oldest first."""
    return "\n".join(f"{turn.role}: {neutralise(' '.join(turn.content.split()))}" for turn in history)

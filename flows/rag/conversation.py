"""Write a question with its earlier turns as one text, and read it back.

A line per turn, `user: …` or `assistant: …`, oldest first; the last line is the question. A text
of any other form is a question without history, so single questions need no mark.
"""

import re
from collections.abc import Sequence
from typing import cast

from flows.provider.requests import Message, Role

LINE = re.compile(r"(user|assistant): (\S.*)")


def render_conversation(history: Sequence[Message], question: str) -> str:
    """Return one text; line breaks inside a turn become spaces."""
    if not history:
        return question
    turns = [*history, Message("user", question)]
    return "\n".join(f"{turn.role}: {' '.join(turn.content.split())}" for turn in turns)


def parse_conversation(text: str) -> tuple[tuple[Message, ...], str]:
    """Return the earlier turns and the question; no turns when the text is no conversation."""
    lines = [LINE.fullmatch(line) for line in text.strip().split("\n")]
    turns = [Message(cast(Role, line[1]), line[2]) for line in lines if line]
    if len(turns) < 2 or len(turns) < len(lines) or turns[-1].role != "user":
        return (), text
    return tuple(turns[:-1]), turns[-1].content

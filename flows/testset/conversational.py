"""Ask in two turns: the first names a thing, the second says `it`.

The first turn asks what the thing is, with the reference answer as reply, where a document defines
it; otherwise it only announces the thing. A chain that looks at the last turn alone cannot know
what is asked, which is what its rewriting step is for. The text is as `flows.rag.conversation` says.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from flows.core.ids import sha256
from flows.provider.requests import Message
from flows.rag.conversation import render_conversation
from flows.testset.drafts import Draft
from flows.testset.templates import ANNOUNCED, WELCOMED
from flows.testset.unanswerable import singular
from flows.testset.words import words

FOLLOWING = frozenset(
    {"amount", "at_least", "at_most", "object", "prepositional", "manner", "place", "moment", "duty", "ban", "reason"}
)
SOMEBODY = re.compile(r"(?:er|or|ist|ee|ian)$")  # may be a person, who is no `it`


def conversational_questions(simple: Sequence[Draft]) -> Iterator[Draft]:
    """Yield each simple question whose subject a pronoun can stand for."""
    defined = {draft.subject: draft for draft in simple if draft.method == "definition"}
    for draft in simple:
        if draft.method in FOLLOWING and draft.subject and draft.subject in draft.question:
            follow_up = draft.question.replace(draft.subject, _pronoun(draft), 1)
            yield replace(
                draft,
                question=render_conversation(_first_turn(draft, defined.get(draft.subject)), follow_up),
                question_type="conversational",
                method=f"follow_up:{draft.method}",
            )


def _first_turn(draft: Draft, definition: Draft | None) -> tuple[Message, Message]:
    if definition:
        return Message("user", definition.question), Message("assistant", definition.answer)
    place = int(sha256(draft.question), 16)
    announced = ANNOUNCED[place % len(ANNOUNCED)].format(s=draft.subject)
    return Message("user", announced), Message("assistant", WELCOMED[place % len(WELCOMED)])


def _pronoun(draft: Draft) -> str:
    if not singular(draft):
        return "they"
    return "that one" if SOMEBODY.search(words(draft.subject)[-1].lower()) else "it"

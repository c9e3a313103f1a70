"""Let a person say in which situation they ask: a sentence about themselves, then a good question.

The situation names the page they are on and nothing of the answer. What changes is that the
message is no longer only a question, which shows a chain that answers the situation.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from flows.core.ids import sha256
from flows.testset.drafts import Draft
from flows.testset.templates import SITUATIONS


def situational_questions(simple: Sequence[Draft]) -> Iterator[Draft]:
    """Yield each simple question once, behind a situation."""
    for draft in simple:
        form = SITUATIONS[int(sha256(draft.question), 16) % len(SITUATIONS)]
        yield replace(
            draft,
            question=form.format(topic=draft.topic, question=draft.question),
            question_type="situational",
            method=f"situation:{draft.method}",
        )

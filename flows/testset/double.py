"""Ask two good questions about one document in one message; both must be answered.

Each has its own span, so that a chain that answers only the first half finds half of the gold.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace

from flows.core.ids import sha256
from flows.testset.drafts import Draft
from flows.testset.templates import DOUBLES


def double_questions(simple: Sequence[Draft]) -> Iterator[Draft]:
    """Yield each simple question at most once, paired with its neighbour in the order given."""
    documents: dict[str, list[Draft]] = defaultdict(list)
    for draft in simple:
        documents[draft.document_id].append(draft)
    for drafts in documents.values():
        for one, two in zip(drafts[::2], drafts[1::2], strict=False):
            yield _together(one, two)


def _together(one: Draft, two: Draft) -> Draft:
    form = DOUBLES[int(sha256(one.question + two.question), 16) % len(DOUBLES)]
    low = two.question[:1].lower() + two.question[1:]
    return replace(
        one,
        question=form.format(one=one.question, two=two.question, two_low=low),
        question_type="double",
        answer=f"{one.answer} {two.answer}",
        spans=(*one.spans, *two.spans),
        method="double",
        rephrased="",
        subject="",
    )

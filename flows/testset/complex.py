"""Make complex questions: the same one in other words, or one that needs two passages.

Paraphrases come from a second wording per method plus a list of synonyms, so that retrieval by
shared words alone no longer suffices. Two-passage questions compare two things that the corpus
defines in different places.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import combinations

from flows.core.ids import sha256
from flows.testset.drafts import Draft
from flows.testset.templates import JOINED, SYNONYMS
from flows.testset.words import FUNCTION_WORDS, content, overlap, stem, words

SYNONYM = re.compile(r"\b(?:" + "|".join(SYNONYMS) + r")\b")
ALIKE = (0.05, 0.6)  # definitions less alike are not worth comparing, more alike are the same


def complex_questions(simple: Sequence[Draft]) -> Iterator[Draft]:
    """Yield paraphrases and comparisons of good simple questions."""
    for draft in simple:
        if draft.rephrased:
            yield replace(
                draft, question=_reworded(draft), question_type="complex", method=f"paraphrase:{draft.method}"
            )
    definitions = [draft for draft in simple if draft.method == "definition"]
    for one, two in combinations(definitions, 2):
        if _comparable(one, two):
            yield _joined(one, two)


def _reworded(draft: Draft) -> str:
    """Put synonyms into the second wording; names and quoted text stay as they are."""
    return SYNONYM.sub(lambda match: SYNONYMS[match[0]], draft.rephrased)


def _comparable(one: Draft, two: Draft) -> bool:
    first, second = _named(one.subject), _named(two.subject)
    kin = first != second and (first[-1:] == second[-1:] or first[:1] == second[:1])
    low, high = ALIKE
    return kin and low <= overlap(content(one.answer), content(two.answer)) <= high


def _named(subject: str) -> list[str]:
    return [stem(word) for word in words(subject) if word.lower() not in FUNCTION_WORDS]


def _joined(one: Draft, two: Draft) -> Draft:
    wording = JOINED[int(sha256(one.subject + two.subject), 16) % len(JOINED)]
    return replace(
        one,
        question=wording.format(one=one.subject, two=two.subject),
        question_type="complex",
        answer=f"{one.answer} {two.answer}",
        spans=(*one.spans, *two.spans),
        method="comparison",
        rephrased="",
        subject="",
    )

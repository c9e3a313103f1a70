"""Put a true but irrelevant sentence from another document before a good question.

The answer does not change. What changes is what retrieval and the model see first, which shows a
chain that answers the sentence it read instead of the question it was asked (Shi 2023,
arXiv:2302.00093).
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from random import Random

from flows.core.ids import sha256
from flows.testset.drafts import Corpus, Draft, Source
from flows.testset.grammar import parse, refers_back
from flows.testset.questions import is_vague
from flows.testset.sentences import Sentence
from flows.testset.templates import DISTRACTIONS
from flows.testset.words import content, words

FACT_WORDS = (6, 22)
TRIES = 40  # facts looked at per question before giving up


def distracting_questions(corpus: Corpus, simple: Sequence[Draft], seed: int) -> Iterator[Draft]:
    """Yield each simple question once, behind a fact that has nothing to do with it."""
    facts = [(source, sentence) for source, sentence in corpus.sentences() if _is_fact(corpus, sentence)]
    for draft in simple if facts else ():
        random = Random(f"{seed}:{draft.question_id}")  # noqa: S311 - a reproducible choice, not a secret
        tried = (random.choice(facts) for _ in range(TRIES))
        fact = next((sentence.text for source, sentence in tried if _irrelevant(source, sentence, draft)), None)
        if fact:
            yield replace(draft, question=_behind(fact, draft.question), question_type="distracting",
                          method=f"distraction:{draft.method}")  # fmt: skip


def _is_fact(corpus: Corpus, sentence: Sentence) -> bool:
    low, high = FACT_WORDS
    fits = low <= len(words(sentence.text)) <= high and sentence.text.endswith(".") and ":" not in sentence.text
    if not fits or refers_back(sentence.text):
        return False
    clause = parse(sentence.text, corpus.casing)
    return clause is not None and not is_vague(clause.subject)


def _irrelevant(source: Source, sentence: Sentence, draft: Draft) -> bool:
    return source.document_id != draft.document_id and not content(sentence.text) & draft.terms


def _behind(fact: str, question: str) -> str:
    form = DISTRACTIONS[int(sha256(fact + question), 16) % len(DISTRACTIONS)]
    return form.format(fact=fact, question=question, question_low=question[:1].lower() + question[1:])

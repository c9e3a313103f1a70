"""Reject poor questions, with a reason that is published: a generator must be able to say no.

A question stays when its answer stands in its span, when the answer says something the question
does not, when it is understood by itself, and when no other document answers it as well.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from flows.rag.conversation import parse_conversation
from flows.testset.drafts import Corpus, Draft
from flows.testset.grammar import refers_back
from flows.testset.params import TestsetParams
from flows.testset.words import content, numbers, overlap, words

SAME_ANSWER = 0.6  # definitions this alike agree with each other


@dataclass
class Rejections:
    """How many drafts each rule refused, by question type and method, with examples."""

    counts: dict[tuple[str, str, str], int] = field(default_factory=lambda: defaultdict(int))
    examples: dict[tuple[str, str, str], str] = field(default_factory=dict)
    proposed: dict[str, int] = field(default_factory=lambda: defaultdict(int))

    def note(self, draft: Draft, reason: str) -> None:
        """Count one rejected draft; the first of each kind is kept as the example."""
        key = (draft.question_type, draft.method.split(":")[0], reason)
        self.counts[key] += 1
        self.examples.setdefault(key, draft.question)

    def table(self) -> list[dict[str, str | int]]:
        """Return the rows of `rejections.json`, sorted."""
        return [
            {"question_type": kind, "method": method, "reason": reason, "count": count,
             "example": self.examples[kind, method, reason]}
            for (kind, method, reason), count in sorted(self.counts.items())
        ]  # fmt: skip


@dataclass(frozen=True)
class Filter:
    """The rules, with the corpus and all drafts to compare against."""

    corpus: Corpus
    params: TestsetParams
    rivals: dict[frozenset[str], list[Draft]]

    @classmethod
    def of(cls, corpus: Corpus, params: TestsetParams, drafts: Iterable[Draft]) -> "Filter":
        """Prepare the rules; `drafts` are all simple ones, good and poor."""
        rivals: dict[frozenset[str], list[Draft]] = defaultdict(list)
        for draft in drafts:
            rivals[draft.terms].append(draft)
        return cls(corpus, params, dict(rivals))

    def reason(self, draft: Draft) -> str | None:
        """Return why a draft is refused, or None when it is good by itself."""
        rules = (*LENGTH, *MEANING.get(draft.question_type, ()))
        return next((name for name, broken in rules if broken(self, draft)), None)

    def too_short(self, draft: Draft) -> bool:
        """Fewer words than a question can have."""
        return len(words(asked(draft))) < self.params.question_words_min

    def too_long(self, draft: Draft) -> bool:
        """More words than a person would ask, or an answer that is a whole passage."""
        spans = max(len(draft.spans), 1)
        return (
            len(words(asked(draft))) > self.params.question_words_max
            or len(words(draft.answer)) > self.params.answer_words_max * spans
        )

    def answer_not_in_span(self, draft: Draft) -> bool:
        """The reference answer has words that its span has not."""
        return not content(draft.answer) <= content(" ".join(span.quote for span in draft.spans))

    def answerable_without_context(self, draft: Draft) -> bool:
        """The answer says nothing, or next to nothing, that the question did not say."""
        told = content(draft.answer) - draft.terms
        return len(told) < self.params.new_words_min and not numbers(draft.answer) - numbers(draft.question)

    def refers_back(self, draft: Draft) -> bool:
        """The question leans on a sentence that is not there, or on a thing only its neighbours introduce."""
        return refers_back(draft.question) or self._in_passing(draft)

    def _in_passing(self, draft: Draft) -> bool:
        """`The addresses` of a document that hardly speaks of addresses: nobody else knows which."""
        head = content(draft.subject) if draft.subject.startswith("the ") else frozenset()
        mentions = [self.mentions(draft.document_id, term) for term in head]
        return bool(mentions) and max(mentions) < self.params.mentions_min

    def mentions(self, document_id: str, term: str) -> int:
        """Return how many sentences and headings of a document hold a term."""
        source = self.corpus.by_id[document_id]
        lines = [*{heading for s in source.outline.sentences for heading in s.headings}, source.title]
        lines += [s.text for s in source.outline.sentences]
        return sum(term in content(line) for line in lines)

    def ambiguous(self, draft: Draft) -> bool:
        """Another document answers the same question differently, or holds all of its terms in one sentence."""
        others = [rival for rival in self.rivals.get(draft.terms, ()) if rival.answer != draft.answer]
        if any(overlap(content(rival.answer), content(draft.answer)) < SAME_ANSWER for rival in others):
            return True
        return draft.method not in ("definition", "person", "heading", "table", "table_verb") and self._said_elsewhere(
            draft
        )

    def _said_elsewhere(self, draft: Draft) -> bool:
        key = draft.terms & content(draft.answer)
        places = [self.corpus.where.get(term, frozenset()) for term in sorted(key)]
        if not places:
            return True
        together = frozenset.intersection(*sorted(places, key=len))
        return any(self.corpus.sources[number].document_id != draft.document_id and
                   self.corpus.sources[number].outline.sentences[index].text != draft.answer
                   for number, index in together)  # fmt: skip

    def asks_twice(self, draft: Draft) -> bool:
        """The page that a situation names is headed by the question itself."""
        return draft.question.count(draft.topic) > 1

    def one_answer(self, draft: Draft) -> bool:
        """Two questions of one message ask for the same passage."""
        one, two = draft.spans
        return one.start < two.end and two.start < one.end

    def stands_alone(self, draft: Draft) -> bool:
        """The last turn names its thing after all, so that nothing of the first one is needed."""
        return bool(content(draft.subject) & content(asked(draft)))


def asked(draft: Draft) -> str:
    """Return what is asked last: the whole question, or the last turn of a conversation."""
    return parse_conversation(draft.question)[1]


Rule = Callable[[Filter, Draft], bool]
LENGTH: tuple[tuple[str, Rule], ...] = (
    ("too_short", Filter.too_short),
    ("too_long", Filter.too_long),
    ("answer_not_in_span", Filter.answer_not_in_span),
)
MEANING: dict[str, tuple[tuple[str, Rule], ...]] = {  # the other types are made from good simple questions
    "simple": (
        ("refers_back", Filter.refers_back),
        ("answerable_without_context", Filter.answerable_without_context),
        ("ambiguous", Filter.ambiguous),
    ),
    "situational": (
        ("asks_twice", Filter.asks_twice),
        ("answerable_without_context", Filter.answerable_without_context),
    ),
    "double": (("one_answer", Filter.one_answer),),
    "conversational": (
        ("stands_alone", Filter.stands_alone),
        ("answerable_without_context", Filter.answerable_without_context),
    ),
}


def near_duplicate(draft: Draft, accepted: Sequence[frozenset[str]], similarity: float) -> bool:
    """Return whether an accepted question uses nearly the same words."""
    return any(overlap(draft.terms, terms) >= similarity for terms in accepted)

"""A question before it is accepted, and the corpus it is drawn from."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from flows.core.challenges import Challenge
from flows.core.ids import content_id
from flows.testset.grammar import Casing
from flows.testset.sentences import Outline, Sentence, outline
from flows.testset.spans import Span, Version
from flows.testset.words import content, words


@dataclass(frozen=True)
class Draft:
    """A proposed question with its gold.

    Args:
        question: What is asked.
        question_type: One of `contracts.QUESTION_TYPES`.
        answer: The reference answer; empty when there is none to find.
        spans: Where the answer stands; empty when unanswerable.
        method: The method that made it, for `origin`.
        topic: What it is about, for reading the results by topic.
        document_id: Its cluster in the gate.
        rephrased: The same question in other words, from which a complex one is made.
        subject: The thing it asks about, where the method knows it.
        challenge: What is tried, when it is no ordinary question.
    """

    question: str
    question_type: str
    answer: str
    spans: tuple[Span, ...]
    method: str
    topic: str
    document_id: str
    rephrased: str = ""
    subject: str = ""
    challenge: Challenge | None = None

    @cached_property
    def terms(self) -> frozenset[str]:
        """The stems of the question's content words."""
        return content(self.question)

    @property
    def question_id(self) -> str:
        """The same for the same words of the same type (and challenge), whatever document they come from."""
        tried = [self.challenge.to_json()] if self.challenge else []
        return content_id("question", self.question_type, self.question, *tried)


@dataclass(frozen=True)
class Source:
    """A document that questions are made from."""

    document_id: str
    title: str
    version: Version
    outline: Outline

    def span(self, start: int, end: int) -> Span:
        """Return the span `[start:end]` of this document."""
        return Span.of(self.document_id, self.version, start, end)


@dataclass(frozen=True)
class Corpus:
    """All documents, read once."""

    sources: tuple[Source, ...]

    @classmethod
    def read(cls, documents: Mapping[str, tuple[str, Version]]) -> "Corpus":
        """Outline every document; `documents` maps the id to title and current version."""
        found = (
            Source(name, title, version, outline(version.text)) for name, (title, version) in sorted(documents.items())
        )
        return cls(tuple(found))

    def sentences(self) -> Iterator[tuple[Source, Sentence]]:
        """Yield every sentence with its document."""
        return ((source, sentence) for source in self.sources for sentence in source.outline.sentences)

    @cached_property
    def casing(self) -> Casing:
        """Which words the corpus writes in lower case."""
        return Casing.of(sentence.text for _, sentence in self.sentences())

    @cached_property
    def by_id(self) -> dict[str, Source]:
        """The documents by their id."""
        return {source.document_id: source for source in self.sources}

    @cached_property
    def vocabulary(self) -> frozenset[str]:
        """Every content stem of the corpus; what is not in it is not talked about."""
        return frozenset().union(*(content(source.version.text) for source in self.sources))

    @cached_property
    def where(self) -> dict[str, frozenset[tuple[int, int]]]:
        """For each content stem the sentences that hold it, as (document, sentence) numbers."""
        places: dict[str, set[tuple[int, int]]] = {}
        for number, source in enumerate(self.sources):
            for index, sentence in enumerate(source.outline.sentences):
                for term in content(sentence.text):
                    places.setdefault(term, set()).add((number, index))
        return {term: frozenset(found) for term, found in places.items()}


def topic_of(title: str, headings: tuple[str, ...]) -> str:
    """Return what a passage is about: its top heading, or its document's title, up to a colon or dash."""
    name = headings[0] if headings else title
    short = name.split(":")[0].split(" — ")[0].split(" - ")[0].strip()
    return short if words(short) else "untitled"

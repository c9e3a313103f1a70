"""`local-extract-1`: answer by quoting the one to three best-supported sentences, or refuse.

It extracts and does not generate. A sentence's support is a weighted mean of two numbers in 0..1:
the cosine of the vectors of sentence and question, and the share of the question's words, weighted
by rarity, that the sentence has. Only the lexically best candidates are embedded, so that an answer
costs tens of milliseconds. Weights and threshold were fitted on 398 questions over encyclopedia
passages, each asked with the answering passage among five and again with it taken away: it answers
72 % of the first and refuses 85 % of the second. A weight for the whole chunk's words was tried and
gained nothing.
"""

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

import numpy as np

from flows.provider.local.ask import Ask, Chunk
from flows.provider.local.catalog import REFUSAL
from flows.provider.local.embedder import Embedder, Vectors
from flows.provider.local.reply import Reply
from flows.provider.local.sentences import Sentence, asked, content_words, coverage, cut, word_weights
from flows.provider.local.writing import ask_about, rewrite

NAME = "local-extract-1"
REVISION = 1  # goes into the system fingerprint; raise it whenever the same request may answer differently


@dataclass(frozen=True, slots=True)
class Knobs:
    """What decides an answer. Fine-tuning changes `min_support` and `max_sentences`, nothing else.

    Attributes:
        min_support: Refuse when the best sentence's support is below this, 0 to 1.
        max_sentences: Quote at most this many, 1 to 3.
        keep_ratio: Quote a further sentence only from this share of the best support on, 0 to 1.
        meaning: Weight of the cosine; what is left to 1 is the weight of word coverage.
        max_candidates: Embed at most this many sentences per question.
        jitter: Standard deviation of support at temperature 1, so that repeats vary near ties.
    """

    min_support: float = 0.475
    max_sentences: int = 2
    keep_ratio: float = 0.85
    meaning: float = 0.6
    max_candidates: int = 10
    jitter: float = 0.02


@dataclass(frozen=True, slots=True)
class Supported:
    """A candidate sentence and its support, 0 to 1."""

    sentence: Sentence
    support: float


class ExtractiveReader:
    """Answers from the chunks of a request; safe to share between threads.

    Args:
        embedder: Gives the vectors of sentences and questions.
        knobs: What decides an answer; the defaults unless fine-tuned.
        cached_sentences: Vectors kept in memory, 1.5 kB each.
    """

    def __init__(self, embedder: Embedder, knobs: Knobs | None = None, *, cached_sentences: int = 20_000) -> None:
        self.knobs = knobs or Knobs()
        self._embedder = embedder
        self._vectors = VectorCache(embedder, cached_sentences)

    def with_knobs(self, knobs: Knobs) -> "ExtractiveReader":
        """Return a reader with other knobs that shares this one's vectors."""
        other = ExtractiveReader(self._embedder, knobs)
        other._vectors = self._vectors
        return other

    @property
    def fingerprint(self) -> str:
        """Changes with everything that may change an answer: code revision, knobs, embedder."""
        return f"{NAME}-r{REVISION}-{self._embedder.fingerprint}-{self.knobs.min_support}-{self.knobs.max_sentences}"

    def reply(self, ask: Ask, *, temperature: float = 0.0, seed: int = 0) -> Reply:
        """Answer, rewrite the question for search, or ask a question about the chunk.

        Args:
            ask: The request.
            temperature: 0 is deterministic; above, near ties are drawn, 0 to 2.
            seed: Of that draw.
        """
        if ask.task == "rewrite":
            return rewrite(ask.question, ask.last_turn)
        if ask.task == "question":
            return ask_about(ask.chunks)
        ranked = jittered(self.rank(asked(ask.question), ask.chunks), self.knobs.jitter * temperature, seed)
        return self.choose(ranked, ask.max_sentences)

    def rank(self, question: str, chunks: Sequence[Chunk]) -> list[Supported]:
        """Return the candidate sentences with their support, best first; none without chunks."""
        sentences = cut(chunks)
        weights = word_weights(set(content_words(question)), sentences)
        candidates = self._candidates(sentences, weights)
        if not candidates or not question.strip():
            return []
        vectors = self._vectors.get([question, *(sentence.text for sentence in candidates)])
        cosines = np.clip(vectors[1:] @ vectors[0], 0.0, 1.0)
        scored = [
            Supported(sentence, self._support(float(cosine), coverage(weights, sentence.words)))
            for sentence, cosine in zip(candidates, cosines, strict=True)
        ]
        return sorted(scored, key=lambda one: -one.support)

    def _support(self, cosine: float, covered: float) -> float:
        return self.knobs.meaning * cosine + (1 - self.knobs.meaning) * covered

    def _candidates(self, sentences: Sequence[Sentence], weights: dict[str, float]) -> list[Sentence]:
        """Return the sentences that cover most of the question; ties go to the earlier one."""
        order = sorted(range(len(sentences)), key=lambda at: (-coverage(weights, sentences[at].words), at))
        return [sentences[at] for at in order[: self.knobs.max_candidates]]

    def choose(self, ranked: Sequence[Supported], limit: int | None = None) -> Reply:
        """Quote the best sentences, or refuse when even the best has too little support."""
        best = ranked[0].support if ranked else 0.0
        if not ranked or best < self.knobs.min_support:
            return Reply(REFUSAL, REFUSAL, refused=True, reasoning=f"Best support {best:.2f} is too weak.")
        quoted: list[Sentence] = []
        for one in ranked:
            if len(quoted) == min(limit or 3, self.knobs.max_sentences):
                break
            if one.support >= self.knobs.keep_ratio * best and not _repeats(one.sentence, quoted):
                quoted.append(one.sentence)
        return Reply(
            answer=" ".join(sentence.text for sentence in quoted),
            prose=" ".join(f"{sentence.text} [{sentence.chunk}]" for sentence in quoted),
            citations=tuple(dict.fromkeys(sentence.chunk for sentence in quoted)),
            reasoning=f"Support {best:.2f}; quoted {len(quoted)} of {len(ranked)} candidate sentences.",
        )


def _repeats(sentence: Sentence, quoted: Sequence[Sentence]) -> bool:
    words = set(sentence.words)
    return any(words <= set(other.words) or set(other.words) <= words for other in quoted)


def jittered(ranked: list[Supported], deviation: float, seed: int) -> list[Supported]:
    """Disturb support by seeded normal noise and sort again; no deviation, no change."""
    if deviation <= 0:
        return ranked
    draw = Random(seed)  # noqa: S311 - sampling, not secrecy
    moved = [Supported(one.sentence, one.support + draw.gauss(0.0, deviation)) for one in ranked]
    return sorted(moved, key=lambda one: -one.support)


class VectorCache:
    """The most recently used sentence vectors; safe to share between threads."""

    def __init__(self, embedder: Embedder, size: int) -> None:
        self._embedder = embedder
        self._size = size
        self._kept: OrderedDict[str, Vectors] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, texts: Sequence[str]) -> Vectors:
        """Return one row per text, computing only those not kept."""
        with self._lock:
            found = {text: self._kept[text] for text in texts if text in self._kept}
        missing = [text for text in dict.fromkeys(texts) if text not in found]
        found.update(zip(missing, self._embedder.embed(missing), strict=True))
        with self._lock:
            for text in found:
                self._kept[text] = found[text]
                self._kept.move_to_end(text)
            while len(self._kept) > self._size:
                self._kept.popitem(last=False)
        return np.stack([found[text] for text in texts])

"""`local-lexical-1`: a deliberately different second model, to rehearse a change of provider.

It extracts and does not generate, by words alone: BM25 over the sentences of the context
(Robertson & Zaragoza 2009). It always quotes one sentence, puts a preamble with the citation
before it, cites every chunk that has the same sentence, and refuses by word coverage.
"""

from collections import Counter
from collections.abc import Sequence

from flows.provider.local.ask import Ask
from flows.provider.local.catalog import LEXICAL_REFUSAL
from flows.provider.local.reader import Supported, jittered
from flows.provider.local.reply import Reply
from flows.provider.local.sentences import Sentence, content_words, coverage, cut, word_weights
from flows.provider.local.writing import ask_about, rewrite

NAME = "local-lexical-1"
REVISION = 1  # goes into the system fingerprint; raise it whenever the same request may answer differently
K1 = 1.2  # saturation of repeated words: BM25's usual value
B = 0.5  # length normalisation: half, because sentences differ less than documents
JITTER = 0.2  # standard deviation of BM25 scores at temperature 1


class LexicalReader:
    """Answers with the sentence that shares most words with the question.

    Args:
        min_coverage: Refuse when the best sentence has less than this share of the question's
            weighted words, 0 to 1.
    """

    def __init__(self, min_coverage: float = 0.35) -> None:
        self.min_coverage = min_coverage

    @property
    def fingerprint(self) -> str:
        """Changes with everything that may change an answer."""
        return f"{NAME}-r{REVISION}-{self.min_coverage}"

    def reply(self, ask: Ask, *, temperature: float = 0.0, seed: int = 0) -> Reply:
        """Answer, rewrite the question for search, or ask a question about the chunk."""
        if ask.task == "rewrite":
            return rewrite(ask.question, ask.last_turn)
        if ask.task == "question":
            return ask_about(ask.chunks)
        sentences = cut(ask.chunks)
        weights = word_weights(set(content_words(ask.question)), sentences)
        ranked = jittered(bm25(sentences, weights), JITTER * temperature, seed)
        if not ranked or coverage(weights, ranked[0].sentence.words) < self.min_coverage:
            return Reply(LEXICAL_REFUSAL, LEXICAL_REFUSAL, refused=True, reasoning="Too few words in common.")
        return _quote(ranked[0].sentence, sentences)


def bm25(sentences: Sequence[Sentence], weights: dict[str, float]) -> list[Supported]:
    """Return the sentences with their BM25 score, best first; ties go to the earlier one."""
    mean = sum(len(sentence.words) for sentence in sentences) / max(1, len(sentences)) or 1.0
    scored = [Supported(sentence, _score(sentence, weights, mean)) for sentence in sentences]
    return sorted(scored, key=lambda one: -one.support)


def _score(sentence: Sentence, weights: dict[str, float], mean_words: float) -> float:
    counts = Counter(sentence.words)
    damp = K1 * (1 - B + B * len(sentence.words) / mean_words)
    return sum(
        weight * counts[word] * (K1 + 1) / (counts[word] + damp)
        for word, weight in sorted(weights.items())  # a fixed order of summation: ties stay ties
    )


def _quote(sentence: Sentence, sentences: Sequence[Sentence]) -> Reply:
    cited = tuple(dict.fromkeys(other.chunk for other in sentences if other.text == sentence.text))
    marks = "".join(f"[{number}]" for number in cited)
    prose = f"According to {marks}, {sentence.text}"
    return Reply(answer=prose, prose=prose, citations=cited, reasoning="Most words in common.")

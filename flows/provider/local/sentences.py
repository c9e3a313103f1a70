"""Cut chunks into sentences and weigh words: the ground both local readers stand on.

Sentences are kept verbatim, white space aside. Words are lower-cased and lightly stemmed, function words dropped; a
word's weight is its inverse sentence frequency over the chunks at hand (Robertson & Zaragoza 2009).
"""

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from flows.provider.local.ask import Chunk

MAX_SENTENCE_CHARS = 600  # what a PDF without full stops yields is cut here, at a space

_FUNCTION_WORDS = (
    "a about after all also am an and any are as at be because been before being between both but by can could "
    "did do does doing down each few for from further get give had has have having he her here hers him his how "
    "i if in into is it its itself just me more most my no nor not now of off on once only or other our ours out "
    "over own please same she should so some such tell than that the their them then there these they this those "
    "through to too under until up very was we were what when where which while who whom whose why will with "
    "would you your yours"
)
STOP_WORDS = frozenset(_FUNCTION_WORDS.split())

_WORD = re.compile(r"\w+(?:[-'’]\w+)*")
_ABBREVIATION = re.compile(r"(?:\b(?:[A-Za-z]|e\.g|i\.e|etc|vs|cf|no|fig|dr|mr|mrs|ms|st|approx)\.)$", re.IGNORECASE)
_STOP = r"(?:(?<=[.!?。])|(?<=[.!?。][\"')\]”]))"
_START = r"(?=[\"'(\[“]?[A-Z0-9À-Þ])"
_BREAK = re.compile(rf"{_STOP}\s+{_START}|\n\s*\n|\n(?=\s*(?:[-*+•|]|\d+[.)])\s)")
_MARKUP = re.compile(r"^(?:\s*(?:[-*+•]|\d+[.)])\s+)+")
_HEADING = re.compile(r"^#{1,6}\s.*$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Sentence:
    """A verbatim sentence, the number of its chunk, and its stemmed content words."""

    chunk: int
    text: str
    words: tuple[str, ...]


def cut(chunks: Sequence[Chunk]) -> list[Sentence]:
    """Return the sentences of all chunks in order."""
    return [Sentence(chunk.number, text, tuple(content_words(text))) for chunk in chunks for text in split(chunk.text)]


def split(text: str) -> list[str]:
    """Split a text into sentences and list items, without their bullets; headings are dropped."""
    parts: list[str] = []
    for piece in _pieces(_HEADING.sub("\n\n", text)):
        if parts and _ABBREVIATION.search(parts[-1]):
            parts[-1] = f"{parts[-1]} {piece}"
        else:
            parts.append(piece)
    whole = (" ".join(_MARKUP.sub("", part).split()) for part in parts)
    return [short for part in whole for short in _shorten(part)]


def _pieces(text: str) -> Iterable[str]:
    return (piece.strip() for piece in _BREAK.split(text) if piece and piece.strip())


def _shorten(text: str) -> Iterable[str]:
    while len(text) > MAX_SENTENCE_CHARS:
        at = text.rfind(" ", 0, MAX_SENTENCE_CHARS)
        at = at if at > 0 else MAX_SENTENCE_CHARS
        yield text[:at].strip()
        text = text[at:].strip()
    if _WORD.search(text):
        yield text


def content_words(text: str) -> list[str]:
    """Return the stemmed words of a text that are not function words, in order."""
    return [stem(word) for word in _WORD.findall(text.lower()) if word not in STOP_WORDS]


def stem(word: str) -> str:
    """Strip the commonest English endings, so that `releases` meets `release` and `promoted` `promote`."""
    for ending in ("ing", "ed", "es", "s", "e"):
        if word.endswith(ending) and len(word) - len(ending) >= 3 and not word.endswith("ss"):
            return word[: -len(ending)]
    return word


def word_weights(words: Iterable[str], sentences: Sequence[Sentence]) -> dict[str, float]:
    """Return the inverse sentence frequency of each word; a word no sentence has weighs most."""
    seen = Counter(word for sentence in sentences for word in set(sentence.words))
    total = len(sentences)
    return {word: math.log(1 + (total - seen[word] + 0.5) / (seen[word] + 0.5)) for word in words}


def coverage(weights: dict[str, float], words: Iterable[str]) -> float:
    """Return the share of the question's weight that the words cover, 0 to 1."""
    total = sum(weights.values())
    return sum(weights[word] for word in weights.keys() & set(words)) / total if total else 0.0


def asked(question: str) -> str:
    """Return what is really asked: the last sentence that ends with `?` when others stand before it."""
    asking = [sentence for sentence in split(question) if sentence.rstrip().endswith("?")]
    return asking[-1] if asking else question

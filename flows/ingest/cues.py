"""Decide which patterns can find anything in a text, by one look at its words.

A pattern is tried only on a text that holds one of its cues: short lower-case strings, one of which stands
in all that the pattern matches. To search a text for each of some hundred cues would be to read it a hundred
times; instead each word is asked once for the cues it holds, and the answer is remembered (core/memo.py). A cue
of several words is looked for by its longest, then in the text.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Set
from typing import NamedTuple

from flows.core.memo import Memo

_KEY_CHARS = 2  # with how many characters a cue is found; all cues have more or as many


class Seen(NamedTuple):
    """What one look at a text has shown."""

    lowered: str  # as long as the text
    words: list[str]  # in lower case
    distinct: set[str]
    longest: int  # characters of the longest word
    cues: Set[str]

    def near(self, cues: Set[str], reach: int) -> list[tuple[int, int]]:
        """Return the stretches of text within reach (characters) of one of the cues."""
        held = self.cues & cues
        return around(sorted(place for cue in held for place in _places(self.lowered, cue)), reach) if held else []

    def among(self, stretches: Iterable[tuple[int, int]], cues: Set[str]) -> list[tuple[int, int]]:
        """Return those of the stretches of text that hold one of the cues."""
        held = self.cues & cues
        return [place for place in stretches if any(self.lowered.find(cue, *place) >= 0 for cue in held)]


def around(places: Iterable[tuple[int, int]], reach: int) -> list[tuple[int, int]]:
    """Return the stretches of text within reach (characters) of the places, which come in order."""
    stretches: list[tuple[int, int]] = []
    for start, end in places:
        begin, stop = max(0, start - reach), end + reach
        if stretches and begin <= stretches[-1][1]:
            begin = stretches.pop()[0]
        stretches.append((begin, stop))
    return stretches


def _places(text: str, part: str) -> Iterator[tuple[int, int]]:
    at = text.find(part)
    while at >= 0:
        yield at, at + len(part)
        at = text.find(part, at + len(part))


class Cues(frozenset[str]):
    """Cues that are looked for together: lower-case strings of two or more characters; white space only as spaces."""

    def __init__(self, cues: Iterable[str]) -> None:
        super().__init__()
        self._by_key: dict[str, list[tuple[str, str]]] = defaultdict(list)
        for cue in self:
            part = max(_parts(cue), key=len)
            self._by_key[part[:_KEY_CHARS]].append((part, cue))
        self._of_word = Memo(self._possible)

    def look(self, text: str) -> Seen:
        """Return what a text holds; `cues` are exactly those that stand in it, whatever their case."""
        lowered = _lowered(text)
        words = lowered.split()
        distinct = set(words)
        possible = set[str]().union(*set(map(self._of_word.__getitem__, distinct)))
        longest = max(map(len, distinct), default=0)
        return Seen(lowered, words, distinct, longest, {cue for cue in possible if cue in lowered})

    def _possible(self, word: str) -> tuple[str, ...]:
        """Return the cues that may stand in a text with this word."""
        spaced = f" {word} "
        keys = [spaced[at : at + _KEY_CHARS] for at in range(len(spaced) - 1)]
        starts = [at for at, key in enumerate(keys) if key in self._by_key]
        return tuple(cue for at in starts for part, cue in self._by_key[keys[at]] if spaced.startswith(part, at))


def _lowered(text: str) -> str:
    """Return a text in lower case, as patterns that ignore case read it, and as long as it was."""
    if not text.isascii():
        text = text.replace("İ", "i").replace("ı", "i").replace("ſ", "s")
    return text.lower()


def _parts(cue: str) -> list[str]:
    """Split a cue into its words, each with the spaces beside it."""
    words = cue.split(" ")
    return [" " * (place > 0) + word + " " * (place < len(words) - 1) for place, word in enumerate(words)]

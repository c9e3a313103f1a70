"""Cut a document into chunks that follow its structure and fit into the embedding model.

A chunk is a slice `text[start:end]`, never a rewritten text, so a citation can be shown in its
place. Cuts fall at headings first, then between blocks, then between lines, sentences, words, and
inside a word only when the word alone is too long. Lists, tables and code are whole where they fit.
Every character that is not white space lies in at least one chunk.
"""

import re
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise

from flows.ingest.blocks import Block, blocks
from flows.ingest.drafts import Span

CHUNKER = "structure-1"
TokenStarts = Callable[[str], Sequence[int]]

_LINE = re.compile(r"\n")
_SENTENCE = re.compile(r"(?<=[.!?…])[\"')\]]{0,2}\s+|(?<=[。！？])")
_WORD = re.compile(r"\s+")
_LEVELS = (_LINE, _SENTENCE, _WORD)
_JOINED = re.compile(
    "[\u0300-\u036f\u1ab0-\u1aff\u1dc0-\u1dff\u200c\u200d\u20d0-\u20ff\ufe00-\ufe0f\ufe20-\ufe2f\U0001f3fb-\U0001f3ff]"
)


def chunks(text: str, token_starts: TokenStarts, *, tokens_max: int, overlap_tokens: int = 0) -> list[Span]:
    """Cut `text` into spans of at most `tokens_max` tokens, in order.

    Args:
        text: The document's normalised text.
        token_starts: Returns the positions at which the embedding model's tokens begin.
        tokens_max: Most tokens in a chunk, at least 1; overlap included.
        overlap_tokens: Tokens a chunk repeats from the one before it in the same section.
    """
    cutter = _Cutter(text, token_starts(text), max(tokens_max - overlap_tokens, 1))
    spans = list(cutter.spans())
    return [_finish(cutter, spans, index, overlap_tokens) for index in range(len(spans))]


def _finish(cutter: "_Cutter", spans: list[tuple[int, int, str]], index: int, overlap_tokens: int) -> Span:
    start, end, heading = spans[index]
    if overlap_tokens and index and spans[index - 1][2] == heading:
        start = cutter.back(start, overlap_tokens, spans[index - 1][0])
    return Span(start, end, heading, cutter.count(start, end))


class _Cutter:
    def __init__(self, text: str, starts: Sequence[int], limit: int) -> None:
        self._text, self._starts, self._limit = text, starts, limit

    def count(self, start: int, end: int) -> int:
        """Return the number of tokens that begin in `[start:end]`."""
        return bisect_left(self._starts, end) - bisect_left(self._starts, start)

    def back(self, start: int, tokens: int, lowest: int) -> int:
        """Return the word start at most `tokens` before `start`, not before `lowest`."""
        earliest = max(self._starts[max(bisect_left(self._starts, start) - tokens, 0)], lowest)
        words = (found.end() for found in _WORD.finditer(self._text, earliest, start))
        return earliest if earliest == lowest else next(words, start)

    def spans(self) -> Iterator[tuple[int, int, str]]:
        """Yield chunks as (start, end, heading) without surrounding white space."""
        for group in _sections(blocks(self._text)):
            heading = next((block.heading for block in group if block.kind != "heading"), group[-1].heading)
            atoms = (atom for block in group for atom in self._atoms(block.start, block.end, 0))
            for start, end in self._pack(atoms):
                yield from self._trimmed(start, end, heading)

    def _atoms(self, start: int, end: int, level: int) -> Iterator[tuple[int, int]]:
        """Yield the slice whole where it fits, else its parts at the next finer level."""
        if self.count(start, end) <= self._limit:
            yield start, end
        elif level == len(_LEVELS):
            yield from self._letters(start, end)
        else:
            cuts = [start, *(found.end() for found in _LEVELS[level].finditer(self._text, start, end)), end]
            for left, right in pairwise(cuts):
                if left < right:
                    yield from self._atoms(left, right, level + 1)

    def _pack(self, atoms: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
        """Join neighbouring atoms while they fit."""
        current: tuple[int, int] | None = None
        for start, end in atoms:
            if current and self.count(current[0], end) <= self._limit:
                current = (current[0], end)
                continue
            if current:
                yield current
            current = (start, end)
        if current:
            yield current

    def _letters(self, start: int, end: int) -> Iterator[tuple[int, int]]:
        """Cut inside a word at token starts, but never between a letter and what is joined to it."""
        while start < end:
            after = bisect_left(self._starts, start) + self._limit
            cut = self._starts[after] if after < len(self._starts) else end
            cut = self._whole_letter(start, min(cut, end))
            yield start, cut
            start = cut

    def _whole_letter(self, start: int, cut: int) -> int:
        text, wish = self._text, cut
        while start < cut < len(text) and (_JOINED.match(text[cut]) or text[cut - 1] == "\u200d"):
            cut -= 1
        return cut if cut > start else wish

    def _trimmed(self, start: int, end: int, heading: str) -> Iterator[tuple[int, int, str]]:
        piece = self._text[start:end]
        body = piece.strip()
        if body:
            start += len(piece) - len(piece.lstrip())
            yield start, start + len(body), heading


def _sections(found: list[Block]) -> Iterator[list[Block]]:
    """Group blocks so that each group begins with its headings and ends before the next one."""
    group: list[Block] = []
    for block in found:
        if block.kind == "heading" and group and group[-1].kind != "heading":
            yield group
            group = []
        group.append(block)
    if group:
        yield group

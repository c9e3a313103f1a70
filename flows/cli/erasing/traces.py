"""Decide whether a text carries something of the documents that are to be erased.

Three signs count: an id or address of theirs; a run of five words that stands in them and in no
document that stays; and a code (a word with a digit or an @, such as a customer number or an email
address) that only they hold. What the documents share with those that stay is not theirs, so
boilerplate does not erase half the calls log. A paraphrase that shares none of this and whose
lineage names no chunk of theirs is not recognised; docs/limits.md says so.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

PHRASE_WORDS = 5  # a run of five words is rarely shared by chance (Broder 1997 takes 4 to 10)
ADDRESS_CHARS_MIN = 5
CODE_CHARS_MIN = 6
DIGITS_MIN = 7  # of a code without letters: a telephone number, not a year
NEEDLES_MAX = 200

_WORD = re.compile(r"\w+")
_CODE = re.compile(r"[\w@.+-]*[\d@][\w@.+-]*")
_HASH = re.compile(r"[0-9a-f]{32}")
_ESCAPE = re.compile(r"\\u([0-9a-fA-F]{4})|\\[nrt/\"\\]")


@dataclass(frozen=True)
class Traces:
    """What gives the documents away; all texts are case-folded.

    Attributes:
        document_ids: Their ids.
        addresses: Their source addresses, as written.
        ids: Their ids and those of all their chunks in every version.
        phrases: Runs of five words (fewer in a shorter text) that are theirs alone.
        codes: Codes that are theirs alone.
        needles: Pieces of their texts as written, each with a phrase of theirs: for the search of raw bytes.
    """

    document_ids: frozenset[str]
    addresses: frozenset[str]
    ids: frozenset[str]
    phrases: frozenset[str]
    codes: frozenset[str]
    needles: tuple[str, ...] = ()

    def found_in(self, text: str) -> bool:
        """Whether the text carries a sign of the documents; it may be JSON, with its escapes."""
        if not self.ids.isdisjoint(_HASH.findall(text)) or any(address in text for address in self.addresses):
            return True
        plain = unescaped(text)
        if not self.codes.isdisjoint(codes(plain)):
            return True
        sizes = {phrase.count(" ") + 1 for phrase in self.phrases}
        words = _WORD.findall(plain.casefold()) if sizes else []
        return any(not self.phrases.isdisjoint(runs(words, size)) for size in sizes)


def make_traces(
    document_ids: Iterable[str],
    addresses: Iterable[str],
    chunk_ids: Iterable[str],
    texts: Iterable[str],
    others: Iterable[str],
) -> Traces:
    """Return the signs of documents.

    Args:
        document_ids: Their ids.
        addresses: Where they came from.
        chunk_ids: Their chunks' ids, of every version.
        texts: Everything they said, in every version.
        others: Everything that stays: texts of other documents, prompts, params, names of models.
    """
    said = list(texts)
    phrases = {phrase for text in said for phrase in phrases_of(text)}
    own_codes = {code for text in said for code in codes(text)}
    sizes = {phrase.count(" ") + 1 for phrase in phrases}
    for other in others:
        words = _WORD.findall(other.casefold())
        for size in sizes:
            phrases.difference_update(runs(words, size))
        own_codes.difference_update(codes(other))
    own = frozenset(document_ids)
    known = frozenset(place for place in addresses if len(place) >= ADDRESS_CHARS_MIN)
    needles = dict.fromkeys(needle for text in said for needle in _needles(text, phrases, own_codes))
    return Traces(
        own,
        known,
        own | frozenset(chunk_ids),
        frozenset(phrases),
        frozenset(own_codes),
        (*sorted(own_codes), *list(needles)[:NEEDLES_MAX]),
    )


def phrases_of(text: str) -> set[str]:
    """Return the runs of five words of a text; a shorter text is one run, a single word none."""
    words = _WORD.findall(text.casefold())
    return set(runs(words, min(PHRASE_WORDS, len(words)))) if len(words) > 1 else set()


def runs(words: list[str], size: int) -> Iterator[str]:
    """Yield every run of `size` words."""
    return (" ".join(words[at : at + size]) for at in range(len(words) - size + 1))


def codes(text: str) -> set[str]:
    """Return the words with a digit or an @ that are long enough to mean one thing."""
    found = {match.strip(".+-") for match in _CODE.findall(text.casefold())}
    return {code for code in found if len(code) >= CODE_CHARS_MIN and _tells(code) and not _HASH.fullmatch(code)}


def _tells(code: str) -> bool:
    return sum(char.isdigit() for char in code) >= DIGITS_MIN or any(char.isalpha() for char in code)


def unescaped(text: str) -> str:
    """Return a text without JSON's escapes, so that a quotation inside JSON reads as it did outside."""
    return _ESCAPE.sub(lambda match: chr(int(match[1], 16)) if match[1] else " ", text) if "\\" in text else text


def _needles(text: str, phrases: set[str], own_codes: set[str]) -> Iterator[str]:
    """Yield the lines of a text that are recognisably theirs."""
    for line in text.splitlines():
        piece = line.strip()
        if phrases_of(piece) & phrases or codes(piece) & own_codes:
            yield piece

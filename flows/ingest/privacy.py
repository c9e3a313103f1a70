"""Find personal data, and do to each kind what the policy says, before anything is stored.

Matching runs over a folded copy of equal length (digits of any script, full-width letters, exotic
hyphens and spaces become plain ones), so that positions hold in the text and disguise does not help.
What is taken out leaves a mark: `[CARD]`, or for `tokenize` `[CARD:<12 letters>]`, a keyed hash
(HMAC-SHA256) of the normalised value: equal values stay recognisable, and without the key nobody
can try all card numbers. Letters, so that no mark is ever taken for a number. The document's text
is the text with the marks, so every offset is true.
"""

import hashlib
import hmac
import re
import sys
import unicodedata
from bisect import bisect_left, insort
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from flows.core.errors import ParamsError
from flows.ingest.cues import Seen, around
from flows.ingest.drafts import Rejected
from flows.ingest.pii import CUES, LONG_NUMBER, NUMBER_REACH, RULES, Rule

_HYPHENS = "\u00ad\u2010\u2011\u2012\u2013\u2014\u2015\u2043\u2212\ufe58\ufe63\uff0d"
_SPACES = "\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000"
_FOREIGN = re.compile(r"[^\x00-\x7f]")
_TOKEN_LETTERS = 12
_LETTERS = str.maketrans("0123456789abcdef", "abcdefghijklmnop")


@dataclass(frozen=True, order=True)
class Finding:
    """Personal data at `text[start:end]`, in characters."""

    start: int
    end: int
    kind: str


def find_pii(text: str, seen: Seen | None = None) -> list[Finding]:
    """Return the findings of all kinds in the order of the text; none overlap.

    Args:
        text: Any text.
        seen: What a look for these cues (and others) has shown of it, where somebody has looked.
    """
    folded = _fold(text)
    if seen is None or folded != text:
        seen = CUES.look(folded)
    numbers = around((found.span() for found in LONG_NUMBER.finditer(folded)), NUMBER_REACH)
    taken: list[Finding] = []
    for rule in RULES:
        if rule.anchor is LONG_NUMBER:
            stretches = seen.among(numbers, rule.cues) if rule.cues else numbers
        else:
            stretches = _stretches(rule, folded, seen)
        if stretches:
            _take(rule, folded, _free(taken, stretches), taken)
    return taken


def _stretches(rule: Rule, folded: str, seen: Seen) -> list[tuple[int, int]]:
    """Return where all that the rule can match must lie."""
    if rule.anchor is None:
        return seen.near(rule.cues, rule.reach)
    return around((found.span() for found in rule.anchor.finditer(folded)), rule.reach)


def _take(rule: Rule, folded: str, gaps: Iterable[tuple[int, int]], taken: list[Finding]) -> None:
    group = "value" if "value" in rule.pattern.groupindex else 0
    for begin, stop in gaps:
        for found in rule.pattern.finditer(folded, begin, stop):
            if rule.holds(found[group]):
                insort(taken, Finding(*found.span(group), rule.kind))


def _free(taken: list[Finding], stretches: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return what is left of the stretches between the findings."""
    gaps = []
    for begin, stop in stretches:
        at = bisect_left(taken, begin, key=lambda item: item.end)
        while at < len(taken) and taken[at].start < stop:
            gaps.append((begin, taken[at].start))
            begin, at = taken[at].end, at + 1
        gaps.append((begin, stop))
    return gaps


def screen_pii(
    text: str, policy: Mapping[Any, str], key: bytes = b"", seen: Seen | None = None
) -> tuple[str, dict[str, int]]:
    """Return the text after the policy, and the number of findings by kind.

    Args:
        text: The document's text.
        policy: What to do per kind; kinds that are not named are allowed and counted.
        key: Key of the tokens; needed where a kind is tokenized.
        seen: As for `find_pii`.

    Raises:
        Rejected: `policy`, with a kind that is to be quarantined.
    """
    found = find_pii(text, seen)
    if not found:
        return text, {}
    counts = Counter(item.kind for item in found)
    _refuse(found, counts, policy)
    return _marked(text, found, policy, key), dict(sorted(counts.items()))


def _refuse(found: Iterable[Finding], counts: Mapping[str, int], policy: Mapping[Any, str]) -> None:
    for item in found:
        if policy.get(item.kind) == "quarantine":
            detail = f"{counts[item.kind]} finding(s), the first at character {item.start}"
            raise Rejected("policy", f"pii_{item.kind}", detail)


def _marked(text: str, found: Iterable[Finding], policy: Mapping[Any, str], key: bytes) -> str:
    parts, at = [], 0
    for item in found:
        action = policy.get(item.kind)
        if action not in {"redact", "tokenize"}:
            continue
        token = f":{_token(text[item.start : item.end], item.kind, key)}" if action == "tokenize" else ""
        parts += [text[at : item.start], f"[{item.kind.upper()}{token}]"]
        at = item.end
    return "".join([*parts, text[at:]])


def _token(value: str, kind: str, key: bytes) -> str:
    """Return the same letters for the same value, however it is spaced or written."""
    if not key:
        raise ParamsError(
            f"ingest.pii.{kind} is 'tokenize', but no key was given. Run `llmops ingest`, which makes one."
        )
    plain = "".join(char for char in _fold(value).casefold() if char.isalnum() or char == "@")
    return hmac.new(key, f"{kind}:{plain}".encode(), hashlib.sha256).hexdigest()[:_TOKEN_LETTERS].translate(_LETTERS)


def _fold(text: str) -> str:
    if text.isascii():
        return text
    plain = _folding()
    found = plain.keys() & set(_FOREIGN.findall(text))
    return re.sub(f"[{''.join(sorted(found))}]", lambda char: plain[char.group()], text) if found else text


@lru_cache(maxsize=1)
def _folding() -> dict[str, str]:
    """Map every digit of any script, full-width character, hyphen and space to its plain form, one to one."""
    wide = {chr(code): chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F)}
    digits = {
        char: str(unicodedata.decimal(char))
        for char in map(chr, range(0x80, sys.maxunicode + 1))
        if unicodedata.category(char) == "Nd"
    }
    return wide | digits | dict.fromkeys(_HYPHENS, "-") | dict.fromkeys(_SPACES, " ")

"""Split answers into claims and claims into what can be checked: words, numbers, negations.

Function words are left out and endings are cut by fixed rules, so that `counted` supports
`counts`. Numbers are kept exactly (a wrong number is a wrong answer) and a negation is a word of
its own, because dropping `not` turns a statement round.
"""

import re
from functools import lru_cache

WORD = re.compile(r"[A-Za-z0-9À-ɏ]+(?:[._'’/-][A-Za-z0-9À-ɏ]+)*|[^\W\d_]+")
NUMBER = re.compile(r"(?<![\w.])[-+]?\d+(?:[.,]\d+)*")
MARKER = re.compile(r"\s*\[\d+(?:\s*,\s*\d+)*\]")
SENTENCE = re.compile(r"(?<=[.!?])[\"'”’)\]]*\s+(?=[\"'“‘(\[]*[A-Z0-9])|\n+")
NEGATIONS = frozenset({"not", "no", "never", "none", "nothing", "neither", "nor", "without", "cannot"})
NEGATION = "¬"
FUNCTION_WORDS = frozenset(
    """a about above after again all also an and any are as at be because been before being below between both but by
    can could did do does doing during each either for from further had has have having he her here how i if in into
    is it its itself just may might more most much must my of off on once only or other our out over own same shall
    she should so some such than that the their them then there these they this those through to too under until up
    upon us very was we were what when where whether which while who whom whose why will with would you
    your""".split()  # noqa: SIM905 - a word list reads best as text
)
ENDINGS = (("ies", "y"), ("sses", "ss"), ("ing", ""), ("ed", ""), ("es", ""), ("s", ""), ("e", ""))
STEM_CHARS_MIN = 3


def without_markers(text: str) -> str:
    """Return an answer without its citation marks `[1]`, `[2, 3]`."""
    return MARKER.sub("", text).strip()


def claims(text: str) -> list[str]:
    """Return the sentences of an answer that say something."""
    parts = (part.strip() for part in SENTENCE.split(without_markers(text)))
    return [part for part in parts if facts(part)]


def stem(word: str) -> str:
    """Cut the usual English endings; a word with a digit stays as it is."""
    lower = word.lower().replace("’", "'").removesuffix("'s")
    if any(char.isdigit() for char in lower):
        return lower
    for ending, instead in ENDINGS:
        if lower.endswith(ending) and len(lower) - len(ending) >= STEM_CHARS_MIN and not lower.endswith("ss"):
            return lower[: -len(ending)] + instead
    return lower


def numbers(text: str) -> frozenset[str]:
    """Return the numbers of a text, thousands separators removed: `1,000` is `1000`."""
    found = (re.sub(r",(?=\d{3}(?:\D|$))", "", item) for item in NUMBER.findall(without_markers(text)))
    return frozenset(item.lstrip("+") for item in found)


@lru_cache(maxsize=4096)  # a chunk is compared with every sentence of every answer that saw it
def facts(text: str) -> frozenset[str]:
    """Return what a text says as a set: stems of content words, numbers, and `¬` for a negation."""
    plain = without_markers(text)
    said = {word.lower() for word in WORD.findall(plain)}
    negated = {NEGATION} if said & NEGATIONS or any(word.endswith("n't") for word in said) else set()
    stems = {stem(word) for word in said - FUNCTION_WORDS - NEGATIONS if not NUMBER.fullmatch(word)}
    return frozenset(stems | numbers(plain) | negated)


def is_number(fact: str) -> bool:
    """Return whether a fact is a number."""
    return NUMBER.fullmatch(fact) is not None

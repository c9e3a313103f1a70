"""Compare short English texts by the words that carry their meaning.

Which words two texts share decides whether a question gives its answer away, repeats another one
or fits several documents. Function words are left out and endings are cut by a few fixed rules;
nothing is learned, so equal texts are equal on every machine.
"""

import re

WORD = re.compile(r"[A-Za-z0-9]+(?:[._'’/-][A-Za-z0-9]+)*")
NUMBER = re.compile(r"\d+(?:[.,]\d+)*")

FUNCTION_WORDS = frozenset(
    """a about above after again all also an and any are as at be because been before being below between both but by
    can could did do does doing down during each either for from further had has have having he her here how i if in
    into is it its itself just may me might more most much must my no nor not of off on once only or other our out
    over own same shall she should so some such than that the their them then there these they this those through to
    too under until up upon us very was we were what when where whether which while who whom whose why will with
    would you your""".split()  # noqa: SIM905 - a word list reads best as text
)
ENDINGS = (("ies", "y"), ("sses", "ss"), ("ing", ""), ("ed", ""), ("es", ""), ("s", ""), ("e", ""))
STEM_CHARS_MIN = 3


def words(text: str) -> list[str]:
    """Return the words of a text as written; `all-MiniLM-L6-v2` and `params.yaml` are one word each."""
    return WORD.findall(text)


def stem(word: str) -> str:
    """Cut the usual English endings, so that `counted`, `counts` and `count` are one."""
    lower = word.lower().replace("’", "'").removesuffix("'s")
    for ending, instead in ENDINGS:
        if lower.endswith(ending) and len(lower) - len(ending) >= STEM_CHARS_MIN and not lower.endswith("ss"):
            return lower[: -len(ending)] + instead
    return lower


def content(text: str) -> frozenset[str]:
    """Return the stems of a text's words that are not function words."""
    return frozenset(stem(word) for word in words(text) if word.lower() not in FUNCTION_WORDS)


def numbers(text: str) -> frozenset[str]:
    """Return the numbers of a text, thousands separators removed."""
    return frozenset(item.replace(",", "") for item in NUMBER.findall(text))


def overlap(one: frozenset[str], other: frozenset[str]) -> float:
    """Return the Jaccard similarity of two word sets, 0 … 1; two empty sets are equal."""
    return len(one & other) / len(one | other) if one | other else 1.0

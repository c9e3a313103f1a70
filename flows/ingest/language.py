"""Name the language of a text from its script and its most common small words.

Method: scripts that serve one language decide alone; among languages in Latin script the share of
stop words decides, and without a clear winner the answer is `und`. Small words are a closed class
that every prose text is full of (Grefenstette 1995, "Comparing two language identification schemes").
"""

import re
from string import ascii_letters

from flows.core.memo import Memo

UNKNOWN = "und"
_SAMPLE_CHARS = 20_000
_SCRIPT_SHARE_MIN = 0.3
_STOP_SHARE_MIN = 0.08  # prose has .3 to .5, lists of names and numbers next to none
_WORDS_MIN = 5
_LEAD_MIN = 1.3  # the winner over the second, as a ratio
_FOREIGN = re.compile(r"[^\x00-\x7f]+")
_LETTER_WORD = re.compile(r"[^\W\d_]+")

_SCRIPTS = (
    ("ja", "\u3040-\u30ff"), ("ko", "\uac00-\ud7af\u1100-\u11ff"), ("zh", "\u4e00-\u9fff\u3400-\u4dbf"),
    ("ru", "\u0400-\u04ff"), ("he", "\u0590-\u05ff"), ("ar", "\u0600-\u06ff"), ("el", "\u0370-\u03ff"),
    ("hi", "\u0900-\u097f"), ("th", "\u0e00-\u0e7f"),
)  # fmt: skip
_KANA_SHARE_MIN = 0.05  # Japanese mixes kana with the characters it shares with Chinese

_STOP_WORDS = {
    "en": "the of and to in is that for it with as was on be are by this not or from at have you which",
    "de": "der die das und ist in den von zu mit sich des auf für nicht ein eine dem im werden auch als oder",
    "fr": "le la les de des et est un une en que pour dans qui sur par plus pas au avec ce sont du ou",
    "es": "el la los las de que y en un una es por con para del se no su al como más lo o",
    "it": "il la di che e un una per in non sono con del della le si da come più i gli è dei alla",
    "pt": "o a os as de que e em um uma para com não do da se por mais dos no na é ao ou",
    "nl": "de het een en van is dat in te op voor met niet zijn aan er ook als bij maar om wordt of die",
    "sv": "och att det i en som är på av för med den till inte har de ett om var jag från vi kan eller",
}
_COUNT_BITS = 16  # of each count in the sum of all; a sample has fewer words than that can count
_COUNT_MAX = (1 << _COUNT_BITS) - 1
_STOPS = {language: frozenset(words.split()) for language, words in _STOP_WORDS.items()}
_WEIGHTS = {  # what a stop word adds to that sum: one word, and one for each language it belongs to
    word: 1 + sum((word in stops) << _COUNT_BITS * place for place, stops in enumerate(_STOPS.values(), start=1))
    for word in set[str]().union(*_STOPS.values())
}


def detect_language(text: str) -> str:
    """Return the ISO 639-1 code of the main language of a text, or `und`."""
    sample = text[:_SAMPLE_CHARS]
    return _by_script(sample) or _by_stop_words(sample)


def _by_script(sample: str) -> str | None:
    if sample.isascii():
        return None
    foreign = "".join(_FOREIGN.findall(sample))
    latin = sample.encode("ascii", errors="ignore")
    letters = sum(map(str.isalpha, foreign)) + len(latin) - len(latin.translate(None, ascii_letters.encode()))
    if not letters:
        return None
    shares = {name: len(re.findall(f"[{chars}]", foreign)) / letters for name, chars in _SCRIPTS}
    if shares["ja"] > _KANA_SHARE_MIN and shares["ja"] + shares["zh"] >= _SCRIPT_SHARE_MIN:
        return "ja"
    name, share = max(shares.items(), key=lambda item: item[1])
    return name if share >= _SCRIPT_SHARE_MIN else None


def _by_stop_words(sample: str) -> str:
    counts = sum(map(_COUNTS.__getitem__, sample.split()))
    total, *stops = (counts >> _COUNT_BITS * place & _COUNT_MAX for place in range(1 + len(_STOPS)))
    (best, language), (second, _) = sorted(zip(stops, _STOPS, strict=True), reverse=True)[:2]
    if total < _WORDS_MIN or best < _STOP_SHARE_MIN * total or best < _LEAD_MIN * second:
        return UNKNOWN
    return language


def _counts(run: str) -> int:
    """Return in one number how many words a run of characters holds, and how many stop words of each language."""
    return sum(_WEIGHTS.get(word, 1) for word in _LETTER_WORD.findall(run.casefold()))


_COUNTS = Memo(_counts)

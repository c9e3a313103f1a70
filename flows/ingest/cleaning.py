"""Bring text into the one form that is hashed, compared, scanned and cut.

Unicode form NFC, line feeds only, and none of the characters that a reader does not see but a
model does: control, bidirectional, zero-width and tag characters, noncharacters, piled-up
combining marks. Each removal is counted in a flag. Joiners stay where scripts and emoji need them.
"""

import re
import unicodedata
from functools import cache

_TAG, _BIDI = "\U000e0000-\U000e007f", "\u202a-\u202e\u2066-\u2069\u200e\u200f\u061c"
_ZERO_WIDTH, _JOINERS = "\u200b\u2060-\u2064\ufeff\u00ad\u180e", "\u200c\u200d"
_CONTROL = "\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufffe\uffff\ud800-\udfff\ufdd0-\ufdef\ufff9-\ufffb"
_UNSEEN = re.compile(f"[{_TAG}{_BIDI}{_ZERO_WIDTH}{_JOINERS}{_CONTROL}]")
_ESCAPES = re.compile("\x1b(?:\\[[0-9;?]{0,20}[A-Za-z]|\\][^\x07\x1b]{0,200}(?:\x07|\x1b\\\\))")
_DATA_URI = re.compile(r"data:[a-z]{1,20}/[a-z0-9.+-]{1,60}(?:;[a-z0-9=-]{1,40}){0,3},[A-Za-z0-9+/=%]{64,}")
_MARKS = "\u0300-\u036f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f"
_BLANK = "\n\n\n\n"
_BLANK_LINES = re.compile(f"{_BLANK}+")
_STEPS = (
    ("data_uri", _DATA_URI),
    ("escape", _ESCAPES),
    ("tag", re.compile(f"[{_TAG}]+")),
    ("bidi", re.compile(f"[{_BIDI}]")),
    ("zero_width", re.compile(f"[{_ZERO_WIDTH}]|(?<![^\x00-\x7f])[{_JOINERS}]|[{_JOINERS}](?![^\x00-\x7f])")),
    ("control", re.compile(f"[{_CONTROL}]")),
)
_SEEN_STEPS = _STEPS[:1]  # all others remove what is unseen


def clean(text: str, *, combining_marks_max: int) -> tuple[str, tuple[str, ...], str]:
    """Return the clean text, flags `removed_<kind>:<count>`, and the instruction tag characters spell.

    Args:
        text: Decoded text.
        combining_marks_max: Most combining marks kept on one letter.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\u2028", "\n").replace("\u2029", "\n\n")
    unseen = bool(_UNSEEN.search(text))
    hidden = "".join(chr(ord(char) - 0xE0000) for char in text if 0xE0001 < ord(char) < 0xE0080) if unseen else ""
    flags: list[str] = []
    for kind, pattern in _STEPS if unseen else _SEEN_STEPS:
        text = _remove(text, pattern, kind, flags)
    if not text.isascii():
        text = _remove(unicodedata.normalize("NFC", text), _marks_beyond(combining_marks_max), "mark", flags)
    text = "\n".join([line.rstrip() for line in text.split("\n")])  # a pattern for this would be quadratic
    return (_BLANK_LINES.sub("\n\n\n", text) if _BLANK in text else text).strip(), tuple(flags), hidden


@cache
def _marks_beyond(most: int) -> re.Pattern[str]:
    return re.compile(f"[{_MARKS}](?<=[{_MARKS}]{{{most + 1}}})[{_MARKS}]*")


def _remove(text: str, pattern: re.Pattern[str], kind: str, flags: list[str]) -> str:
    if found := [match.group() for match in pattern.finditer(text)]:
        count = len(found) if kind in {"data_uri", "escape"} else sum(map(len, found))
        flags.append(f"removed_{kind}:{count}")
        text = pattern.sub("", text)
    return text

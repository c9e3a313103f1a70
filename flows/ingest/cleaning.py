"""Bring text into the one form that is hashed, compared, scanned and cut.

Unicode form NFC, line feeds only, and none of the characters that a reader does not see but a
model does: control, bidirectional, zero-width and tag characters, noncharacters, piled-up
combining marks. Each removal is counted in a flag. Joiners stay where scripts and emoji need them.
"""

import re
import unicodedata

_BIDI = re.compile("[\u202a-\u202e\u2066-\u2069\u200e\u200f\u061c]")
_ZERO_WIDTH = re.compile(
    "[\u200b\u2060-\u2064\ufeff\u00ad\u180e]|(?<![^\x00-\x7f])[\u200c\u200d]|[\u200c\u200d](?![^\x00-\x7f])"
)
_TAGS = re.compile("[\U000e0000-\U000e007f]+")
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufffe\uffff\ud800-\udfff\ufdd0-\ufdef\ufff9-\ufffb]")
_ESCAPES = re.compile("\x1b(?:\\[[0-9;?]{0,20}[A-Za-z]|\\][^\x07\x1b]{0,200}(?:\x07|\x1b\\\\))")
_DATA_URI = re.compile(r"data:[a-z]{1,20}/[a-z0-9.+-]{1,60}(?:;[a-z0-9=-]{1,40}){0,3},[A-Za-z0-9+/=%]{64,}")
_MARKS = "\u0300-\u036f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f"
_BLANK_LINES = re.compile(r"\n{4,}")


def clean(text: str, *, combining_marks_max: int) -> tuple[str, tuple[str, ...], str]:
    """Return the clean text, flags `removed_<kind>:<count>`, and the instruction tag characters spell.

    Args:
        text: Decoded text.
        combining_marks_max: Most combining marks kept on one letter.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\u2028", "\n").replace("\u2029", "\n\n")
    hidden = "".join(chr(ord(char) - 0xE0000) for run in _TAGS.findall(text) for char in run if ord(char) > 0xE001)
    flags: list[str] = []
    marks = re.compile(f"(?<=[{_MARKS}]{{{combining_marks_max}}})[{_MARKS}]+")
    steps = (("data_uri", _DATA_URI), ("escape", _ESCAPES), ("tag", _TAGS), ("bidi", _BIDI),
             ("zero_width", _ZERO_WIDTH), ("control", _CONTROL))  # fmt: skip
    for kind, pattern in steps:
        text = _remove(text, pattern, kind, flags)
    text = _remove(unicodedata.normalize("NFC", text), marks, "mark", flags)
    lines = "\n".join(line.rstrip() for line in text.split("\n"))  # a pattern for this would be quadratic
    text = _BLANK_LINES.sub("\n\n\n", lines).strip()
    return text, tuple(flags), hidden


def _remove(text: str, pattern: re.Pattern[str], kind: str, flags: list[str]) -> str:
    if text.isascii() and kind not in {"data_uri", "escape", "control"}:
        return text
    found = sum(1 if kind in {"data_uri", "escape"} else len(match.group()) for match in pattern.finditer(text))
    if found:
        flags.append(f"removed_{kind}:{found}")
        text = pattern.sub("", text)
    return text

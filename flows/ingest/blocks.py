"""Read the structure of Markdown-like text: headings, paragraphs, lists, tables, code blocks.

Only what decides where a chunk may be cut is recognised, line by line, in one pass; the rest of
Markdown stays text. Blocks are spans of the text in order, and together they hold every character
that is not white space.
"""

import re
from collections.abc import Callable
from itertools import accumulate
from typing import Literal, NamedTuple

Kind = Literal["heading", "paragraph", "list", "table", "code"]

_ATX = re.compile(r"(#{1,6})[ \t]+(\S.*)")
_UNDERLINE = re.compile(r"(=+|-+)[ \t]*")
_FENCE = re.compile(r"[ ]{0,3}(`{3,}|~{3,})")
_ITEM = re.compile(r"[ \t]*(?:[-*+•]|\d{1,9}[.)])[ \t]+\S")
_OTHER = re.compile(rf"{_ATX.pattern}|{_FENCE.pattern}|\s*\|")  # begins what is neither paragraph nor list
_PATH_CHARS_MAX = 300


class Block(NamedTuple):
    """A structural unit: the slice `[start:end]` of the text, and the headings above it."""

    start: int
    end: int
    kind: Kind
    heading: str


def blocks(text: str) -> list[Block]:
    """Split a text into blocks; a heading's own path includes itself."""
    lines = text.split("\n")
    starts = list(accumulate([len(line) + 1 for line in lines], initial=0))
    found: list[Block] = []
    path: dict[int, str] = {}
    heading = ""
    at = 0
    while at < len(lines):
        if not lines[at] or lines[at].isspace():
            at += 1
            continue
        kind, after, level = _block(lines, at)
        if kind == "heading":
            path = {depth: name for depth, name in path.items() if depth < level}
            path[level] = lines[at].strip().strip("#").strip()
            heading = " > ".join(path[depth] for depth in sorted(path))[:_PATH_CHARS_MAX]
        found.append(Block(starts[at], starts[after] - 1, kind, heading))
        at = after
    return found


def _block(lines: list[str], at: int) -> tuple[Kind, int, int]:
    """Return the kind of the block at a line, the line after it, and a heading's level."""
    line = lines[at]
    if fence := _FENCE.match(line):
        return "code", _after_fence(lines, at, fence.group(1)), 0
    if atx := _ATX.match(line):
        return "heading", at + 1, len(atx.group(1))
    if at + 1 < len(lines) and _is_underlined(line, lines[at + 1]):
        return "heading", at + 2, 1 if lines[at + 1].startswith("=") else 2
    if line.lstrip().startswith("|"):
        return "table", _while(lines, at, lambda text: text.lstrip().startswith("|")), 0
    if _ITEM.match(line):
        return "list", _while(lines, at, lambda text: bool(text.strip()) and not _OTHER.match(text)), 0
    return "paragraph", _after_paragraph(lines, at), 0


def _is_underlined(line: str, below: str) -> bool:
    if len(below.strip()) < 3 or not _UNDERLINE.fullmatch(below):
        return False
    return bool(line.strip()) and not _ITEM.match(line) and not line.lstrip().startswith("|")


def _after_fence(lines: list[str], at: int, fence: str) -> int:
    for index in range(at + 1, len(lines)):
        text = lines[index].strip()
        if text.startswith(fence) and not text.strip(fence[0]):
            return index + 1
    return len(lines)  # an unclosed fence reaches to the end


def _while(lines: list[str], at: int, belongs: Callable[[str], bool]) -> int:
    after = at + 1
    while after < len(lines) and belongs(lines[after]):
        after += 1
    return after


def _after_paragraph(lines: list[str], at: int) -> int:
    after = at + 1
    while after < len(lines):
        line = lines[after]
        if not line or line.isspace() or _OTHER.match(line) or _ITEM.match(line):
            break
        if after + 1 < len(lines) and _is_underlined(line, lines[after + 1]):
            break
        after += 1
    return after

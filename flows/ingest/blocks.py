"""Read the structure of Markdown-like text: headings, paragraphs, lists, tables, code blocks.

Only what decides where a chunk may be cut is recognised, line by line, in one pass; the rest of
Markdown stays text. Blocks are spans of the text in order, and together they hold every character
that is not white space.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

Kind = Literal["heading", "paragraph", "list", "table", "code"]

_ATX = re.compile(r"(#{1,6})[ \t]+(\S.*)")
_UNDERLINE = re.compile(r"(=+|-+)[ \t]*")
_FENCE = re.compile(r"[ ]{0,3}(`{3,}|~{3,})")
_ITEM = re.compile(r"[ \t]*(?:[-*+•]|\d{1,9}[.)])[ \t]+\S")
_PATH_CHARS_MAX = 300


@dataclass(frozen=True)
class Block:
    """A structural unit: the slice `[start:end]` of the text, and the headings above it."""

    start: int
    end: int
    kind: Kind
    heading: str


@dataclass(frozen=True)
class _Line:
    start: int
    text: str

    @property
    def end(self) -> int:
        return self.start + len(self.text)


def blocks(text: str) -> list[Block]:
    """Split a text into blocks; a heading's own path includes itself."""
    lines = list(_lines(text))
    found: list[Block] = []
    path: dict[int, str] = {}
    at = 0
    while at < len(lines):
        if not lines[at].text.strip():
            at += 1
            continue
        kind, after, level = _block(lines, at)
        if kind == "heading":
            path = {depth: name for depth, name in path.items() if depth < level}
            path[level] = lines[at].text.strip().strip("#").strip()
        heading = " > ".join(path[depth] for depth in sorted(path))[:_PATH_CHARS_MAX]
        found.append(Block(lines[at].start, lines[after - 1].end, kind, heading))
        at = after
    return found


def _lines(text: str) -> Iterator[_Line]:
    start = 0
    for line in text.split("\n"):
        yield _Line(start, line)
        start += len(line) + 1


def _block(lines: list[_Line], at: int) -> tuple[Kind, int, int]:
    """Return the kind of the block at a line, the line after it, and a heading's level."""
    line = lines[at].text
    if fence := _FENCE.match(line):
        return "code", _after_fence(lines, at, fence.group(1)), 0
    if atx := _ATX.match(line):
        return "heading", at + 1, len(atx.group(1))
    if at + 1 < len(lines) and _is_underlined(line, lines[at + 1].text):
        return "heading", at + 2, 1 if lines[at + 1].text.startswith("=") else 2
    if line.lstrip().startswith("|"):
        return "table", _while(lines, at, lambda text: text.lstrip().startswith("|")), 0
    if _ITEM.match(line):
        return "list", _while(lines, at, lambda text: bool(text.strip()) and not _starts_other(text)), 0
    return "paragraph", _after_paragraph(lines, at), 0


def _is_underlined(line: str, below: str) -> bool:
    plain = bool(line.strip()) and not _ITEM.match(line) and not line.lstrip().startswith("|")
    return plain and len(below.strip()) >= 3 and bool(_UNDERLINE.fullmatch(below))


def _after_fence(lines: list[_Line], at: int, fence: str) -> int:
    for index in range(at + 1, len(lines)):
        text = lines[index].text.strip()
        if text.startswith(fence) and not text.strip(fence[0]):
            return index + 1
    return len(lines)  # an unclosed fence reaches to the end


def _while(lines: list[_Line], at: int, belongs: Callable[[str], bool]) -> int:
    after = at + 1
    while after < len(lines) and belongs(lines[after].text):
        after += 1
    return after


def _starts_other(text: str) -> bool:
    return bool(_ATX.match(text) or _FENCE.match(text)) or text.lstrip().startswith("|")


def _after_paragraph(lines: list[_Line], at: int) -> int:
    after = at + 1
    while after < len(lines):
        text = lines[after].text
        if not text.strip() or _starts_other(text) or _ITEM.match(text):
            break
        if after + 1 < len(lines) and _is_underlined(text, lines[after + 1].text):
            break
        after += 1
    return after

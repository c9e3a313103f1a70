"""Read a document's outline: headings, sentences and table rows, each with its exact characters.

Documents are Markdown or plain text. The reader goes line by line, because Markdown's blocks are
made of lines; it never changes the text, so `text[start:end]` is what a span points to. Code
blocks and front matter hold no sentences.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

HEADING = re.compile(r"^ {0,3}(#{1,6})\s+(.*?)\s*#*\s*$")
FENCE = re.compile(r"^\s*(```|~~~)")
ITEM = re.compile(r"^\s*(?:[-*+•]|\d{1,3}[.)])\s+")
TABLE_RULE = re.compile(r"^\s*\|?\s*:?-{2,}:?\s*(\|\s*:?-{2,}:?\s*)*\|?\s*$")
SENTENCE_END = re.compile(r"[.!?][\"'”’)\]*_`]*(?=\s+[\"'“‘(\[*_`]*[A-Z0-9]|\s*$)")
ABBREVIATION = re.compile(r"(?:\b(?:e\.g|i\.e|vs|etc|cf|approx|Dr|Mr|Mrs|Ms|St|Fig|No|Inc|U\.S)|\b[A-Z])\.$")
LINK = re.compile(r"!?\[([^\]]*)\]\([^)]*\)")
MARKS = re.compile(r"\*\*|__|`|(?<!\w)[*_](?=\w)|(?<=\w)[*_](?!\w)|</?[A-Za-z][^<>]*>")
SPACE = re.compile(r"\s+")


@dataclass(frozen=True)
class Sentence:
    """One sentence; `text` is clean (no markup), `[start:end]` its characters in the document."""

    text: str
    start: int
    end: int
    headings: tuple[str, ...] = ()
    first: bool = False  # the first one below its heading


@dataclass(frozen=True)
class Row:
    """One table row with the names of its columns."""

    columns: tuple[str, ...]
    cells: tuple[str, ...]
    start: int
    end: int
    headings: tuple[str, ...] = ()


@dataclass
class Outline:
    """What a document consists of, in reading order."""

    sentences: list[Sentence] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)


@dataclass(frozen=True)
class _Line:
    text: str
    start: int

    @property
    def end(self) -> int:
        return self.start + len(self.text)


def clean(text: str) -> str:
    """Return text without Markdown marks, its white space folded."""
    return SPACE.sub(" ", MARKS.sub("", LINK.sub(r"\1", text))).strip()


def outline(text: str) -> Outline:
    """Read headings, sentences and table rows with their character positions."""
    result, path, block = Outline(), list[tuple[int, str]](), list[_Line]()
    for line in _prose_lines(text):
        heading = HEADING.match(line.text)
        if heading or not line.text.strip() or ITEM.match(line.text):
            _close(result, block, path, text)
            block = []
        if heading:
            level = len(heading[1])
            path = [*(item for item in path if item[0] < level), (level, clean(heading[2]))]
        elif line.text.strip():
            block.append(line)
    _close(result, block, path, text)
    return result


def _prose_lines(text: str) -> Iterator[_Line]:
    """Yield lines outside code and front matter; an empty line takes a code block's place."""
    start, fenced, front = 0, False, text.startswith("---\n")
    for number, raw in enumerate(text.splitlines(keepends=True)):
        line, start = _Line(raw.rstrip("\r\n"), start), start + len(raw)
        if front:
            front = number == 0 or line.text.strip() != "---"
            continue
        toggles = bool(FENCE.match(line.text))
        yield _Line("", line.start) if toggles or fenced else line
        fenced ^= toggles


def _close(result: Outline, block: list[_Line], path: list[tuple[int, str]], text: str) -> None:
    if not block:
        return
    headings = tuple(name for _, name in path)
    if block[0].text.lstrip().startswith("|") or (len(block) > 1 and TABLE_RULE.match(block[1].text)):
        result.rows.extend(_rows(block, headings))
        return
    marker = ITEM.match(block[0].text)
    start = block[0].start + (marker.end() if marker else 0)
    seen = result.sentences[-1].headings if result.sentences else None
    for begin, end in split(text[start : block[-1].end]):
        first = seen != headings
        result.sentences.append(
            Sentence(clean(text[start + begin : start + end]), start + begin, start + end, headings, first)
        )
        seen = headings


def split(text: str) -> list[tuple[int, int]]:
    """Return the sentences of a paragraph as character ranges without surrounding white space."""
    spans, start = [], 0
    for match in SENTENCE_END.finditer(text):
        if not ABBREVIATION.search(text[start : match.start() + 1]) or match.end() == len(text.rstrip()):
            spans.append((start, match.end()))
            start = match.end()
    spans.append((start, len(text)))
    trimmed = [(a + len(text[a:b]) - len(text[a:b].lstrip()), a + len(text[a:b].rstrip())) for a, b in spans]
    return [(a, b) for a, b in trimmed if b > a]


def _rows(block: list[_Line], headings: tuple[str, ...]) -> list[Row]:
    if len(block) < 3 or not TABLE_RULE.match(block[1].text):
        return []
    columns = _cells(block[0].text)
    rows = [Row(columns, _cells(line.text), line.start, line.end, headings) for line in block[2:]]
    return [row for row in rows if len(row.cells) == len(columns)]


def _cells(line: str) -> tuple[str, ...]:
    inner = line.strip().removeprefix("|").removesuffix("|")
    return tuple(clean(cell.replace("\\|", "|")) for cell in re.split(r"(?<!\\)\|", inner))

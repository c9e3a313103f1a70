"""Give the tables of a PDF their rows back: the parser writes the lines of a block as one paragraph.

In its document structure the parser still has the lines as the page draws them. A block of its
Markdown is found there by its letters and digits, and where lines end in amounts they are rows: a
row keeps its label and its amounts on one line of the text. Other lines are prose and stay joined, so that
sentences stay whole. Columns are not rebuilt: amounts stand in the order of the page.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

_AMOUNT = r"(?:[$€£¥] ?)?\(?[-+−]?\d(?:[\d,.]{0,30}\d)?\)?(?: ?%\)?)?|[$€£¥] ?[-–—]|[-–—]"
_TAIL = re.compile(rf"(?:(?<=\s)|^)(?:{_AMOUNT})$")
_AMOUNTS_MAX = 40  # more than the columns of any page
_SURE_AMOUNTS = 2  # so many at the end of a line make a row of it, whatever stands around
_TABLE_SHARE = 0.5  # a block of which so many lines end in an amount is a table
_KINDS = ("paragraph", "list_item")


def with_rows(markdown: str, nodes: Sequence[Mapping[str, Any]]) -> str:
    """Return the Markdown of a PDF with one line per table row.

    Args:
        markdown: The parser's text, blocks apart by blank lines.
        nodes: The parser's document structure: mappings with `content`: {`node_type`, `text`}.
    """
    drawn = {}
    for content in (node["content"] for node in nodes):
        lines = [" ".join(line.split()) for line in str(content.get("text") or "").split("\n")]
        if content["node_type"] in _KINDS and any(map(amounts_at_end, lines[:-1])):
            drawn[_key(" ".join(lines))] = rows(lines)
    return "\n\n".join(drawn.get(_key(block), block) for block in markdown.split("\n\n"))


def rows(lines: Sequence[str]) -> str:
    """Join the lines of a block, but for its table rows."""
    amounts = [amounts_at_end(line) for line in lines]
    is_table = sum(map(bool, amounts)) >= _TABLE_SHARE * len(lines)
    ends = [count >= _SURE_AMOUNTS or (is_table and count > 0) for count in amounts]
    parts = [lines[0]]
    for index in range(1, len(lines)):
        new_line = ends[index - 1] or (ends[index] and _begins_row(lines[index]))
        parts += ["\n" if new_line else " ", lines[index]]
    return "".join(parts)


def amounts_at_end(line: str) -> int:
    """Return how many amounts stand at the end of a line; a line of amounts alone has them all."""
    count, rest = 0, line.rstrip()
    while count < _AMOUNTS_MAX and (found := _TAIL.search(rest, max(0, len(rest) - 40))):
        count, rest = count + 1, rest[: found.start()].rstrip()
    return count


def _begins_row(line: str) -> bool:
    """Return whether a label starts here; one that goes on in lower case was wrapped."""
    return not line[:1].islower()


def _key(text: str) -> str:
    return "".join(filter(str.isalnum, text))

"""Print to the terminal, where control characters from outside never come."""

import re
import shutil
import sys
import textwrap

MIN_COLUMNS, MAX_COLUMNS = 60, 120

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069]")


def line(text: str = "") -> None:
    """Print one line (or several) without control characters."""
    sys.stdout.write(_CONTROL.sub("", text) + "\n")
    sys.stdout.flush()


def note(text: str) -> None:
    """Print one line for people to standard error, likewise without control characters."""
    sys.stderr.write(f"note: {_CONTROL.sub('', text)}\n")


def sentence(text: str) -> str:
    """Return the help of a command as a sentence; names keep their capitals."""
    return f"{text[:1].upper()}{text[1:]}."


def table(rows: list[tuple[str, str]]) -> None:
    """Print pairs as two aligned columns, the second wrapped to the terminal's width."""
    width = max((len(name) for name, _ in rows), default=0)
    columns = max(MIN_COLUMNS, shutil.get_terminal_size((MAX_COLUMNS, 24)).columns)
    for name, value in rows:
        wrapped = textwrap.wrap(value, max(MIN_COLUMNS // 2, min(columns, MAX_COLUMNS) - width - 4)) or [""]
        line(f"  {name:<{width}}  {wrapped[0]}")
        for rest in wrapped[1:]:
            line(f"  {'':<{width}}  {rest}")

"""Print to the terminal; control characters from outside never reach it."""

import re
import sys

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069]")


def line(text: str = "") -> None:
    """Print one line (or several) without control characters."""
    sys.stdout.write(_CONTROL.sub("", text) + "\n")
    sys.stdout.flush()


def table(rows: list[tuple[str, str]]) -> None:
    """Print pairs as two aligned columns."""
    width = max((len(name) for name, _ in rows), default=0)
    for name, value in rows:
        line(f"  {name:<{width}}  {value}")

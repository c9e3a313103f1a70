"""Fill `{{ name }}` in a prompt's text, and refuse every other template syntax.

Full Jinja in a prompt is code execution by whoever may edit a text file, so only plain names are
known. The text is scanned once and values are put in without a second look: a document that
contains `{{ question }}` stays a document.
"""

import re
from collections.abc import Iterator, Mapping

from flows.core.errors import ParamsError

NAME = r"[a-z][a-z0-9_]*"
_PLACEHOLDER = re.compile(r"(?<!\{)\{\{[ \t]*(" + NAME + r")[ \t]*\}\}")
_TAGGED = re.compile(r"<(\w+)>\s*\{\{[ \t]*(" + NAME + r")[ \t]*\}\}\s*</\1>")
_OTHER = re.compile(r"\{\{|\{%|\{#")


def placeholders(text: str, *, where: str, first_line: int = 1) -> set[str]:
    """Return the names that the text uses.

    Args:
        text: A template.
        where: Its file, for the error.
        first_line: Line of the file at which the text begins, counted from 1.

    Raises:
        ParamsError: Any other template syntax (a statement, comment, filter, attribute,
            expression, or a `{{` that is not closed), with file and line.
    """
    for line in _foreign_lines(text):
        raise ParamsError(
            f"other template syntax than `{{{{ name }}}}` in {where}:{first_line + line}. "
            "Write the text out, or declare a variable and let the caller compute its value."
        )
    return set(_PLACEHOLDER.findall(text))


def _foreign_lines(text: str) -> Iterator[int]:
    blanked = _PLACEHOLDER.sub(lambda match: " " * len(match.group()), text)
    for match in _OTHER.finditer(blanked):
        yield text.count("\n", 0, match.start())


def undelimited(text: str) -> set[str]:
    """Return the names that do not stand alone inside a tag, as in `<question>{{ question }}</question>`.

    Without tags a model cannot tell where a text that somebody else wrote begins and ends.
    """
    return set(_PLACEHOLDER.findall(text)) - {name for _, name in _TAGGED.findall(text)}


def fill(text: str, values: Mapping[str, str]) -> str:
    """Put the values in the place of their names, in one pass.

    Raises:
        KeyError: A name has no value; `Prompt.render` rules this out.
    """
    return _PLACEHOLDER.sub(lambda match: values[match.group(1)], text)

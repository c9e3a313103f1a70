"""Turn HTML into Markdown-like text: headings, lists, tables and code keep their structure.

The standard library's tokenizer is used because it never fetches, never executes and never fails
on tag soup. Scripts and styles vanish; what a reader would not see (hidden elements, comments)
is set apart, so that it is scanned for instructions but never becomes part of the document.
"""

import re
from collections import Counter
from html.parser import HTMLParser

from flows.ingest.drafts import Parsed

_DROPPED = {"script", "style", "noscript", "template", "svg", "math", "iframe", "object", "canvas", "head", "select"}
_VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}
_BLOCKS = {
    "p", "div", "section", "article", "main", "header", "footer", "nav", "aside", "ul", "ol", "dl", "table", "pre",
    "blockquote", "figure", "figcaption", "form", "fieldset", "address", "h1", "h2", "h3", "h4", "h5", "h6", "body",
}  # fmt: skip
_HEADINGS = {f"h{level}": "#" * level + " " for level in range(1, 7)}
_LINES = {"li", "tr", "dt", "dd", "br", "caption", "option"}
_HIDDEN_STYLE = re.compile(
    r"display\s{0,3}:\s{0,3}none|visibility\s{0,3}:\s{0,3}hidden|font-size\s{0,3}:\s{0,3}0(?![.\d])"
)
_LAYOUT = {"h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "li", "table", "tr", "pre"}
_SPACES = re.compile(r"[ \t\n\r\f\v]+")
_BLANKS = re.compile(r"\n{3,}")


def parse_html(html: str) -> Parsed:
    """Return the visible text of an HTML page, its title, and its hidden text."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    text = _BLANKS.sub("\n\n", "".join(reader.visible)).strip()
    hidden = _SPACES.sub(" ", " ".join(reader.hidden)).strip()
    flags = ("hidden_text",) if any(part.strip() for part in reader.concealed) else ()
    title = _SPACES.sub(" ", "".join(reader.title)).strip()
    return Parsed(text=text, title=title[:200], flags=flags, hidden=hidden)


class _Reader(HTMLParser):
    """Collects text while it keeps the stack of open elements; unmatched end tags cost nothing."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.visible: list[str] = []
        self.hidden: list[str] = []
        self.concealed: list[str] = []
        self.title: list[str] = []
        self._stack: list[tuple[str, str]] = []  # tag, mode: "" as its parent, "drop", "hide"
        self._open: Counter[str] = Counter()
        self._modes: Counter[str] = Counter()
        self._numbers: list[int] = []  # last number of each open list, -1 where it has bullets
        self._at_bullet = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _VOID:
            self._mark(tag, attrs)
            return
        values = dict(attrs)
        hides = "hidden" in values or _HIDDEN_STYLE.search((values.get("style") or "").lower())
        mode = "drop" if tag in _DROPPED else "hide" if hides else ""
        if tag == "body" and self._open["head"]:
            self._close("head")  # an unclosed head ends here
        self._stack.append((tag, mode))
        self._open[tag] += 1
        self._modes[mode] += 1
        self._mark(tag, attrs)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._mark(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        if self._open[tag]:
            self._close(tag)

    def handle_data(self, data: str) -> None:
        if self._open["title"] and not self._open["svg"]:
            self.title.append(data)
        elif self._modes["drop"]:
            return
        elif self._modes["hide"]:
            self.hidden.append(data)
            self.concealed.append(data)
        else:
            self._write(data if self._open["pre"] else _SPACES.sub(" ", data))

    def handle_comment(self, data: str) -> None:
        self.hidden.append(data)

    def _close(self, tag: str) -> None:
        while self._stack:
            name, mode = self._stack.pop()
            self._open[name] -= 1
            self._modes[mode] -= 1
            self._end(name)
            if name == tag:
                return

    def _mark(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if self._modes["drop"] or self._modes["hide"]:
            return
        if tag in {"ul", "ol"}:
            self._numbers.append(0 if tag == "ol" else -1)
        if tag in _BLOCKS:
            self._break(tag, "\n" if tag in {"ul", "ol"} and len(self._numbers) > 1 else "\n\n")
        elif tag in _LINES:
            self._break(tag, "\n")
        if tag == "img":
            self._write(dict(attrs).get("alt") or "")
        self._open_block(tag)

    def _open_block(self, tag: str) -> None:
        if tag in _HEADINGS:
            self._write(_HEADINGS[tag])
        elif tag == "pre":
            self._write("```\n")
        elif tag == "tr":
            self._write("|")
        elif tag in {"td", "th"}:
            self._write(" ")
        elif tag == "li":
            self.visible.append(self._bullet())
            self._at_bullet = True

    def _bullet(self) -> str:
        indent = "  " * max(len(self._numbers) - 1, 0)
        if not self._numbers or self._numbers[-1] < 0:
            return indent + "- "
        self._numbers[-1] += 1
        return f"{indent}{self._numbers[-1]}. "

    def _end(self, tag: str) -> None:
        if self._modes["drop"] or self._modes["hide"]:
            return
        if tag in {"ul", "ol"} and self._numbers:
            self._numbers.pop()
        if tag in {"td", "th"}:
            self._write("|" if self._last.endswith(" ") else " |")
        elif tag == "pre":
            self._write("\n```")
        if tag in _BLOCKS:
            self._break(tag, "\n" if tag in {"ul", "ol"} and self._numbers else "\n\n")
        elif tag in _LINES:
            self._break(tag, "\n")

    def _break(self, tag: str, lines: str) -> None:
        """Start a new line or block; in a table cell only for what cannot stand in a row."""
        if self._at_bullet:
            return
        lines = "\n" if self._open["li"] else lines
        in_cell = self._open["td"] or self._open["th"]
        if in_cell and tag not in _LAYOUT:
            self._write(" ")
        elif lines == "\n\n" or not self._last.endswith("\n"):
            self.visible.append(lines)

    def _write(self, text: str) -> None:
        if self._last.endswith((" ", "\n")) and not self._open["pre"]:
            text = text.lstrip(" ")
        if text:
            self.visible.append(text)
            self._at_bullet = False

    @property
    def _last(self) -> str:
        return self.visible[-1] if self.visible else "\n"

"""Parse Markdown and plain text: they are their own structure, so only the front matter comes off.

Front matter is read as `key: value` lines, never as YAML: nothing of a document may be
constructed. A document that asks for it (`!!python/…`) is refused.
"""

import re

from flows.ingest.drafts import Parsed, Rejected

_FRONT_MATTER = re.compile(r"\A---[ \t]*\n(.{0,20000}?)\n(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.DOTALL)
_FIELD = re.compile(r"^([A-Za-z_][\w-]{0,40}):[ \t]*(.{0,500})$", re.MULTILINE)
_OBJECT_TAG = re.compile(r"!!?(?:python|ruby|java|js)?/?(?:object|new|apply|module|name)")
_ATX_TITLE = re.compile(r"^#{1,6}[ \t]+(\S.{0,299})$", re.MULTILINE)
_SETEXT_TITLE = re.compile(r"^(\S.{0,300})\n(?:={3,}|-{3,})[ \t]*$", re.MULTILINE)
_ACCESS = re.compile(  # the key's line and what continues it: indented lines and items of a list
    r"^[\"']?(?:access|acl)[\"']?[ \t]*:(.*(?:\n(?:[ \t]+|-).*)*)", re.IGNORECASE | re.MULTILINE
)
_TITLE_CHARS_MAX = 200


def parse_text(text: str, *, nesting_max: int) -> Parsed:
    """Split front matter from a text and find its title.

    Args:
        text: Decoded Markdown or plain text.
        nesting_max: Deepest chain of quote marks or brackets that is still writing.

    Raises:
        Rejected: `policy`; front matter with an object tag, or absurd nesting.
    """
    text = text.replace("\r\n", "\n")
    if "[" * nesting_max in text or (text.count(">") >= nesting_max and re.search(rf"(?:> ?){{{nesting_max}}}", text)):
        raise Rejected("policy", "nesting", f"deeper than {nesting_max}")
    fields: dict[str, str] = {}
    said: list[str] = []
    if found := _FRONT_MATTER.match(text):
        if _OBJECT_TAG.search(found.group(1)):
            raise Rejected("policy", "front_matter_tag")
        fields = {key.lower(): value.strip().strip("\"'") for key, value in _FIELD.findall(found.group(1))}
        said = _ACCESS.findall(found.group(1))
        text = text[found.end() :]
    title = fields.get("title") or first_heading(text)
    return Parsed(text=text, title=title, access="\n".join(said) if said else None)


def first_heading(text: str) -> str:
    """Return the text of the first heading, or nothing."""
    found = (_ATX_TITLE.search(text) if "#" in text else None) or (
        _SETEXT_TITLE.search(text) if "\n===" in text or "\n---" in text else None
    )
    return found.group(1).strip(" \t#")[:_TITLE_CHARS_MAX] if found else ""

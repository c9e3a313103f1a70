"""What travels between the steps of `ingest`: parsed texts, drafts of documents, rejections.

Everything here is plain data that JSON can hold, because parsers run in other processes and
finished drafts are cached by content.
"""

from dataclasses import asdict, dataclass, field
from typing import Any


class Rejected(Exception):  # noqa: N818 - a verdict about one input, caught by `ingest` itself
    """One input cannot become a document; carries no content.

    Args:
        code: One of `contracts.QUARANTINE_CODES`.
        rule: The rule that fired, as a name in snake case.
        detail: Numbers and positions for a human, never text of the input.
    """

    def __init__(self, code: str, rule: str, detail: str = "") -> None:
        super().__init__(f"{code}: {rule}: {detail}")
        self.code, self.rule, self.detail = code, rule, detail


@dataclass(frozen=True)
class Rejection:
    """A rejected file, or a rejected row of one (`row` names it, `sha256` is of its bytes)."""

    code: str
    rule: str
    detail: str = ""
    row: str | None = None
    sha256: str | None = None


@dataclass(frozen=True)
class Parsed:
    """One text as its parser gives it, before cleaning."""

    text: str
    title: str = ""
    row: str | None = None
    flags: tuple[str, ...] = ()
    hidden: str = ""  # text a reader would not see; only scanned
    access: str | None = None  # what the document says of who may read it, as it stands there


@dataclass(frozen=True)
class ParsedFile:
    """What one file holds: usually one text; one per row for row files."""

    media_type: str
    parsed_by: str
    texts: tuple[Parsed, ...] = ()
    rejections: tuple[Rejection, ...] = ()
    inputs: int = 1  # rows of a row file, else 1; counted before anything is judged
    superseded: int = 0  # rows replaced by a newer version of the same id
    repeated: int = 0  # rows equal to an earlier row


@dataclass(frozen=True)
class Span:
    """A chunk before it has an id: the slice `[start:end]` of its document's text, in characters."""

    start: int
    end: int
    heading: str
    n_tokens: int


@dataclass(frozen=True)
class Draft:
    """A judged, cut document that only lacks its address."""

    text: str
    title: str
    media_type: str
    parsed_by: str
    language: str
    access: str  # labels of its source and its own, joined
    row: str | None = None
    pii_counts: dict[str, int] = field(default_factory=dict)
    flags: tuple[str, ...] = ()
    spans: tuple[Span, ...] = ()
    sketch: tuple[int, ...] = ()  # see near.py


@dataclass(frozen=True)
class Prepared:
    """All that one file's content comes to, whatever its address; cached by content."""

    drafts: tuple[Draft, ...] = ()
    rejections: tuple[Rejection, ...] = ()
    inputs: int = 1
    superseded: int = 0
    repeated: int = 0


def to_json(value: Any) -> dict[str, Any]:
    """Return a draft or parsed file as plain JSON values."""
    return asdict(value)


def parsed_file(values: dict[str, Any]) -> ParsedFile:
    """Rebuild a `ParsedFile` from its JSON values."""
    texts = tuple(Parsed(**{**item, "flags": tuple(item["flags"])}) for item in values["texts"])
    return ParsedFile(**{**values, "texts": texts, "rejections": _rejections(values)})


def prepared(values: dict[str, Any]) -> Prepared:
    """Rebuild a `Prepared` from its JSON values."""
    return Prepared(**{**values, "drafts": tuple(map(_draft, values["drafts"])), "rejections": _rejections(values)})


def _draft(values: dict[str, Any]) -> Draft:
    spans = tuple(Span(**item) for item in values["spans"])
    sequences = {"flags": tuple(values["flags"]), "sketch": tuple(values["sketch"]), "spans": spans}
    return Draft(**{**values, **sequences})


def _rejections(values: dict[str, Any]) -> tuple[Rejection, ...]:
    return tuple(Rejection(**item) for item in values["rejections"])

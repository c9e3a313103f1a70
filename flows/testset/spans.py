"""Keep a question's gold in its place while documents change.

A span names characters of one document version and carries their text, its quote. It knows no
chunk, so cutting documents into other chunks cannot lose a question. When a document was edited
the quote is looked up in the new text: found, the span moves there; gone, the question is stale.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flows.core.errors import ContractError


@dataclass(frozen=True)
class Version:
    """The current text of a document."""

    document_version: str
    text: str


@dataclass(frozen=True)
class Span:
    """Characters `[start:end]` of one document version; `quote` is their text."""

    document_id: str
    document_version: str
    start: int
    end: int
    quote: str

    @classmethod
    def of(cls, document_id: str, version: Version, start: int, end: int) -> "Span":
        """Cut the span out of a document.

        Raises:
            ContractError: The range is empty or reaches outside the text.
        """
        if not 0 <= start < end <= len(version.text):
            raise ContractError(
                f"span [{start}:{end}] lies outside document {document_id!r} of {len(version.text)} characters. "
                "Run `llmops testset` on the current documents."
            )
        return cls(document_id, version.document_version, start, end, version.text[start:end])

    def to_json(self) -> dict[str, Any]:
        """Return the fields as the `reference_spans` column holds them."""
        return {
            "document_id": self.document_id,
            "document_version": self.document_version,
            "start": self.start,
            "end": self.end,
            "quote": self.quote,
        }


def anchor(span: Span, documents: Mapping[str, Version]) -> Span | None:
    """Return the span in the current documents, or None when its document or its text is gone.

    Of several places with the same text the one nearest to the old place is taken. White space
    may have changed (a paragraph wrapped anew); nothing else may.
    """
    now = documents.get(span.document_id)
    if now is None:
        return None
    if now.document_version == span.document_version and now.text[span.start : span.end] == span.quote:
        return span
    words = [re.escape(word) for word in span.quote.split()]
    places = list(re.finditer(r"\s+".join(words), now.text)) if words else []
    if not places:
        return None
    place = min(places, key=lambda match: (abs(match.start() - span.start), match.start()))
    return Span.of(span.document_id, now, place.start(), place.end())


def anchor_all(spans: tuple[Span, ...], documents: Mapping[str, Version]) -> tuple[Span, ...] | None:
    """Return all spans in the current documents, or None when one of them is gone."""
    moved = [anchor(span, documents) for span in spans]
    kept = tuple(span for span in moved if span is not None)
    return kept if len(kept) == len(moved) else None

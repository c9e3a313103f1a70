"""Limit a search to some documents, with filters that outside text cannot escape from.

An id with a quote in it, pasted into a filter, once matched a whole table (measured: `x' OR
'1'='1` deleted every row). So a filter holds hash ids and access labels only, and each is checked
before an expression is built from it.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from flows.core.access import ACCESS
from flows.core.errors import UsageError, first_three

_HASH = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True)
class Filters:
    """Which chunks may be found; `None` = any, an empty tuple = none at all.

    Attributes:
        chunk_ids: Only these chunks.
        document_ids: Only chunks of these documents.
        document_versions: Only chunks of these versions of documents.
        not_document_ids: No chunk of these documents.
    """

    chunk_ids: tuple[str, ...] | None = None
    document_ids: tuple[str, ...] | None = None
    document_versions: tuple[str, ...] | None = None
    not_document_ids: tuple[str, ...] = ()

    def where(self) -> str | None:
        """Return the filter expression, or None when everything may be found.

        Raises:
            UsageError: An id is not a hash of 32 hex digits.
        """
        wanted = {"chunk_id": self.chunk_ids, "document_id": self.document_ids}
        wanted["document_version"] = self.document_versions
        terms = [ids_in(column, ids) for column, ids in wanted.items() if ids is not None]
        if self.not_document_ids:
            terms.append(f"NOT ({ids_in('document_id', self.not_document_ids)})")
        return " AND ".join(terms) or None


def ids_in(column: str, ids: Iterable[str]) -> str:
    """Return `column IN (…)` for hash ids; no ids match no row.

    Raises:
        UsageError: An id is not a hash of 32 hex digits.
    """
    listed = sorted(set(ids))
    bad = [item for item in listed if not _HASH.fullmatch(item)]
    if bad:
        raise UsageError(
            f"{len(bad)} id(s) in a filter on {column!r} are not 32 hex digits: {first_three(bad)}. "
            "Take ids from the tables under data/."
        )
    return _one_of(column, listed)


def access_in(texts: Iterable[str]) -> str:
    """Return `access IN (…)` for texts of joined labels; none match no row.

    Raises:
        UsageError: A text holds something that is no label.
    """
    listed = sorted(set(texts))
    bad = [item for item in listed if not re.fullmatch(ACCESS, item)]
    if bad:
        raise UsageError(f"{len(bad)} access text(s) in a filter hold no labels. Take labels from `llmops index list`.")
    return _one_of("access", listed)


def _one_of(column: str, values: list[str]) -> str:
    return f"{column} IN ({', '.join(repr(item) for item in values)})" if values else "false"

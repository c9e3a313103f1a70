"""Ask a LanceDB table: which query for which index, and several of them at the same time.

Cosine is stated with every query, because LanceDB's default is the Euclidean distance, and candidates
of a quantised index are always compared again by their exact vectors.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from flows.index.schema import SHOWN, Vectors

if TYPE_CHECKING:
    import pyarrow as arrow


@dataclass(frozen=True)
class Probing:
    """How a quantised index is asked.

    Attributes:
        probes: Cells looked into; 0 = exact search.
        refine_factor: Candidates per hit that are compared again by their exact vectors.
        ef: Width of the beam in a graph; 0 = the index has none.
    """

    probes: int = 0
    refine_factor: int = 1
    ef: int = 0


EXACT = Probing()


class Opened:
    """An open LanceDB table, with what is the same for all its queries."""

    def __init__(self, table: Any, probing: Probing = EXACT) -> None:
        schema = table.schema
        self.probing = probing
        self.dims: int = schema.field("vector").type.list_size
        self.columns = [name for name in SHOWN if name in schema.names]
        self.labelled = "access" in self.columns  # versions from before access labels are not
        # The table that the synchronous one covers: queries through the cover ask for the schema three
        # times each, a fifth of a query's time, and wait for each other.
        self._queried = table._table

    def query(self) -> Any:
        """Return an empty query."""
        return self._queried.query()

    def by_row_id(self, ids: Sequence[int]) -> Any:
        """Return a query for rows of known place."""
        return self._queried.take_row_ids(list(ids))

    def run(self, *queries: Any) -> "list[arrow.Table]":
        """Run queries at the same time."""
        from lancedb.background_loop import LOOP

        async def together() -> list[Any]:
            return await asyncio.gather(*(query.to_arrow() for query in queries))

        found: list[arrow.Table] = LOOP.run(together())  # type: ignore[no-untyped-call]
        return found


def nearest(
    opened: Opened, vector: Vectors | list[Vectors], limit: int, where: str | None, columns: Sequence[str]
) -> Any:
    """Return the query for the rows nearest by cosine, with `_distance`; of several vectors, with `query_index`."""
    probing = opened.probing
    query = opened.query().nearest_to(vector).column("vector").distance_type("cosine")
    if probing.probes:
        query = query.nprobes(probing.probes).refine_factor(probing.refine_factor)
    else:
        query = query.bypass_vector_index()
    if probing.ef:
        query = query.ef(max(probing.ef, limit * probing.refine_factor))
    return _narrowed(query, where, limit, [*columns, "_distance"])


def matching(opened: Opened, text: str, limit: int, where: str | None, columns: Sequence[str]) -> Any:
    """Return the query for the rows that best match the words of `text` by BM25, with `_score`."""
    query = opened.query().nearest_to_text(text, columns=["search_text"])
    return _narrowed(query, where, limit, [*columns, "_score"])


def _narrowed(query: Any, where: str | None, limit: int, columns: Sequence[str]) -> Any:
    """Apply the filter before the ranking, which is what these queries do unless told otherwise."""
    return (query if where is None else query.where(where)).limit(limit).select(list(columns))

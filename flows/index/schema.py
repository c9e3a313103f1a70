"""The index table's columns, and the hashes that tell a changed row from an equal one.

Three hashes make incremental work cheap and exact. `chunk_id` says which row. `vector_key` says
which text its vector stands for: rows with equal keys share one embedding, wherever they lie.
`row_key` covers everything a reader can see, so that a changed title is found without comparing
texts. The table's schema carries the embedding fingerprint: a table describes itself.
"""

import json
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from flows.core.errors import ContractError, first_three
from flows.core.ids import ID_CHARS, content_id

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as arrow

Vectors = npt.NDArray[np.float32]
Column = Any  # an Arrow column, whole or in pieces

KEY = "chunk_id"
SHOWN = (
    "chunk_id", "document_id", "document_version", "source_uri", "title", "access", "heading", "start", "end", "text",
)  # fmt: skip
HASHES = ("chunk_id", "row_key", "vector_key")
PRIMARY_KEY = {"lance-schema:unenforced-primary-key": "true"}
FINGERPRINT = b"embedding_fingerprint"
HASHED_ROWS = 8_192  # at a time, which bounds memory
UNIT_TOLERANCE = 1e-3  # float32 rounding of a vector's length


def context(title: str, heading: str) -> str:
    """Return what stands before a chunk's text for search: its title and path of headings, once each."""
    return heading if heading.startswith(title) else " > ".join(part for part in (title, heading) if part)


def rows_of(chunks: "pd.DataFrame") -> "pd.DataFrame":
    """Return the index rows of `chunks` in their order, without their vectors.

    Args:
        chunks: The contract `chunks`. A chunk with `duplicate_of` shares the vector of that chunk
            and keeps its own row, id and place.

    Returns:
        The columns of `SHOWN`, `search_text` (context and text, for the full-text index),
        `vector_text` (what is embedded for the row), `vector_key` and `row_key`.
    """
    import pyarrow as arrow
    from pyarrow import compute

    shown = chunks[list(SHOWN)].reset_index(drop=True)
    table = arrow.Table.from_pandas(shown, preserve_index=False)
    embedded = search = _search_texts(table)
    keys = _hashes({"text": search})
    if chunks["duplicate_of"].notna().any():
        originals = _originals(chunks["duplicate_of"], table[KEY])
        embedded, keys = search.take(originals), keys.take(originals)
    visible = {name: table[name] for name in SHOWN if name != "text"}  # which the search text ends with
    lengths = compute.binary_length(table["text"])
    row_keys = _hashes(visible | {"length": lengths, "search_text": search, "vector_key": keys})
    found = {"search_text": search, "vector_text": embedded, "vector_key": keys, "row_key": row_keys}
    return shown.assign(**{name: column.to_pandas() for name, column in found.items()})


def _search_texts(table: "arrow.Table") -> Column:
    pairs = zip(table["title"].to_pylist(), table["heading"].to_pylist(), strict=True)
    above = (context(str(title), str(heading)) for title, heading in pairs)
    return _joined([_text([f"{head}\n" if head else "" for head in above]), _text(table["text"])], "")


def _originals(duplicate_of: "pd.Series[str]", ids: Column) -> Column:
    """Return the place of the chunk whose vector each chunk has: its own, where the other one is not there."""
    import pyarrow as arrow
    from pyarrow import compute

    places = compute.index_in(_text(duplicate_of), value_set=_text(ids))
    return compute.coalesce(places, arrow.array(np.arange(len(duplicate_of), dtype=np.int32)))


def _hashes(columns: Mapping[str, Column]) -> Column:
    """Return a hash of each row. The lengths of the values stand before them, so that their boundaries count."""
    import pyarrow as arrow

    blocks = arrow.table(dict(columns)).to_batches(max_chunksize=HASHED_ROWS)
    return arrow.chunked_array([_block_hashes(block.columns) for block in blocks], arrow.large_string())


def _block_hashes(columns: Sequence[Column]) -> Column:
    from pyarrow import compute

    texts = [_text(column) for column in columns]
    lengths = [_text(compute.binary_length(text)) for text in texts]
    rows = _joined([*lengths, *texts], " ").cast("large_binary").to_pylist()
    return _text([sha256(row).hexdigest()[:ID_CHARS] for row in rows])


def _text(values: Any) -> Column:
    import pyarrow as arrow

    kind = arrow.large_string()
    return values.cast(kind) if isinstance(values, arrow.Array | arrow.ChunkedArray) else arrow.array(values, kind)


def _joined(columns: Sequence[Column], separator: str) -> Any:
    import pyarrow as arrow
    from pyarrow import compute

    join: Any = compute.binary_join_element_wise
    return join(*columns, arrow.scalar(separator, arrow.large_string()))


def fingerprint_id(fingerprint: Mapping[str, Any]) -> str:
    """Return the id of an embedding fingerprint: equal ids, interchangeable vectors."""
    return content_id("fingerprint", dict(fingerprint))


def table_schema(fingerprint: Mapping[str, Any]) -> "arrow.Schema":
    """Return the Arrow schema of a table whose vectors have this fingerprint.

    Nothing may be null: Lance accepts a null vector and never finds it. The key is declared to
    Lance and must never get a scalar index, which brings duplicate keys back (lance#9238).
    """
    import pyarrow as arrow

    text, number = arrow.string(), arrow.int64()
    kinds = dict.fromkeys((*SHOWN, "search_text", "vector_key", "row_key"), text) | {"start": number, "end": number}
    columns = [
        arrow.field(name, kind, nullable=False, metadata=PRIMARY_KEY if name == KEY else None)
        for name, kind in kinds.items()
    ]
    vector = arrow.field("vector", arrow.list_(arrow.float32(), int(fingerprint["dims"])), nullable=False)
    return arrow.schema([*columns, vector], metadata={FINGERPRINT: json.dumps(dict(fingerprint), sort_keys=True)})


def stored_fingerprint(schema: "arrow.Schema") -> dict[str, Any]:
    """Return the embedding fingerprint that a table's schema carries."""
    values: dict[str, Any] = json.loads((schema.metadata or {}).get(FINGERPRINT, b"{}"))
    return values


def to_arrow(rows: "pd.DataFrame", vectors: Vectors, schema: "arrow.Schema") -> "arrow.Table":
    """Join rows and their vectors (shape (rows, dims), unit length) into one Arrow table.

    Raises:
        ContractError: Shapes differ, a vector is not finite or not of length 1, or a key repeats.
    """
    import pyarrow as arrow

    dims = schema.field("vector").type.list_size
    _check(rows[KEY].tolist(), vectors, dims)
    columns = {name: arrow.array(rows[name], type=schema.field(name).type) for name in schema.names if name != "vector"}
    flat = arrow.array(np.ascontiguousarray(vectors, dtype=np.float32).ravel())
    columns["vector"] = arrow.FixedSizeListArray.from_arrays(flat, dims)
    return arrow.table(columns, schema=schema)


def matrix(table: "arrow.Table", column: str = "vector") -> Vectors:
    """Return a vector column as an array of shape (rows, dims)."""
    dims = table.schema.field(column).type.list_size
    joined: Any = table[column].combine_chunks()
    return np.asarray(joined.flatten().to_numpy(), dtype=np.float32).reshape(-1, dims)


def _check(ids: Sequence[str], vectors: Vectors, dims: int) -> None:
    if vectors.shape != (len(ids), dims):
        raise ContractError(
            f"{len(ids)} rows of the index need vectors of shape ({len(ids)}, {dims}), got {vectors.shape}. "
            "Embed the same rows with the model of the table."
        )
    lengths = np.linalg.norm(vectors, axis=1)
    bad = [ids[row] for row in np.flatnonzero(~(np.abs(lengths - 1.0) < UNIT_TOLERANCE)).tolist()]  # NaN is bad too
    if bad:
        raise ContractError(f"{len(bad)} vector(s) are not of length 1: {first_three(bad)}. Check the embedding model.")
    if len(set(ids)) < len(ids):
        raise ContractError(f"{len(ids) - len(set(ids))} chunk id(s) repeat in one batch. Run `llmops ingest` again.")

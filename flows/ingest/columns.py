"""Make the columns of the published tables: of new documents from their drafts, of others as they stood.

What depends on the whole is computed over whole columns, whatever a row comes from: the marks of
near-duplicates, and for each repeated chunk the first one of its text and access.
"""

import json
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Any

import numpy as np
import pyarrow as arrow
from numpy.typing import NDArray
from pyarrow import compute

from flows.core.ids import chunk_id, document_id
from flows.ingest.carried import CHUNKS, DOCUMENTS, INHERITED, Carried, Placed
from flows.ingest.chunking import CHUNKER
from flows.ingest.near import near_duplicates

_NEAR = "near_duplicate:"
Places = NDArray[np.int64]


def tables(items: Sequence[Placed], last: Carried, threshold: float) -> tuple[arrow.Table, arrow.Table, Places]:
    """Return documents, chunks and the number of chunks of each document, in the order of the items.

    Args:
        items: The documents to publish.
        last: The last tables.
        threshold: Overlap from which a document is marked as a near-duplicate.
    """
    new = [item for item in items if item.draft]
    rows = np.array([item.row for item in items], dtype=np.int64)
    rows[rows < 0] = len(last.documents) + np.arange(len(new))
    made = _documents(new)
    documents = arrow.concat_tables([last.documents, made]).take(rows).combine_chunks()
    documents = _marked(documents, near_duplicates([item.sketch for item in items], threshold))
    n_chunks = np.concatenate([last.n_chunks, [len(item.draft.spans) for item in new if item.draft]]).astype(np.int64)
    within = _spread(np.cumsum(n_chunks)[rows] - n_chunks[rows], n_chunks[rows])
    own = arrow.concat_tables([last.chunks, _chunks(new, made)]).take(within).combine_chunks()
    inherited = documents.select(INHERITED).take(np.repeat(np.arange(len(items)), n_chunks[rows]))
    for field in own.schema:
        inherited = inherited.append_column(field, own[field.name])
    return documents, inherited.append_column("duplicate_of", _originals(inherited)), n_chunks[rows]


def _spread(starts: Places, lengths: Places) -> Places:
    """Return the numbers of all ranges, one range after the other."""
    return np.repeat(starts - np.cumsum(lengths) + lengths, lengths) + np.arange(lengths.sum())


def _documents(items: Sequence[Placed]) -> arrow.Table:
    drafts = [item.draft for item in items if item.draft]
    columns: dict[str, list[Any]] = {
        "document_id": [document_id(item.uri) for item in items],
        "document_version": [item.version for item in items],
        "source_uri": [item.uri for item in items],
        "title": [draft.title or PurePosixPath(item.file).stem for item, draft in zip(items, drafts, strict=True)],
        "access": [item.access for item in items],
        "media_type": [draft.media_type for draft in drafts],
        "text": [draft.text for draft in drafts],
        "language": [draft.language for draft in drafts],
        "n_chars": [len(draft.text) for draft in drafts],
        "parsed_by": [draft.parsed_by for draft in drafts],
        "pii_counts": [json.dumps(draft.pii_counts, sort_keys=True) for draft in drafts],
        "flags": [json.dumps(draft.flags, ensure_ascii=False) for draft in drafts],
    }
    return arrow.table(columns, schema=DOCUMENTS)


def _chunks(items: Sequence[Placed], documents: arrow.Table) -> arrow.Table:
    """Return the chunks of drafts, whose documents are made, with the columns that they have not from those."""
    ids: list[Any] = documents["document_id"].to_pylist()
    pairs = zip(items, ids, strict=True)
    spans = [(item, own, span) for item, own in pairs if item.draft for span in item.draft.spans]
    columns: dict[str, list[Any]] = {
        "chunk_id": [chunk_id(own, item.version, span.start, span.end, CHUNKER) for item, own, span in spans],
        "heading": [span.heading for _, _, span in spans],
        "start": [span.start for _, _, span in spans],
        "end": [span.end for _, _, span in spans],
        "text": [item.draft.text[span.start : span.end] for item, _, span in spans if item.draft],
        "n_tokens": [span.n_tokens for _, _, span in spans],
    }
    return arrow.table(columns, schema=CHUNKS)


def _marked(documents: arrow.Table, near: dict[int, int]) -> arrow.Table:
    """Mark the near-duplicates of now, each with the document it resembles, and nothing else."""
    flags: list[Any] = documents["flags"].to_pylist()
    ids = documents["document_id"]
    for row in {*near, *(row for row, text in enumerate(flags) if _NEAR in text)}:
        others = [flag for flag in json.loads(flags[row]) if not flag.startswith(_NEAR)]
        marks = [f"{_NEAR}{ids[near[row]].as_py()}"] if row in near else []
        flags[row] = json.dumps([*others, *marks], ensure_ascii=False)
    place = documents.column_names.index("flags")
    return documents.set_column(place, "flags", arrow.array(flags, arrow.large_string()))


def _originals(chunks: arrow.Table) -> Any:
    """Return for each chunk the id of the first one of its text and access; null for the first one itself."""
    text, access = (_codes(chunks[name]) for name in ("text", "access"))
    _, first, group = np.unique(text * (access.max(initial=0) + 1) + access, return_index=True, return_inverse=True)
    original = first[group]
    repeated = arrow.array(original != np.arange(len(original)))
    return compute.if_else(repeated, chunks["chunk_id"].combine_chunks().take(original), None)


def _codes(column: Any) -> Places:
    codes: Places = column.combine_chunks().dictionary_encode().indices.to_numpy().astype(np.int64)
    return codes

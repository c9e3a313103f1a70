"""Carry the rows of unchanged files over from the last tables, as columns.

The tables that `ingest` published are its memory of all that did not change: a file that still has
the key it had then (`prepare.Task.keys`) has the same rows. They are believed only where their bytes
have the SHA-256 noted by the run that made them, with the same code; everything else is recalled or
prepared. What is noted (`.llmops/ingest/carried.bin`, a digest and a table: of each document its file's
key and counts and its sketch, no text) may be deleted at any time.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pyarrow as arrow
from numpy.typing import NDArray
from pyarrow import parquet

from flows.core import contracts
from flows.core.files import write_bytes
from flows.core.ids import sha256
from flows.core.project import Project
from flows.ingest.drafts import Draft, Prepared

if TYPE_CHECKING:
    import pandera.pandas as pa

INHERITED = ("document_id", "document_version", "source_uri", "title", "access")  # by a chunk from its document


def _schema(contract: "pa.DataFrameSchema", without: Collection[str] = ()) -> arrow.Schema:
    kinds = {name: str(column.dtype) for name, column in contract.columns.items() if name not in without}
    types = {name: arrow.int64() if kind == "int64" else arrow.large_string() for name, kind in kinds.items()}
    return arrow.schema([arrow.field(name, kind) for name, kind in types.items()])


DOCUMENTS = _schema(contracts.DOCUMENTS)
CHUNKS = _schema(contracts.CHUNKS, without=(*INHERITED, "duplicate_of"))
_DIGEST_CHARS = 64
_COUNTS = ("inputs", "superseded", "repeated")


class Placed(NamedTuple):
    """A document at its address: of a draft, or of a row of the last tables.

    Args:
        uri: Its address.
        version: Hash of its text.
        access: Its labels.
        sketch: See near.py.
        draft: The draft; None for a document that is carried over.
        row: Its row in the last table of documents, where it is carried over.
        kept: Whether it is a previous version.
    """

    uri: str
    version: str
    access: str
    sketch: NDArray[np.uint32]
    draft: Draft | None = None
    row: int = -1
    kept: bool = False

    @property
    def file(self) -> str:
        """Address of its file; that of a row continues with `#`."""
        return self.uri.partition("#")[0]


@dataclass(frozen=True)
class Carried:
    """The last tables, and which of their documents stand as they are.

    Args:
        documents: The last table of documents, carried over or not.
        chunks: The chunks of these documents in the same order, with their own columns.
        n_chunks: Number of chunks of each document.
        placed: The documents that are carried over, by address.
        files: What the files of these came to, without their drafts, by address.
    """

    documents: arrow.Table = field(default_factory=DOCUMENTS.empty_table)
    chunks: arrow.Table = field(default_factory=CHUNKS.empty_table)
    n_chunks: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    placed: Sequence[Placed] = ()
    files: Mapping[str, Prepared] = field(default_factory=dict)


def carry(project: Project, keys: Mapping[str, str], code: str) -> Carried:
    """Return what the last tables have of files with these keys; nothing where they cannot be believed.

    Args:
        project: The project.
        keys: Key of each file by address.
        code: Fingerprint of the stage's code.
    """
    try:
        data = _file(project).read_bytes()
        noted = _table(data[_DIGEST_CHARS:], data[:_DIGEST_CHARS])
        believed = noted.schema.metadata or {}
        if believed.get(b"code") != code.encode():
            return Carried()
        documents = _table(project.data("ingest", "documents.parquet").read_bytes(), believed[b"documents"], DOCUMENTS)
        chunks = _table(project.data("ingest", "chunks.parquet").read_bytes(), believed[b"chunks"], CHUNKS)
    except (OSError, arrow.ArrowException, KeyError):
        return Carried()
    placed = list(_placed(documents, noted, keys))
    counts = list(zip(*(noted[name].to_pylist() for name in _COUNTS), strict=True))
    files = {item.file: Prepared((), (), *counts[item.row]) for item in placed}
    return Carried(documents, chunks, noted["n_chunks"].to_numpy(), placed, files)


def _table(data: bytes, digest: bytes, columns: arrow.Schema | None = None) -> arrow.Table:
    if sha256(data).encode() != digest:
        raise OSError("not the bytes that were written")
    table = parquet.read_table(arrow.BufferReader(data), columns=columns.names if columns else None)
    return table.cast(columns) if columns else table


def _placed(documents: arrow.Table, noted: arrow.Table, keys: Mapping[str, str]) -> Iterator[Placed]:
    known = [documents[name].to_pylist() for name in ("source_uri", "document_version", "access")]
    rows = zip(noted["key"].to_pylist(), noted["sketch"].to_pylist(), *known, strict=True)
    for row, (key, sketch, uri, version, access) in enumerate(rows):
        item = Placed(uri, version, access, np.frombuffer(sketch, np.uint32), row=row)
        if key and keys.get(item.file) == key:
            yield item


def note(
    project: Project,
    placed: Sequence[Placed],
    n_chunks: NDArray[np.int64],
    files: Mapping[str, tuple[str, Prepared]],
    believed: Mapping[str, str],
) -> None:
    """Note of the tables just published what the next run may carry over.

    Args:
        project: The project.
        placed: The published documents in the table's order.
        n_chunks: Number of chunks of each.
        files: Key and result of each file that is in the tables whole, by address.
        believed: SHA-256 of both tables by name, and the fingerprint of the `code`.
    """
    of_file = [files.get(item.file, ("", Prepared())) for item in placed]
    table = arrow.table({
        "key": [key for key, _ in of_file],
        "sketch": arrow.array([item.sketch.tobytes() for item in placed], arrow.binary()),
        "n_chunks": arrow.array(n_chunks),
        **{name: [getattr(result, name) for _, result in of_file] for name in _COUNTS},
    })  # fmt: skip
    sink = arrow.BufferOutputStream()
    parquet.write_table(table.replace_schema_metadata(dict(believed)), sink)
    data = sink.getvalue().to_pybytes()
    with suppress(OSError):  # no space: the next run recalls its drafts
        write_bytes(_file(project), sha256(data).encode() + data)


def _file(project: Project) -> Path:
    return project.state("ingest", "carried.bin")

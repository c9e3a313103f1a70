"""Chunks and vectors for the index's tests: seeded, of length 1, one vector per distinct text."""

import numpy as np
import pandas as pd

from flows.core.ids import chunk_id, document_id, document_version, sha256
from flows.index.kinds import Build
from flows.index.schema import rows_of
from flows.index.store import open_writer

FINGERPRINT = {"model": "seeded", "revision": "1", "dims": 16, "normalised": True, "backend": "test"}


def vector_of(text, dims=16, seed=0):
    """A vector of length 1 that depends on the text alone."""
    generator = np.random.default_rng([seed, int(sha256(text)[:12], 16)])
    vector = generator.normal(size=dims)
    return (vector / np.linalg.norm(vector)).astype(np.float32)


def vectors_of(rows, dims=16):
    return np.array([vector_of(text, dims) for text in rows["vector_text"]], dtype=np.float32).reshape(-1, dims)


def chunks_of(documents):
    """Make chunks, one per line, of `{place: text}` or `{place: (text, labels)}`, as `ingest` does.

    Equal lines with equal labels are duplicates of the first.
    """
    rows, first = [], {}
    for place, content in sorted(documents.items()):
        text, access = content if isinstance(content, tuple) else (content, "public")
        document, version, at = document_id(place), document_version(text), 0
        for line in text.split("\n"):
            chunk = chunk_id(document, version, at, at + len(line), "line")
            rows.append(
                {
                    "chunk_id": chunk,
                    "document_id": document,
                    "document_version": version,
                    "source_uri": place,
                    "title": place.removesuffix(".md"),
                    "access": access,
                    "heading": "",
                    "start": at,
                    "end": at + len(line),
                    "text": line,
                    "n_tokens": len(line.split()),
                    "duplicate_of": first.get((access, line)),
                }
            )
            first.setdefault((access, line), chunk)
            at += len(line) + 1
    return pd.DataFrame(rows, columns=COLUMNS)


COLUMNS = [
    "chunk_id", "document_id", "document_version", "source_uri", "title", "access", "heading", "start", "end", "text",
    "n_tokens", "duplicate_of",
]  # fmt: skip


def apply(writer, documents):
    """Bring the table to `documents`, as the stage does, without reusing anything."""
    rows = rows_of(chunks_of(documents))
    have = dict(writer.hashes()[["chunk_id", "row_key"]].itertuples(index=False))
    new = rows[[have.get(chunk) != key for chunk, key in zip(rows["chunk_id"], rows["row_key"], strict=True)]]
    writer.remove(set(have) - set(rows["chunk_id"]))
    writer.upsert(new, vectors_of(new))


def publish(project, documents, now, *, build=None, fingerprint=FINGERPRINT, **options):
    with open_writer(project, fingerprint) as writer:
        apply(writer, documents)
        return writer.publish(build or Build(recall_queries=5), now=now, **options)

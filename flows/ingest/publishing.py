"""Read the last tables of `ingest` and publish the next ones, after judging them as a whole.

Everything is written aside first and moved into `data/ingest` file by file at the end; the stage's
record, which readers check, follows last.
"""

import json
import shutil
from collections.abc import Collection
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flows.core.contracts import CHUNKS, DOCUMENTS, QUARANTINE
from flows.core.errors import LlmopsError
from flows.core.files import make_folder, sync, write_json, write_text
from flows.core.project import Project
from flows.core.tables import check, empty, read_table, write_checked, write_table
from flows.ingest.assemble import Corpus, Recut
from flows.ingest.chunking import chunks
from flows.ingest.drafts import Draft, Rejected
from flows.ingest.near import sketch
from flows.ingest.params import IngestParams
from flows.ingest.privacy import screen_pii
from flows.ingest.quality import judge
from flows.ingest.quality_page import render
from flows.ingest.tokenizer import token_starts

if TYPE_CHECKING:
    import pandas as pd

OUTPUTS = ("documents.parquet", "chunks.parquet", "quarantine.parquet", "balance.json", "quality.json", "quality.html")


def previous_documents(
    project: Project, params: IngestParams, files: Collection[str], key: bytes = b""
) -> dict[str, Recut]:
    """Return the last run's documents from these files by address.

    Calling one screens and cuts it by the current params, and returns None where they forbid it.
    """
    if not files:
        return {}
    frame = _last_table(project.data("ingest", "documents.parquet"), DOCUMENTS)
    rows = [number for number, uri in enumerate(frame["source_uri"]) if uri.partition("#")[0] in files]
    return {row["source_uri"]: partial(_as_draft, row, params, key) for row in frame.loc[rows].to_dict("records")}


def _as_draft(row: dict[Any, Any], params: IngestParams, key: bytes) -> Draft | None:
    try:
        text, counts = screen_pii(row["text"], params.pii, key)
    except Rejected:
        return None
    spans = chunks(text, token_starts, tokens_max=params.chunk_tokens_max, overlap_tokens=params.chunk_overlap_tokens)
    return Draft(
        text=text,
        title=row["title"],
        media_type=row["media_type"],
        parsed_by=row["parsed_by"],
        language=row["language"],
        access=row["access"],
        pii_counts={**counts, **json.loads(row["pii_counts"])},
        flags=tuple(json.loads(row["flags"])),
        spans=tuple(spans),
        sketch=sketch(text),
    )


def _last_table(path: Path, contract: Any) -> "pd.DataFrame":
    """Read a table of the last run; what cannot be read has no say in this one."""
    try:
        return read_table(path, contract, remedy="Run `llmops ingest`")
    except LlmopsError:
        return empty(contract)


def publish(project: Project, params: IngestParams, corpus: Corpus, now: datetime) -> list[Path]:
    """Write everything aside, judge it, move it into place, and return the files.

    Raises:
        ContractError: A contract or a hard expectation is broken; nothing is moved.
    """
    aside, target = project.state("work", "ingest"), project.data("ingest")
    _sweep(aside, target)
    documents = check(corpus.documents.to_pandas(), DOCUMENTS)
    pieces = check(corpus.chunks.to_pandas(), CHUNKS)
    quality = judge(documents, pieces, params)
    write_checked(aside / "documents.parquet", documents)
    write_checked(aside / "chunks.parquet", pieces)
    write_table(aside / "quarantine.parquet", _quarantine(project, corpus, now), QUARANTINE)
    write_json(aside / "balance.json", corpus.balance)
    write_json(aside / "quality.json", quality)
    write_text(aside / "quality.html", render(quality, corpus.balance))
    make_folder(target)
    for name in OUTPUTS:
        (aside / name).replace(target / name)
    sync(target)
    return [target / name for name in OUTPUTS]


def _sweep(aside: Path, target: Path) -> None:
    """Remove what a killed run left half written; the caller holds the stage's lock."""
    shutil.rmtree(aside, ignore_errors=True)
    for path in target.glob("*.tmp-*"):
        path.unlink()


def _quarantine(project: Project, corpus: Corpus, now: datetime) -> "pd.DataFrame":
    """Return the quarantine; what was rejected before keeps the time it was first seen."""
    import pandas as pd

    if not corpus.rejected:
        return empty(QUARANTINE)
    frame = pd.DataFrame(corpus.rejected)
    key = ["source_uri", "sha256", "reason_code"]
    before = _last_table(project.data("ingest", "quarantine.parquet"), QUARANTINE)[[*key, "first_seen"]]
    frame = frame.merge(before, on=key, how="left")
    frame["first_seen"] = frame["first_seen"].fillna(pd.Timestamp(now).floor("us"))
    return frame

"""Make the index equal to the chunks: compare, embed what is new, write the difference, measure, publish.

The chunks are compared with the newest rows of the table, and only texts that have no vector yet are
embedded. Nothing that a reader can see changes before the last step.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from flows.core.clock import Clock
from flows.core.contracts import CHUNKS
from flows.core.errors import InputError
from flows.core.progress import Progress
from flows.core.project import Project
from flows.core.runs import Job, RunRecord
from flows.core.settings import load_settings
from flows.core.tables import read_table
from flows.embed import cluster, switching
from flows.embed.changes import Changes, Places, diff
from flows.embed.params import EmbedParams
from flows.embed.pins import pinned_tags
from flows.embed.vectors import query_texts, vectors_for
from flows.index.manifest import IndexManifest, pointer
from flows.index.schema import HASHES, Vectors, rows_of
from flows.index.swap import require_same_model
from flows.index.writer import Writer, open_writer
from flows.provider.client import Provider, open_provider

if TYPE_CHECKING:
    import pandas as pd


def build(
    job: Job, params: EmbedParams, record: RunRecord, *, force: bool, max_usd: float | None, progress: Progress
) -> None:
    """Do the stage's work and fill its record.

    Args:
        job: The stage's job.
        params: Its params.
        record: To be filled.
        force: Build the table anew; vectors still come from the cache.
        max_usd: Most this run may spend on embeddings.
        progress: Told about finished vectors and rows.
    """
    project, clock = job.project, job.clock
    with (
        cluster.connected(load_settings().ray_address),
        open_provider(project, use_case="indexing", max_usd=max_usd, progress=progress, clock=clock) as provider,
    ):
        rows = wanted_rows(project)
        with _writer(project, params, rows, provider, rebuild=force, clock=clock) as writer:
            changes = _write(project, writer, rows, provider, params, progress)
            manifest = _publish(project, writer, rows, provider, params, clock)
        job.add_outputs(record, pointer(project))
        _fill(record, manifest, changes, provider, params.seed)


def wanted_rows(project: Project) -> "pd.DataFrame":
    """Return the rows that the index shall have.

    Raises:
        InputError: There are no chunks.
    """
    chunks = project.data("ingest", "chunks.parquet")
    rows = rows_of(read_table(chunks, CHUNKS, remedy="Run `llmops ingest`"))
    if rows.empty:
        raise InputError(f"{project.relative(chunks)!r} has no rows. See data/ingest/quarantine.parquet for why.")
    return rows


@contextmanager
def _writer(
    project: Project, params: EmbedParams, rows: "pd.DataFrame", provider: Provider, *, rebuild: bool, clock: Clock
) -> Iterator[Writer]:
    asked = clock()
    fingerprint = asdict(provider.fingerprint())
    probed_s = (clock() - asked).total_seconds()
    if params.on_model_change == "refuse":
        plan = partial(switching.plan, project, provider, rows, probed_s=probed_s, clock=clock)
        require_same_model(project, fingerprint, plan=plan)
    with open_writer(project, fingerprint, rebuild=rebuild, clock=clock) as writer:
        yield writer


def _write(
    project: Project,
    writer: Writer,
    rows: "pd.DataFrame",
    provider: Provider,
    params: EmbedParams,
    progress: Progress,
) -> Changes:
    changes = diff(writer.hashes(), rows[list(HASHES)])
    known = _known(writer, changes)
    if load_settings().ray_address and len(changes.written):
        writer.remove(rows["chunk_id"].iloc[changes.changed].tolist())  # a cluster can only add rows
        cluster.write(project, writer, rows.iloc[changes.written], known, provider, size=params.write_rows)
    else:
        _write_here(writer, rows, changes.written, known, provider, params.write_rows, progress)
    writer.remove(changes.removed)
    return changes


def _write_here(
    writer: Writer,
    rows: "pd.DataFrame",
    todo: Places,
    known: Mapping[str, Vectors],
    provider: Provider,
    size: int,
    progress: Progress,
) -> None:
    for start in range(0, len(todo), size):
        batch = rows.iloc[todo[start : start + size]]
        vectors = vectors_for(batch, known, lambda texts: provider.embed(texts, mode="document"))
        writer.upsert(batch, vectors)
        progress("rows", start + len(batch), len(todo))


def _known(writer: Writer, changes: Changes) -> dict[str, Vectors]:
    """Return the vectors that the table has already; read before the first write replaces any."""
    vectors = writer.vectors(list(changes.reusable.values()))
    return dict(zip(changes.reusable, vectors, strict=True))


def _publish(
    project: Project, writer: Writer, rows: "pd.DataFrame", provider: Provider, params: EmbedParams, clock: Clock
) -> IndexManifest:
    texts = query_texts(rows, params.recall_texts, params.seed)
    queries = provider.embed(texts, mode="query") if texts else None
    pinned = pinned_tags(project)
    return writer.publish(
        params.build(), now=clock(), queries=None if queries is None else np.asarray(queries), pinned=pinned
    )


def _fill(record: RunRecord, manifest: IndexManifest, changes: Changes, provider: Provider, seed: int) -> None:
    usage = provider.usage
    parts = ("new", "changed", "moved", "removed")
    record.counts = {name: len(getattr(changes, name)) for name in parts}
    record.counts |= {"rows": manifest.rows, "version": manifest.version, "recall_queries": manifest.recall_queries}
    record.seed, record.calls, record.cost_usd = seed, usage.calls, usage.cost_usd
    differences = ", ".join(f"{record.counts[name]:,} {name}" for name in parts)
    cost = "unpriced" if usage.cost_usd is None else f"${usage.cost_usd:.4f}"
    record.summary = (
        f"{manifest.rows:,} rows ({differences}), index version {manifest.version} ({manifest.tag}), "
        f"recall@10 {manifest.recall_at_10:.3f} by {manifest.index_kind} search, {usage.calls:,} call(s), {cost}"
    )

"""Estimate of `embed`: the texts that have no vector yet, by the comparison that the stage itself makes."""

from collections.abc import Collection
from typing import TYPE_CHECKING

from flows.core.clock import Clock, utc_now
from flows.core.errors import LlmopsError
from flows.core.project import Project
from flows.embed.building import wanted_rows
from flows.embed.changes import diff
from flows.embed.params import EmbedParams
from flows.embed.stage import job_of, standing
from flows.embed.vectors import query_texts
from flows.index.manifest import published
from flows.index.schema import HASHES
from flows.index.store import open_index
from flows.provider.estimate import IDLE, Estimate
from flows.provider.rehearsal import Rehearsal

if TYPE_CHECKING:
    import pandas as pd

REFUSED = "embed: refuses another embedding model until embed.on_model_change is re_embed; this is what it would take."
UNKNOWN = (
    "embed: ingest has work first, so its chunks are not known. `llmops ingest` asks no model: run it, then this is."
)


def estimate(
    project_dir: str = ".", *, force: bool = False, before: Collection[str] = (), clock: Clock = utc_now
) -> Estimate:
    """Return what the stage would ask.

    Args:
        project_dir: The project's folder.
        force: As for the stage: the table is built anew, its vectors come from the cache.
        before: Earlier stages that have work to do first.
        clock: The moment whose prices hold.
    """
    project = Project.open(project_dir)
    if "ingest" in before:
        return Estimate(known=False, notes=(UNKNOWN,))
    if not force and standing(job_of(project, clock=clock)):
        return IDLE
    params, rows = EmbedParams.load(project), wanted_rows(project)
    rehearsal = Rehearsal(project, clock=clock)
    rehearsal.probe()
    changes = diff(rows.head(0) if force else _indexed(project, rehearsal, rows), rows[list(HASHES)])
    todo = rows.iloc[changes.written]
    for start in range(0, len(todo), params.write_rows):
        batch = todo.iloc[start : start + params.write_rows]
        missing = batch[~batch["vector_key"].isin(changes.reusable.keys())].drop_duplicates("vector_key")
        rehearsal.embed(missing["vector_text"].tolist(), mode="document")
    rehearsal.embed(query_texts(rows, params.recall_texts, params.seed), mode="query")
    manifest = published(project)
    other = manifest is not None and manifest.fingerprint["model"] != rehearsal.embedding_model
    return rehearsal.estimate(*([REFUSED] if other and params.on_model_change == "refuse" else []))


def _indexed(project: Project, rehearsal: Rehearsal, rows: "pd.DataFrame") -> "pd.DataFrame":
    """Return the hashes of the index's rows; none where its vectors are of another model, or it is damaged."""
    try:
        manifest = published(project)
        if manifest is not None and manifest.fingerprint["model"] == rehearsal.embedding_model:
            return open_index(project).hashes()
    except LlmopsError:  # the stage repairs it, with vectors from the cache
        pass
    return rows.head(0)

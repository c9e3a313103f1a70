"""Stage embed without Prefect: chunks in, a published version of the index out.

A run without work compares hashes and stats and loads nothing heavy; work is in `building.py`.
"""

from pathlib import Path
from typing import Any

from flows.core.clock import Clock, utc_now
from flows.core.errors import LlmopsError
from flows.core.ids import sha256
from flows.core.main import run_stage_main
from flows.core.progress import Progress, silent
from flows.core.project import Project
from flows.core.runs import Job, RunRecord
from flows.core.settings import load_settings
from flows.embed.params import EmbedParams
from flows.index.manifest import published
from flows.index.verify import require_intact
from flows.provider.models import resolve
from flows.provider.params import ProviderParams


def run(
    project_dir: str = ".",
    *,
    force: bool = False,
    max_usd: float | None = None,
    progress: Progress = silent,
    clock: Clock = utc_now,
) -> RunRecord:
    """Make the index equal to the chunks, or do nothing when it is; return the run's record.

    Args:
        project_dir: The project's folder.
        force: Build the table anew; vectors still come from the cache.
        max_usd: Most this run may spend on embeddings.
        progress: Told about finished vectors and rows.
        clock: Source of recorded times.

    Raises:
        InputError: There are no chunks.
        ParamsError: The embedding model differs from the live index and re-embedding was not asked for.
        GateError: Recall is below `embed.recall_min`; the previous version stays live.
    """
    project = Project.open(project_dir)
    params, job = EmbedParams.load(project), job_of(project, clock=clock)
    if not force and (done := standing(job)):
        return done
    from flows.embed.building import build  # loads tables and models: only for work

    with job.running() as record:
        build(job, params, record, force=force, max_usd=max_usd, progress=progress)
    return record


def run_summary(project_dir: str = ".", *, force: bool = False, max_usd: float | None = None) -> str:
    """Run the stage and return its summary line."""
    return run(project_dir, force=force, max_usd=max_usd).summary


def _model(project: Project) -> dict[str, Any]:
    """Return which model embeds and where, known without loading or asking it."""
    provider, settings = ProviderParams.load(project), load_settings()
    endpoint = sha256(settings.openai_base_url)[:12] if settings.openai_base_url else "default"
    return {
        "embedding_model": resolve(provider, settings)[1],
        "embed_backend": provider.embed_backend,
        "endpoint": endpoint,
    }


def job_of(project: Project, *, clock: Clock = utc_now) -> Job:
    """Return the stage's job over everything that decides the index."""
    values = EmbedParams.load(project).model_dump(mode="json")
    return Job(project, "embed", params=values, inputs=[_chunks(project)], extra=_model(project), clock=clock)


def standing(job: Job) -> RunRecord | None:
    """Return the last run's record when it and its index still stand: nothing to do."""
    done = job.unchanged()
    return done if done and _is_intact(job.project) else None


def _chunks(project: Project) -> Path:
    return project.data("ingest", "chunks.parquet")


def _is_intact(project: Project) -> bool:
    try:
        manifest = published(project)
        if manifest is None:
            return False
        require_intact(project, manifest)
    except LlmopsError:  # damaged: the stage has work to do, and the writer repairs
        return False
    return True


def main() -> None:
    """Run the stage from the command line."""
    run_stage_main(run)


if __name__ == "__main__":
    main()

"""Estimate of `ingest`: it asks no model; what matters to the stages after it is whether it has work."""

from collections.abc import Collection

from flows.core.clock import Clock, utc_now
from flows.core.progress import silent
from flows.core.project import Project
from flows.ingest.memory import Memory
from flows.ingest.params import IngestParams
from flows.ingest.stage import job_of
from flows.ingest.stock import take_stock
from flows.provider.estimate import IDLE, Estimate


def estimate(
    project_dir: str = ".", *, force: bool = False, before: Collection[str] = (), clock: Clock = utc_now
) -> Estimate:
    """Return no calls, and whether sources, params or code changed since the last run."""
    project = Project.open(project_dir)
    params = IngestParams.load(project)
    with Memory(project.state("ingest", "memory.sqlite")) as memory:
        job = job_of(project, params, take_stock(project, params, memory, silent), clock=clock)
        return Estimate() if force or before or job.unchanged() is None else IDLE

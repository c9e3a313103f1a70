"""Prefect flow `ingest`: the stage with run history and a DVC record."""

from prefect import flow, task
from prefect.cache_policies import NO_CACHE

from flows.core import versions
from flows.ingest import stage

run = task(name="ingest-run", cache_policy=NO_CACHE, persist_result=False)(stage.run_summary)
record = task(name="ingest-record", cache_policy=NO_CACHE, persist_result=False)(versions.record)


@flow(name="ingest")
def ingest(project: str = ".", force: bool = False) -> str:
    """Turn the sources into documents and chunks; the outcome is the flow's result."""
    summary = run(project, force=force)
    record(project, "ingest")
    return summary

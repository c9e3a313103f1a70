"""Prefect flow `release`: the stage with run history and a DVC record."""

from prefect import flow, task
from prefect.cache_policies import NO_CACHE

from flows.core import versions
from flows.release import stage

run = task(name="release-run", cache_policy=NO_CACHE, persist_result=False)(stage.run_summary)
record = task(name="release-record", cache_policy=NO_CACHE, persist_result=False)(versions.record)


@flow(name="release")
def release(project: str = ".", force: bool = False) -> str:
    """Promote the candidate if its gate passed; the outcome is the flow's result."""
    summary = run(project, force=force)
    record(project, "release")
    return summary

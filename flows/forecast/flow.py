"""Prefect flow `forecast`: the stage with run history and a DVC record."""

from prefect import flow, task
from prefect.cache_policies import NO_CACHE

from flows.core import versions
from flows.forecast import stage

run = task(name="forecast-run", cache_policy=NO_CACHE, persist_result=False)(stage.run_summary)
record = task(name="forecast-record", cache_policy=NO_CACHE, persist_result=False)(versions.record)


@flow(name="forecast")
def forecast(project: str = ".", force: bool = False) -> str:
    """Forecast tokens and cost of the next weeks; the outcome is the flow's result."""
    summary = run(project, force=force)
    record(project, "forecast")
    return summary

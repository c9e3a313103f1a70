"""Prefect flow `report`: the page for analysts, with run history."""

from prefect import flow, task
from prefect.cache_policies import NO_CACHE

from flows.core import versions
from flows.report import stage

run = task(name="report-run", cache_policy=NO_CACHE, persist_result=False)(stage.run_summary)
record = task(name="report-record", cache_policy=NO_CACHE, persist_result=False)(versions.record)


@flow(name="report")
def report(project: str = ".", force: bool = False) -> str:
    """Write the page; the outcome is the flow's result."""
    summary = run(project, force=force)
    record(project, "report")
    return summary


if __name__ == "__main__":
    report()

"""Prefect flow `monitor`: daily channels and alarms, with run history."""

from prefect import flow, task
from prefect.cache_policies import NO_CACHE

from flows.core import versions
from flows.monitor import stage

run = task(name="monitor-run", cache_policy=NO_CACHE, persist_result=False)(stage.run_summary)
record = task(name="monitor-record", cache_policy=NO_CACHE, persist_result=False)(versions.record)


@flow(name="monitor")
def monitor(project: str = ".", force: bool = False) -> str:
    """Watch the calls log; the outcome is the flow's result."""
    summary = run(project, force=force)
    record(project, "monitor")
    return summary


if __name__ == "__main__":
    monitor()

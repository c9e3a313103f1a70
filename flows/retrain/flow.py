"""Prefect flow `retrain`: triggers, diagnosis and a proposed repair, with run history."""

from prefect import flow, task
from prefect.cache_policies import NO_CACHE

from flows.core import versions
from flows.retrain import stage

run = task(name="retrain-run", cache_policy=NO_CACHE, persist_result=False)(stage.run_summary)
record = task(name="retrain-record", cache_policy=NO_CACHE, persist_result=False)(versions.record)


@flow(name="retrain")
def retrain(project: str = ".", force: bool = False) -> str:
    """Propose the cheapest sufficient repair; the outcome is the flow's result."""
    summary = run(project, force=force)
    record(project, "retrain")
    return summary


if __name__ == "__main__":
    retrain()

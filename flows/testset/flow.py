"""Prefect flow `testset`: the stage with run history, retries and a DVC record."""

from prefect import flow, task
from prefect.cache_policies import NO_CACHE

from flows.core import versions
from flows.core.main import transient
from flows.provider.estimate import sentence
from flows.testset import stage
from flows.testset.estimate import estimate as estimated

run = task(
    name="testset-run", cache_policy=NO_CACHE, persist_result=False,
    retries=2, retry_delay_seconds=[2, 8], retry_condition_fn=transient,
)(stage.run_summary)  # fmt: skip
record = task(name="testset-record", cache_policy=NO_CACHE, persist_result=False)(versions.record)


@flow(name="testset")
def testset(project: str = ".", force: bool = False, max_usd: float | None = None, estimate: bool = False) -> str:  # noqa: PT028 - a stage, not a test
    """Let the questions follow the documents; the outcome is the flow's result; `estimate` asks nothing."""
    if estimate:
        return sentence(estimated(project, force=force))
    summary = run(project, force=force, max_usd=max_usd)
    record(project, "testset")
    return summary

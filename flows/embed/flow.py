"""Prefect flow `embed`: the stage with run history, retries and a DVC record."""

from prefect import flow, task
from prefect.cache_policies import NO_CACHE

from flows.core import versions
from flows.core.main import transient
from flows.embed import stage
from flows.embed.estimate import estimate as estimated
from flows.provider.estimate import sentence

run = task(
    name="embed-run",
    cache_policy=NO_CACHE,
    persist_result=False,
    retries=2,
    retry_delay_seconds=[2, 8],
    retry_condition_fn=transient,
)(stage.run_summary)
record = task(name="embed-record", cache_policy=NO_CACHE, persist_result=False)(versions.record)


@flow(name="embed")
def embed(project: str = ".", force: bool = False, max_usd: float | None = None, estimate: bool = False) -> str:
    """Make the index equal to the chunks; the outcome is the flow's result; `estimate` asks nothing."""
    if estimate:
        return sentence(estimated(project, force=force))
    summary = run(project, force=force, max_usd=max_usd)
    record(project, "embed")
    return summary

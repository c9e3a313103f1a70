"""Prefect flow `evaluate`: the stage's steps with retries, run history and a DVC record."""

from prefect import flow, task
from prefect.cache_policies import NO_CACHE

from flows.core import versions
from flows.core.main import transient
from flows.evaluate import stage
from flows.evaluate.estimate import estimate as estimated
from flows.provider.estimate import sentence

plan = task(name="evaluate-plan", cache_policy=NO_CACHE, persist_result=False)(stage.plan)
answer = task(
    name="evaluate-answer", cache_policy=NO_CACHE, persist_result=False,
    retries=2, retry_delay_seconds=[2, 8], retry_condition_fn=transient,
)(stage.answer)  # fmt: skip
score = task(name="evaluate-score", cache_policy=NO_CACHE, persist_result=False)(stage.score)
decide = task(name="evaluate-decide", cache_policy=NO_CACHE, persist_result=False)(stage.decide_summary)
record = task(name="evaluate-record", cache_policy=NO_CACHE, persist_result=False)(versions.record)


@flow(name="evaluate")
def evaluate(project: str = ".", force: bool = False, max_usd: float | None = None, estimate: bool = False) -> str:
    """Judge what params, prompts and index say now against production; `estimate` asks nothing."""
    if estimate:
        return sentence(estimated(project, force=force))
    todo = plan(project, force=force, max_usd=max_usd)
    if not todo["unchanged"]:
        answer(project, todo, max_usd=max_usd)
        score(project, todo)
    summary = decide(project, todo)
    record(project, "evaluate")
    return summary

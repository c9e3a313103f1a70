"""Several stages, one run: whatever they spend inside the block counts against one limit.

`llmops run` opens the scope. A session with a provider books under its id in the ledger (`flows.provider.budget`), so
the stages of a run share `--max-usd` and `provider.budget_usd_per_run`, in this process or as Prefect flows called
from it. Without a scope every session is a run of its own, as in a deployment that runs one flow.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from uuid import uuid4


@dataclass(frozen=True)
class RunScope:
    """The id under which a run books what it spends, and the most it may spend in USD; None = as params say."""

    run_id: str
    max_usd: float | None


_CURRENT: ContextVar[RunScope | None] = ContextVar("llmops_run_scope", default=None)


@contextmanager
def one_run(max_usd: float | None = None) -> Iterator[RunScope]:
    """Let every session inside the block share one limit; inside another block that one goes on."""
    scope = _CURRENT.get() or RunScope(uuid4().hex, max_usd)
    token = _CURRENT.set(scope)
    try:
        yield scope
    finally:
        _CURRENT.reset(token)


def current_run() -> RunScope | None:
    """Return the run that is going on, or None."""
    return _CURRENT.get()

"""How much of every budget is spent, set aside and left, and who answers for it."""

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal

from flows.core.calls import read_calls
from flows.core.project import Project
from flows.provider.budget import NANO, readable
from flows.provider.params import Budget, ProviderParams

State = Literal["within", "beyond soft", "used up"]


@dataclass(frozen=True)
class BudgetStatus:
    """One budget in the period that is running.

    Attributes:
        name: The budget's.
        owner: Who answers for it.
        scope: `all`, or the use cases whose calls count.
        since: The UTC day or month, as 2026-11-21 or 2026-11.
        soft_usd: Beyond it runs warn; None = no such limit.
        hard_usd: Beyond it no call leaves; None = no such limit.
        spent_usd: Settled.
        reserved_usd: Set aside: calls under way, and calls whose outcome nobody knows.
        left_usd: Of the hard limit, else of the soft one; below 0 when passed.
        elsewhere_usd: Logged calls that were imported: not made by this project, and in no limit.
        state: Where that is.
    """

    name: str
    owner: str
    scope: str
    since: str
    soft_usd: float | None
    hard_usd: float | None
    spent_usd: float
    reserved_usd: float
    left_usd: float
    elsewhere_usd: float
    state: State


def budget_status(project: Project, now: datetime) -> list[BudgetStatus]:
    """Return every budget of params.yaml, in their order.

    Raises:
        ParamsError: A budget is wrong.
        IntegrityError: The ledger is damaged.
    """
    return [_status(project, budget, now) for budget in _budgets(ProviderParams.load(project))]


def _budgets(params: ProviderParams) -> Iterator[Budget]:
    """Yield the named budgets after the two plain limits, which no one is named for."""
    plain = {"day": params.budget_usd_per_day, "month": params.budget_usd_per_month}
    for period, limit in plain.items():
        if limit is not None:
            name = f"budget_usd_per_{period}"
            yield Budget.model_validate({"name": name, "owner": "nobody named", "period": period, "hard_usd": limit})
    yield from params.budgets


def _status(project: Project, budget: Budget, now: datetime) -> BudgetStatus:
    since = budget.since(now)
    spent, reserved = _ledger(project, since, budget)
    taken = spent + reserved
    limit = budget.soft_usd if budget.hard_usd is None else budget.hard_usd
    passed = budget.soft_usd is not None and taken > budget.soft_usd
    used_up = budget.hard_usd is not None and taken >= budget.hard_usd
    return BudgetStatus(
        name=budget.name, owner=budget.owner, scope=", ".join(budget.use_cases) or "all", since=since,
        soft_usd=budget.soft_usd, hard_usd=budget.hard_usd, spent_usd=spent, reserved_usd=reserved,
        left_usd=(limit or 0.0) - taken, elsewhere_usd=_elsewhere(project, budget, since),
        state="used up" if used_up else "beyond soft" if passed else "within",
    )  # fmt: skip


def _ledger(project: Project, since: str, budget: Budget) -> tuple[float, float]:
    """Return what is settled and what is set aside in a period, in USD."""
    path = project.state("ledger.sqlite")
    if not path.is_file():
        return 0.0, 0.0
    with readable():
        base = sqlite3.connect(path)
        try:
            rows = base.execute(
                "SELECT use_case, SUM(settled_nano), SUM(CASE WHEN settled_nano IS NULL THEN reserved_nano END)"
                " FROM entries WHERE substr(at, 1, ?) = ? GROUP BY use_case",
                (len(since), since),
            ).fetchall()
        finally:
            base.close()
    ours = [row for row in rows if budget.covers(row[0])]
    return sum(row[1] or 0 for row in ours) / NANO, sum(row[2] or 0 for row in ours) / NANO


def _elsewhere(project: Project, budget: Budget, since: str) -> float:
    first = date.fromisoformat(since if budget.period == "day" else f"{since}-01")
    calls = read_calls(project, since=first, columns=("use_case", "cost_usd", "metadata"))
    calls = calls[calls["started_at"].dt.strftime("%Y-%m-%d").str.startswith(since)]
    ours = calls["use_case"].map(budget.covers).astype(bool) if len(calls) else calls["use_case"].isna()
    imported = calls["metadata"].str.contains('"imported_id"', regex=False)
    return float(calls.loc[ours & imported.astype(bool), "cost_usd"].sum())

"""The table of budgets: what the calls log holds of each in the period of its last day, and who answers for it.

The page is made from the log, so that the same log gives the same page; what is reserved at this moment stands in
`llmops cost budgets`.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from flows.provider.params import Budget
from flows.report import page

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ["budget", "owner", "counts", "period", "soft USD", "hard USD", "spent USD", "left USD", "unknown outcomes"]


def table(calls: "pd.DataFrame", budgets: Sequence[Budget]) -> str:
    """Return the table as HTML; empty where there is no budget.

    Args:
        calls: Columns started_at, use_case, status, cost_usd and metadata of the calls log.
        budgets: Of params.yaml.
    """
    if not budgets or calls.empty:
        return ""
    own = calls[~calls["metadata"].str.contains('"imported_id"', regex=False)]
    last = calls["started_at"].max().to_pydatetime()
    rows = [_row(budget, budget.since(last), own) for budget in budgets]
    note = f"Spent by this project's own calls up to {last:%Y-%m-%d}; a call of unknown outcome may have been billed."
    return "<h3>Budgets</h3>" + page.paragraph(note, soft=True) + page.table(COLUMNS, rows, source="params.yaml")


def _row(budget: Budget, since: str, calls: "pd.DataFrame") -> list[str | float | int | None]:
    within = calls["started_at"].dt.strftime("%Y-%m-%d").str.startswith(since)
    rows = calls[within & calls["use_case"].map(budget.covers).astype(bool)]
    spent = float(rows["cost_usd"].sum())
    limit = budget.soft_usd if budget.hard_usd is None else budget.hard_usd
    unknown = int((rows["status"] == "unknown_outcome").sum())
    scope = ", ".join(budget.use_cases) or "all"
    soft, hard = (said(limit) for limit in (budget.soft_usd, budget.hard_usd))
    return [budget.name, budget.owner, scope, since, soft, hard, spent, (limit or 0) - spent, unknown]


def said(limit: float | None) -> str:
    """Return a limit in words; one that is not set is none, and nothing that was not measured."""
    return "none" if limit is None else f"${limit:,.2f}"

"""`llmops cost budgets`: what is spent, set aside and left of every budget, and who answers for it."""

import argparse
import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from flows.cli import output
from flows.core.project import Project

if TYPE_CHECKING:
    from flows.provider.spent import BudgetStatus

TEXT = "show every budget of the running UTC day and month with its owner: spent, reserved, left"
DESCRIPTION = f"""\
{output.sentence(TEXT)}

Budgets stand in params.yaml under provider.budgets; a soft limit warns, a hard one stops calls. They count what
this project asks on this machine, over all its processes. Imported calls are shown apart and are in no limit.
exit codes: 0 all within their hard limits; 1 one is used up"""


def add_to(verbs: Any) -> None:
    """Add the verb."""
    parser = verbs.add_parser(
        "budgets", help=TEXT, description=DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(handler=budgets)


def budgets(options: argparse.Namespace) -> int:
    """Print the budgets; exit code 1 when one is used up."""
    from flows.core.clock import utc_now
    from flows.provider.spent import budget_status

    found = budget_status(Project.open(options.project), utc_now())
    if options.json:
        output.line(json.dumps([asdict(item) for item in found], indent=2, allow_nan=False))
    elif not found:
        output.line("No budget is set for a day or a month. Write one into params.yaml, provider.budgets.")
    else:
        output.table([(item.name, _line(item)) for item in found])
    return 1 if any(item.state == "used up" for item in found) else 0


def _line(item: "BudgetStatus") -> str:
    limits = {"soft": item.soft_usd, "hard": item.hard_usd}
    said = ", ".join(f"{name} ${limit:,.2f}" for name, limit in limits.items() if limit is not None)
    scope = "" if item.scope == "all" else f", {item.scope}"
    elsewhere = f"; ${item.elsewhere_usd:,.4f} in imported calls" if item.elsewhere_usd else ""
    return (
        f"{item.state}: ${item.left_usd:,.4f} left of {said} in {item.since}{scope}; spent ${item.spent_usd:,.4f}, "
        f"reserved ${item.reserved_usd:,.4f}{elsewhere}. Owner: {item.owner}"
    )

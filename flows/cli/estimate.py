"""`--estimate`: what stages would ask and what that would cost; nothing is asked, spent or published.

A room that asks a model has `estimate` in `flows/<stage>/estimate.py`; a stage without one asks none. The stages are
estimated in order, and each is told which of those before it have work, since its inputs are then not there yet.
"""

import argparse
import importlib
import importlib.util
import json
from collections.abc import Sequence

from flows.cli import output
from flows.core.project import Project
from flows.provider.estimate import Estimate, added, plain, sentence


def add_option(parser: argparse.ArgumentParser) -> None:
    """Add the option."""
    parser.add_argument(
        "--estimate", action="store_true", help="say the calls, tokens and USD this would take; ask and spend nothing"
    )


def estimates(project_dir: str, stages: Sequence[str], *, force: bool = False) -> dict[str, Estimate]:
    """Return the estimate of each stage, in their order."""
    found: dict[str, Estimate] = {}
    for name in stages:
        before = [stage for stage, estimate in found.items() if estimate.work]
        module = f"flows.{name}.estimate"
        asks = importlib.util.find_spec(module) is not None
        found[name] = (
            importlib.import_module(module).estimate(project_dir, force=force, before=before) if asks else Estimate()
        )
    return found


def show(project_dir: str, stages: Sequence[str], *, force: bool, max_usd: float | None, as_json: bool = False) -> int:
    """Print what the stages would take and whether it fits."""
    found = estimates(project_dir, stages, force=force)
    total, limit = added(found.values()), _limit(project_dir, max_usd)
    if as_json:
        values = {"stages": {name: plain(item) for name, item in found.items()}, "total": plain(total)}
        output.line(json.dumps(values | {"limit_usd": limit}, indent=2, allow_nan=False))
        return 0
    rows = [(name, sentence(item)) for name, item in found.items()]
    output.table([*rows, ("total", sentence(total))] if len(rows) > 1 else rows)
    for text in [*total.notes, *_fits(total, limit)]:
        output.line(f"  note: {text}")
    output.line("Nothing was asked, spent or published.")
    return 0


def _limit(project_dir: str, max_usd: float | None) -> float | None:
    from flows.provider.params import ProviderParams

    given = (max_usd, ProviderParams.load(Project.open(project_dir)).budget_usd_per_run)
    return min((limit for limit in given if limit is not None), default=None)


def _fits(total: Estimate, limit: float | None) -> list[str]:
    """Say when the limit could stop the run."""
    if limit is not None and total.usd is None:
        return ["a model has no known price: no limit holds for it, and it is refused without provider.allow_unpriced"]
    if limit is None or total.usd is None or total.usd.high <= limit:
        return []
    sure = "is" if total.usd.low > limit else "may be"
    return [f"this {sure} beyond the limit of ${limit:,.2f} a run: it would stop there and could be resumed"]

"""Further verbs of `llmops monitor`: `simulate` fills an empty calls log to rehearse with."""

import argparse
import sys
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from flows.core.calls import write_calls
from flows.core.clock import utc_day, utc_now
from flows.core.errors import UsageError
from flows.core.project import Project

if TYPE_CHECKING:
    import pandas as pd

DAYS, SEED = 123, 20260701
PART = "simulated"


def add_to(verbs: Any) -> None:
    """Add the verbs."""
    text = "write a simulated usage log, labelled as such, into an empty calls log"
    parser = verbs.add_parser("simulate", help=text, description=f"{text.capitalize()}.")
    parser.add_argument("--start", type=utc_day, metavar="DATE", help="first UTC day (default: ends yesterday)")
    parser.add_argument("--days", type=int, default=DAYS, help=f"how many days (default: {DAYS}, four months)")
    parser.add_argument("--seed", type=int, default=SEED, help="same seed, same log")
    parser.add_argument("--once", action="store_true", help="do nothing when the log has simulated calls already")
    parser.set_defaults(handler=simulate)


def simulate(options: argparse.Namespace) -> int:
    """Simulate, price and write the calls."""
    project = Project.open(options.project)
    if options.once and any(project.data("calls").glob(f"date=*/part-{PART}.parquet")):
        return 0
    if not options.once and any(project.data("calls").glob("date=*")):
        raise UsageError("the calls log is not empty; simulated calls would mix with real ones. Use an empty project.")
    from flows.monitor.simulator import Traffic
    from flows.monitor.simulator import simulate as draw

    start = options.start or utc_now().date() - timedelta(days=options.days)
    calls = priced(project, draw(Traffic(start, options.days, options.seed)))
    write_calls(project, calls, part=PART)
    spent = f"${calls['cost_usd'].sum():,.2f}"
    sys.stdout.write(f"{len(calls):,} simulated calls of {options.days} days from {start}, {spent}, in data/calls\n")
    return 0


def priced(project: Project, calls: "pd.DataFrame") -> "pd.DataFrame":
    """Return the calls with their cost at the price of their month."""
    import pandas as pd

    from flows.provider.outcomes import Tokens
    from flows.provider.prices import cost_usd, load_prices, price_at

    own = load_prices(project)
    month = calls["started_at"].dt.strftime("%Y-%m-01")
    prices = {
        (provider, model, when): price_at(provider, model, pd.Timestamp(when, tz="UTC"), own=own)
        for provider, model, when in set(zip(calls["provider"], calls["request_model"], month, strict=True))
    }
    columns = ("provider", "request_model", "input_tokens", "output_tokens", "cached_input_tokens")
    costs = [
        cost_usd(Tokens(int(fed), int(made), cached=int(cached)), prices[(provider, model, when)])
        for (provider, model, fed, made, cached), when in zip(
            calls[list(columns)].itertuples(index=False, name=None), month, strict=True
        )
    ]
    return calls.assign(cost_usd=pd.Series(costs, index=calls.index, dtype="float64"))

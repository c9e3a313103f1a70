"""`llmops cost`: what was spent and for what, what one response cost, and whether the bill agrees."""

import argparse
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flows.cli import budgets, callfiles, output, whatif
from flows.core.clock import utc_day, utc_now
from flows.core.errors import InputError, UsageError
from flows.core.project import Project

if TYPE_CHECKING:
    from flows.provider.prices import OwnPrices

BY = "model"
BY_ALL = "model, release, prompt, step, use_case, provider, day"
SHOWN = 40  # groups and differences printed for a person; JSON has all


def add_to(commands: Any) -> None:
    """Add the command and its verbs."""
    text = "say what was spent and for what, price a response body, hold the log against a bill"
    parser = commands.add_parser("cost", help=text, description=output.sentence(text))
    verbs = parser.add_subparsers(title="verbs", metavar="VERB", required=True, parser_class=type(parser))
    _of(_add(verbs, "of", "price one response body", of))
    _show(_add(verbs, "show", f"sum the calls log by {BY_ALL}, with the cost of an answer and of a document", show))
    bill = _add(verbs, "reconcile", "compare the log with a provider's bill, to the cent", reconcile)
    bill.add_argument(
        "bill",
        metavar="BILL",
        help="CSV: an amount (cost_usd), and any of day or month, model, provider; or a cost export's JSON",
    )
    prices = _add(verbs, "prices", "turn a history of price changes into own dated prices", prices_from)
    prices.add_argument("history", metavar="FILE", help="CSV or Parquet: snapshot_date, model, …_cost_per_mtok")
    prices.add_argument("--source", required=True, metavar="TEXT", help="where the history comes from")
    budgets.add_to(verbs)
    callfiles.add_to(verbs)
    whatif.add_to(verbs)


def _add(verbs: Any, name: str, text: str, handler: Any) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = verbs.add_parser(name, help=text, description=output.sentence(text))
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(handler=handler)
    return parser


def _of(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--usage-body", required=True, metavar="FILE", help="the response's JSON")
    parser.add_argument("--provider", required=True, metavar="P", help="who sent it, such as openai or azure/responses")
    parser.add_argument("--model", required=True, metavar="M", help="the model that bills")
    parser.add_argument("--at", metavar="DATE", help="UTC day or time of the request (default: now)")
    parser.add_argument(
        "--batch", action="store_true", help="it was part of a batch, at its batch price or half the price"
    )


def _show(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--by", default=BY, metavar="LIST", help=f"any of {BY_ALL}, with commas (default: {BY})")
    parser.add_argument("--since", type=utc_day, metavar="DATE", help="first UTC day")
    parser.add_argument("--until", type=utc_day, metavar="DATE", help="last UTC day")


def of(options: argparse.Namespace) -> int:
    """Read the tokens of a body by its provider's rules and price them."""
    from flows.provider.usage import price_body

    when = _moment(options.at) if options.at else utc_now()
    body = _body(Path(options.usage_body))
    billed = price_body(body, options.provider, options.model, when, own=_own(options), batch=options.batch)
    tokens, cost, source = billed.tokens, billed.cost_usd, billed.price_source
    values = {
        "input_tokens": tokens.input, "cached_input_tokens": tokens.cached, "output_tokens": tokens.output,
        "reasoning_tokens": tokens.reasoning, "cost_usd": cost, "price_source": source,
    }  # fmt: skip
    _print(options, values, [(name, "unknown" if value is None else str(value)) for name, value in values.items()])
    return 0


def _moment(text: str) -> datetime:
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(
            f"--at must be a date or time such as 2026-11-01 or 2026-11-01T12:00Z, not {text!r}."
        ) from None
    return when if when.tzinfo else when.replace(tzinfo=UTC)


def _body(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(
            f"{path.name!r} is no readable JSON ({type(error).__name__}). Give one response body."
        ) from None
    if not isinstance(value, dict):
        raise InputError(f"{path.name!r} holds a JSON {type(value).__name__}, not an object. Give one response body.")
    return value


def _own(options: argparse.Namespace) -> "OwnPrices":
    """Return the project's own prices; without a project there are none."""
    from flows.provider.prices import load_prices

    inside = (Path(options.project) / "params.yaml").is_file()
    return load_prices(Project.open(options.project)) if inside else ()


def show(options: argparse.Namespace) -> int:
    """Print groups, the total, unit costs, and what does not fit."""
    from dataclasses import asdict
    from datetime import timedelta

    from flows.core.calls import compact, read_calls
    from flows.forecast.params import ForecastParams
    from flows.forecast.spending import NEEDED, documents_of, spending
    from flows.provider.prices import price_of_model

    project, own = Project.open(options.project), _own(options)
    params = ForecastParams.load(project)
    compact(project)
    until = options.until + timedelta(days=1) if options.until else None
    calls = read_calls(project, since=options.since, until=until, columns=NEEDED)
    by = [name.strip() for name in options.by.split(",") if name.strip()]
    found = spending(
        calls, by, lambda who, model, when, size: price_of_model(who, model, when, own=own, input_tokens=size),
        own_use_cases=params.own_use_cases, documents=documents_of(project), outlier_factor=params.outlier_factor,
    )  # fmt: skip
    _print(options, asdict(found) | {"by": by}, [])
    if not options.json:
        _show_text(found, by)
    return 0


def _show_text(found: Any, by: list[str]) -> None:
    groups = sorted(found.groups, key=lambda row: -(row["cost_usd"] or 0.0))
    output.table([(" / ".join(str(row[name]) for name in by), _line(row)) for row in groups[:SHOWN]])
    if len(groups) > SHOWN:
        output.line(f"  … and {len(groups) - SHOWN} more; --json has all")
    output.table([("total", _line(found.total))])
    names = ("answer", "accepted answer", "document")
    output.table([(f"per {name}", _unit(name.replace(" ", "_"), found.units)) for name in names])
    for row in found.outliers:
        times = f"{row['times']:,} times its price" if row["times"] else "far beyond its model's median"
        output.line(f"  outlier, in the total but in no mean: call {row['call_id']} ${row['cost_usd']} ({times})")
    if left := found.bills_left_out["rows"]:
        cost = found.bills_left_out["cost_usd"]
        output.line(f"  not in the total: {left} line(s) of cost exports, ${cost}, on days whose calls are logged")
    for name, row in found.other_currencies.items():
        output.line(f"  not in the total: {row['cost']} {name} of {row['calls']} call(s)")


def _unit(name: str, units: dict[str, Any]) -> str:
    cost, count = units[f"per_{name}_usd"], units[f"{name}s"]
    counted = "nothing says how many" if count is None else f"{count:,} counted"
    return f"{'unknown' if cost is None else f'${cost:.6f}'}, {counted}"


def _line(row: dict[str, Any]) -> str:
    if not row["calls"]:
        return "no calls"
    cost = "unpriced" if row["cost_usd"] is None else f"${row['cost_usd']:,.6f}"
    unpriced = f", {row['unpriced_calls']:,} unpriced" if row["unpriced_calls"] else ""
    outliers = f", {row['outlier_calls']} outlier(s) of ${row['outlier_usd']:,.2f}" if row["outlier_calls"] else ""
    return f"{cost}  {row['calls']:,} calls{unpriced}{outliers}"


def reconcile(options: argparse.Namespace) -> int:
    """Print the differences; exit code 1 when the bill and the log differ by a cent or more."""
    from flows.core.calls import compact, read_calls
    from flows.forecast.reconcile import read_bill
    from flows.forecast.reconcile import reconcile as compare

    bill = read_bill(Path(options.bill))
    project = Project.open(options.project)
    compact(project)
    columns = ("provider", "request_model", "response_model", "step", "cost_usd")
    found = compare(read_calls(project, columns=columns), bill)
    rows = [*found["rows"]] if len(found["rows"]) <= SHOWN else [r for r in found["rows"] if r["reason"] != "agrees"]
    lines = [(" / ".join(row[key] for key in found["keys"]) or "all", _bill_line(row)) for row in rows[:SHOWN]]
    _print(options, found, [*lines, ("total", _bill_line(found["total"]))])
    if not options.json and (other := found["other_currency_rows"]):
        output.line(f"  not compared: {other} line(s) of the bill in another currency than USD")
    return 0 if found["agrees"] else 1


def _bill_line(row: dict[str, Any]) -> str:
    text = f"billed {row['billed_usd']}, logged {row['logged_usd']}, difference {row['difference_usd']}"
    return f"{text} ({row['reason']})" if "reason" in row else text


def prices_from(options: argparse.Namespace) -> int:
    """Write `data/prices/history.yaml` from a history of price changes."""
    import pandas as pd
    import yaml

    from flows.core.files import write_text
    from flows.provider.pricehistory import from_changes

    path, project = Path(options.history), Project.open(options.project)
    try:
        table = pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path, parse_dates=["snapshot_date"])
    except (OSError, ValueError) as error:
        raise InputError(
            f"{path.name!r} is no readable price history ({type(error).__name__}). "
            "Give CSV or Parquet with snapshot_date, model and columns such as input_cost_per_mtok."
        ) from None
    rows = [entry.model_dump(mode="json", exclude_none=True) for entry in from_changes(table, source=options.source)]
    write_text(project.data("prices", "history.yaml"), yaml.safe_dump({"prices": rows}, sort_keys=False))
    _own(options)  # overlaps with other files are named at once
    _print(options, {"prices": len(rows)}, [("prices", f"{len(rows)} in data/prices/history.yaml")])
    return 0


def _print(options: argparse.Namespace, values: Any, rows: list[tuple[str, str]]) -> None:
    if options.json:
        output.line(json.dumps(values, indent=2, ensure_ascii=False, allow_nan=False))
    else:
        output.table(rows)

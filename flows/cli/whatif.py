"""`llmops cost what-if` and `llmops cost break-even`: the logged calls, had something been different."""

import argparse
import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from flows.cli import output
from flows.core.clock import utc_day
from flows.core.errors import ParamsError, UsageError
from flows.core.project import Project

if TYPE_CHECKING:
    import pandas as pd


def add_to(verbs: Any) -> None:
    """Add the two verbs."""
    text = "replay the logged chat calls with another model, context, caching or batches"
    parser = _add(verbs, "what-if", text, what_if)
    parser.add_argument("--model", default="", metavar="LIST", help="models, as gpt-4.1 or azure/gpt-4.1, with commas")
    parser.add_argument(
        "--cached-share", type=float, metavar="S", help="share of the input read from the cache, 0 to 1"
    )
    parser.add_argument(
        "--batch-share", type=float, default=0.0, metavar="S", help="share of the cost that may wait, 0 to 1"
    )
    parser.add_argument("--context", type=float, default=1.0, metavar="F", help="input length times this")
    parser.add_argument("--retrieved-chunks", type=int, metavar="N", help="at most N chunks a request, the best ones")
    text = "say when fine-tuning pays against few-shot examples at their cached price"
    parser = _add(verbs, "break-even", text, break_even)
    parser.add_argument(
        "--model", required=True, metavar="M", help="the model as it is, with the examples in its prompt"
    )
    parser.add_argument(
        "--tuned-model", required=True, metavar="M", help="the tuned one; its price may be in data/prices"
    )
    parser.add_argument(
        "--example-tokens", type=float, required=True, metavar="N", help="tokens of the examples a request"
    )
    paid = parser.add_mutually_exclusive_group(required=True)
    paid.add_argument("--training-usd", type=float, metavar="USD", help="training, labels and evaluation")
    paid.add_argument(
        "--training-tokens", type=float, metavar="N", help="tokens of the training file times epochs, at the tuned "
        "model's `training` price in data/prices"
    )  # fmt: skip
    parser.add_argument("--horizon", type=int, default=365, metavar="DAYS", help="days to look ahead (default: 365)")


def _add(verbs: Any, name: str, text: str, handler: Any) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = verbs.add_parser(name, help=text, description=output.sentence(text))
    parser.add_argument("--use-case", default="", metavar="LIST", help="only these use cases (default: all)")
    parser.add_argument("--since", type=utc_day, metavar="DATE", help="first UTC day")
    parser.add_argument("--until", type=utc_day, metavar="DATE", help="last UTC day")
    parser.add_argument("--at", type=utc_day, metavar="DATE", help="day whose prices hold (default: the last logged)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(handler=handler)
    return parser


def what_if(options: argparse.Namespace) -> int:
    """Print each scenario's cost against the log's, and the quality that was measured."""
    from flows.forecast.fewer import texts_of
    from flows.forecast.quality import guardrails, judged, measured
    from flows.forecast.whatif import Scenario, replay

    project, calls, when, price_of = _opened(options)
    scenario = Scenario(
        _names(options.model), options.cached_share, options.batch_share, options.context, options.retrieved_chunks
    )
    texts = {} if options.retrieved_chunks is None else texts_of(project, calls)
    found = replay(calls, scenario, price_of, when=when, texts=texts)
    found |= judged(found["scenarios"], measured(project), guardrails(project))
    if options.json:
        output.line(json.dumps(found, indent=2, allow_nan=False))
        return 0
    days = f"{found['calls']:,} calls of {found['days']} day(s)"
    output.line(f"{days}: ${found['baseline_usd']:,.6f} at the prices of {found['priced_at']}")
    output.table([(row["model"], _line(row)) for row in found["scenarios"]])
    if found["cheapest_that_keeps_guardrails"]:
        output.line(
            f"  cheapest of those measured that keeps the guardrails: {found['cheapest_that_keeps_guardrails']}"
        )
    for text in found["assumptions"]:
        output.line(f"  assumed: {text}")
    return 0


def _line(row: dict[str, Any]) -> str:
    if row["usd"] is None:
        return "unpriced. Write its price into data/prices"
    share = "" if row["change_share"] is None else f" ({row['change_share']:+.1%}{_ends(row, 'change_share', '+.1%')})"
    quality = "" if row["quality"] is None else f", correctness {row['quality']:.3f} measured"
    day = f"${row['usd_per_day']:,.6f} a day{_ends(row, 'usd_per_day', ',.6f')}"
    return f"${row['usd']:,.6f}, {day}, change ${row['change_usd']:+,.6f}{share}{quality}"


def _ends(row: dict[str, Any], name: str, form: str) -> str:
    """Return the 95 % interval of a value in words; nothing where there is none."""
    lower, upper = row[f"{name}_lower_95"], row[f"{name}_upper_95"]
    return "" if lower is None else f" [{lower:{form}}, {upper:{form}}]"


def break_even(options: argparse.Namespace) -> int:
    """Compare the mean logged request with the same request to a tuned model without the examples."""
    from flows.forecast.whatif import mean_request
    from flows.retrain.break_even import Request
    from flows.retrain.break_even import break_even as compare

    _, calls, when, price_of = _opened(options)
    fed, cached, made, per_day = mean_request(calls)
    examples = options.example_tokens
    fixed = _training(options, price_of, when)
    if not 0 < examples <= fed or fixed < 0:
        raise UsageError(
            f"--example-tokens must lie between 0 and the mean input of {fed:,.0f}, the training cost from 0 on."
        )
    now, tuned = (_rates(price_of, name, when, int(fed)) for name in (options.model, options.tuned_model))
    cached = max(cached, examples)  # an unchanging start of the prompt is read from the cache
    before = Request(fed, made, now[0], now[2], cached_tokens=cached, cached_usd_per_mtok=now[1])
    after = Request(
        fed - examples, made, tuned[0], tuned[2], cached_tokens=cached - examples, cached_usd_per_mtok=tuned[1]
    )
    found = compare(before, after, fixed_usd=fixed, requests_per_day=per_day, horizon_days=options.horizon)
    values = {
        "few_shot_usd": before.cost_usd, "tuned_usd": after.cost_usd, "saving_usd": found.saving_usd,
        "requests": found.requests, "days": found.days, "expected_usd": found.ev_usd, "requests_per_day": per_day,
    }  # fmt: skip
    if options.json:
        output.line(json.dumps(values, indent=2, allow_nan=False))
    else:
        output.table(_in_words(values, options.horizon))
    return 0


def _in_words(values: dict[str, float | None], horizon: int) -> list[tuple[str, str]]:
    """Return the lines for a person; None = it never pays."""
    money = {"a request now": "few_shot_usd", "a tuned request": "tuned_usd", "saved a request": "saving_usd"}
    requests, days = values["requests"], values["days"]
    pays = "never" if requests is None else f"after {requests:,.0f} requests"
    pays += "" if days is None else f", {days:,.1f} days at {values['requests_per_day']:,.1f} requests a day"
    lines = [(name, f"${values[key]:,.8f}") for name, key in money.items()]
    return [*lines, ("pays", pays), (f"gain in {horizon} days", f"${values['expected_usd']:,.2f}")]


def _training(options: argparse.Namespace, price_of: Any, when: datetime) -> float:
    if options.training_usd is not None:
        return float(options.training_usd)
    from flows.provider.prices import MTOK

    price = price_of("", options.tuned_model, when, 0)
    if price is None or price.training is None:
        raise ParamsError(
            f"the training price of {options.tuned_model!r} on {when:%Y-%m-%d} is unknown. Write an entry with "
            "token_type: training into data/prices/own.yaml, or give --training-usd."
        )
    return float(options.training_tokens) * float(price.training) / MTOK


def _rates(price_of: Any, model: str, when: datetime, size: int) -> tuple[float, float, float]:
    price = price_of("", model, when, size)
    if price is None or price.input is None or price.output is None:
        raise ParamsError(f"the price of {model!r} on {when:%Y-%m-%d} is unknown. Write it into data/prices/own.yaml.")
    return price.input, price.input if price.cached_input is None else price.cached_input, price.output


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


def _opened(options: argparse.Namespace) -> "tuple[Project, pd.DataFrame, datetime, Any]":
    """Return the project, the chosen calls, the day of the prices, and the prices."""
    from flows.core.calls import compact, read_calls
    from flows.core.errors import InputError
    from flows.forecast.whatif import NEEDED, chosen
    from flows.provider.prices import load_prices, price_of_model

    project = Project.open(options.project)
    compact(project)
    until = options.until + timedelta(days=1) if options.until else None
    calls = chosen(read_calls(project, since=options.since, until=until, columns=NEEDED), _names(options.use_case))
    if calls.empty:
        raise InputError("the log holds no such call. Run the application, or `llmops cost import` one.")
    day = options.at or calls["started_at"].max().date()
    own = load_prices(project)

    def price_of(provider: str, model: str, when: datetime, size: int) -> Any:
        return price_of_model(provider, model, when, own=own, input_tokens=size)

    return project, calls, datetime(day.year, day.month, day.day, tzinfo=UTC), price_of

"""Section of the report on past forecasts: last month's beside what came true, and how good they have been.

Two kinds stand side by side. `as said` is what a run wrote down at the time, against the logged cost of all calls.
`from the log of that day` is recomputed with today's code and list prices of that time, traffic only: it exists also
for an imported log.
"""

from typing import TYPE_CHECKING, Any

import pandas as pd

from flows.report import page, plots
from flows.report.operations import share, usd
from flows.report.page import Section

if TYPE_CHECKING:
    from flows.report.collect import Facts

SAID, BACKTEST = "data/forecast/said.jsonl", "data/forecast/backtest.json"
LEVEL = 80
PLAIN = ("forecast", "seasonal_naive", "mean")
METHOD_COLUMNS = [
    "total of", "past days", "forecast", "last week again", "mean x days",
    "library model", "forecast, same days", "80 % held", "95 % held",
]  # fmt: skip
SHOWN = 6  # past forecasts in the table, a horizon apart


def review(facts: "Facts", spent: "pd.DataFrame") -> Section:
    """Return last month's forecast beside what came true.

    Args:
        facts: The artifacts.
        spent: Cost of all calls by UTC day: ds, cost_usd.
    """
    backtest = facts.json["backtest"] or {}
    body, again = "", backtest.get("a_while_ago")
    if again is not None and again["mean_usd"] is not None:
        kind = f"from the log of {again['as_of']}"
        body += _cards(again | {"actual": again["actual_usd"]}, kind, BACKTEST)
        caption = f"Cost of traffic a day: forecast {kind}, and what came true"
        body += page.figure(plots.against(again["by_day"]), caption, source=BACKTEST)
    if said := judged(facts.said, spent, backtest.get("as_of")):
        body += "<h3>As said at the time</h3>" + _table(said)
    if not body:
        return _section(page.paragraph("Not measured: no forecast is old enough yet to have come true."))
    return _section(body + _methods(backtest))


def judged(said: list[dict[str, Any]], spent: "pd.DataFrame", as_of: str | None) -> list[dict[str, Any]]:
    """Return the forecasts whose days are all over, with what came true, newest first and a horizon apart."""
    cost = spent.set_index("ds")["cost_usd"]
    last = pd.Timestamp(as_of or 0, tz="UTC")
    found: list[dict[str, Any]] = []
    for line in reversed(said):
        first = pd.Timestamp(line["as_of"], tz="UTC") + pd.Timedelta(days=1)
        end = first + pd.Timedelta(days=line["horizon_days"] - 1)
        apart = not found or end < pd.Timestamp(found[-1]["as_of"], tz="UTC") + pd.Timedelta(days=1)
        if end <= last and apart and first >= cost.index.min():
            found.append(line | {"days": line["horizon_days"], "actual": float(cost[first:end].sum())})
    return found[:SHOWN]


def _cards(past: dict[str, Any], kind: str, source: str) -> str:
    lower, upper = past[f"lower_{LEVEL}"], past[f"upper_{LEVEL}"]
    held = lower is not None and lower <= past["actual"] <= upper
    verdict = "not measured" if lower is None else "held" if held else "missed"
    return page.cards([
        page.card(f"forecast, {past['days']} days", usd(past["mean_usd"]), kind, source=source),
        page.card("came true", usd(past["actual"]), _error(past), source=source),
        page.card(f"{LEVEL} % interval {verdict}", f"{usd(lower)} to {usd(upper)}", kind, source=source),
    ])  # fmt: skip


def _error(past: dict[str, Any]) -> str:
    return f"{past['actual'] / past['mean_usd'] - 1:+.0%} of the forecast" if past["mean_usd"] else ""


def _table(said: list[dict[str, Any]]) -> str:
    columns = ["after", "days", "said", f"{LEVEL} % interval", "came true", "difference"]
    rows = [
        [line["as_of"], line["days"], usd(line["mean_usd"]),
         f"{usd(line[f'lower_{LEVEL}'])} to {usd(line[f'upper_{LEVEL}'])}", usd(line["actual"]), _error(line)]
        for line in said
    ]  # fmt: skip
    return page.table(columns, rows, source=SAID)


def _methods(backtest: dict[str, Any]) -> str:
    library = (backtest.get("library") or {}).get("totals", {})
    rows = []
    for days, found in sorted(backtest.get("totals", {}).items(), key=lambda item: int(item[0])):
        model = library.get(days, {})
        rows.append([
            f"{days} days", found["origins"], *[share(found[f"wape_{name}"]) for name in PLAIN],
            share(model.get("wape_library")), share(model.get("wape_forecast")),
            share(found.get("coverage_80")), share(found.get("coverage_95")),
        ])  # fmt: skip
    name = (backtest.get("library") or {}).get("model", "a library model")
    note = f"Error of totals over their sum (WAPE), repeated from past days; the library model is {name}."
    head = "<h3>How good</h3>" + page.paragraph(note, soft=True)
    return head + page.table(METHOD_COLUMNS, rows, source=BACKTEST)


def _section(body: str) -> Section:
    return Section("forecasts", "Forecast against actual", body)

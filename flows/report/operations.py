"""Sections of the report on operations: documents, index, monitoring, repair, cost, lineage."""

from typing import Any

import pandas as pd

from flows.report import page, plots
from flows.report.collect import Facts
from flows.report.page import Section
from flows.report.params import ReportParams


def documents(facts: Facts, params: ReportParams) -> Section:
    """What came in, what was kept, and why the rest was not."""
    balance, rows = facts.json["balance"], facts.tables["quarantine"]
    if balance is None or rows is None:
        return Section("documents", "Documents", page.paragraph("Not measured: run `llmops ingest`."))
    source = "data/ingest/balance.json"
    names = ("inputs", "documents", "quarantined", "duplicates", "ignored")
    body = page.cards([page.card(name, f"{balance[name]:,}", source=source) for name in names])
    body += page.paragraph("inputs = documents + quarantined + duplicates + ignored; the run asserts it.", soft=True)
    shown = rows[["source_uri", "reason_code", "rule", "detail"]].head(params.quarantine_rows)
    body += page.table(list(shown.columns), shown.values.tolist(), source="data/ingest/quarantine.parquet")
    body += f"<p>{page.artifact('data/ingest/quality.html')} has the quality expectations, one by one.</p>"
    return Section("documents", "Documents", body)


def index(facts: Facts, _params: ReportParams) -> Section:
    """Which index version is live and how well it finds."""
    manifest = facts.json["manifest"]
    if manifest is None:
        return Section("index", "Index", page.paragraph("Not measured: run `llmops embed`."))
    source, embedding = "data/embed/manifest.json", manifest["fingerprint"]
    model = f"{embedding['backend']} {embedding['precision']}, {embedding['dims']} dimensions"
    items = [
        page.card("index version", str(manifest["version"]), manifest["tag"], source=source),
        page.card("rows", f"{manifest['rows']:,}", f"index kind: {manifest['index_kind']}", source=source),
        page.card("recall@10", f"{manifest['recall_at_10']:.3f}", "against exact search", source=source),
        page.card("embedding", embedding["model"], model, source=source),
    ]
    return Section("index", "Index", page.cards(items))


def monitoring(facts: Facts, _params: ReportParams) -> Section:
    """Daily channels, their alarms, and changes of the provider's model."""
    alarms, channels = facts.json["alarms"], facts.tables["channels"]
    if alarms is None or channels is None or channels.empty:
        return Section("monitoring", "Monitoring", page.paragraph("Not measured: no production calls are logged."))
    source = "data/monitor/alarms.json"
    learning = ", ".join(alarms["learning"]) or "none"
    body = page.paragraph(f"To {alarms['as_of']}; false alarms: {alarms['false_alarms']}; still learning: {learning}.")
    changes = [
        [item["day"], item["request_model"], item["previous_response_model"], item["response_model"]]
        for item in alarms["provider_changes"]
    ]
    body += "<h3>Provider changes</h3>"
    body += page.table(["day", "model asked for", "answered until then", "answers since"], changes, source=source)
    columns = ["day", "began", "channel", "direction", "before", "after", "unit"]
    rows = [[item[name] for name in columns] for item in alarms["alarms"]]
    body += "<h3>Alarms</h3>" + page.table(columns, rows, source=source)
    caption = "Daily means of production answers; a red line marks the day an alarm was raised"
    body += page.figure(plots.channels(channels), caption, source="data/monitor/channels.parquet")
    return Section("monitoring", "Monitoring", body)


def cost(facts: Facts, history: "pd.DataFrame", limits: str) -> Section:
    """Past and coming cost with intervals, and the odds of the budget; `limits` is the table of budgets."""
    summary, future = facts.json["cost"], facts.tables["forecast"]
    if summary is None or future is None or summary["mean_usd"] is None:
        why = "; ".join((summary or {}).get("notes", [])) or "no priced calls are logged"
        return Section("cost", "Cost", page.paragraph(f"Not measured: {why}.") + limits)
    source = "data/forecast/summary.json"
    days = f"next {summary['horizon_days']} days"
    items = [
        page.card(days, usd(summary["mean_usd"]), f"after {summary['as_of']}", source=source),
        page.card("80 % interval", f"{usd(summary['lower_80'])} to {usd(summary['upper_80'])}", days, source=source),
        page.card("95 % interval", f"{usd(summary['lower_95'])} to {usd(summary['upper_95'])}", days, source=source),
        _budget(summary, source),
    ]
    body = page.cards(items) + page.paragraph(
        f"In the past {summary['windows']} windows the 80 % interval held {share(summary['coverage_80'])} and the 95 % "
        f"interval {share(summary['coverage_95'])} of the totals that came true. "
        f"Unpriced series: {', '.join(summary['unpriced']) or 'none'}."
    )
    total = future[future["unique_id"] == "total"]
    complete = history[history["ds"] <= pd.Timestamp(summary["as_of"], tz="UTC")]
    body += page.figure(plots.forecast(complete, total), "Cost a day", source="data/forecast/forecast.parquet")
    body += page.table(["by", "", days, "80 % interval"], _parts(summary), source=source)
    return Section("cost", "Cost", body + limits)


def _parts(summary: dict[str, Any]) -> list[list[str]]:
    return [
        [
            row["by"].replace("_", " "),
            row["name"],
            usd(row["mean"]),
            f"{usd(row['lower_80'])} to {usd(row['upper_80'])}",
        ]
        for row in summary.get("by_part", [])
    ]


def _budget(summary: dict[str, Any], source: str) -> str:
    if summary["p_exceed"] is None:
        return page.card("budget", "none set", "forecast.budget_usd_per_month in params.yaml", source="")
    dates = [f"{level} % by {summary[f'date_p{level}']}" for level in (10, 50, 90) if summary[f"date_p{level}"]]
    note = f"of exceeding {usd(summary['budget_usd'])} in these days" + (f"; {', '.join(dates)}" if dates else "")
    return page.card("budget", share(summary["p_exceed"]), note, source=source)


def lineage(facts: Facts, _params: ReportParams) -> Section:
    """Which run of which stage, on which commit, made the numbers above."""
    rows = [
        [stage, record.run_id[:12], (record.commit or "no git")[:12], _minute(record.started_at), record.duration_s,
         record.calls, record.cost_usd, record.summary]
        for stage, record in facts.runs.items() if record
    ]  # fmt: skip
    columns = ["stage", "run", "commit", "started (UTC)", "seconds", "calls", "USD", "result"]
    note = "Each stage's run.json has the SHA-256 of its inputs and outputs, its params and its code's fingerprint."
    return Section("lineage", "Lineage", page.paragraph(note, soft=True) + page.table(columns, rows))


def _minute(moment: str) -> str:
    return moment[:16].replace("T", " ")


def usd(value: float | None) -> str:
    """Return dollars with as many digits as the size needs, or `not measured`."""
    if value is None:
        return "not measured"
    return f"${value:,.2f}" if abs(value) >= 1 or value == 0 else f"${value:.4f}"


def share(value: float | None) -> str:
    """Return a share in per cent, or `not measured`."""
    return "not measured" if value is None else f"{value:.0%}"

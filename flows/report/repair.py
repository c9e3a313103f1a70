"""The report's section on repairs: which triggers fired, what is proposed, and what it costs and gains."""

from html import escape
from typing import Any

from flows.report import page
from flows.report.collect import Facts
from flows.report.operations import usd
from flows.report.page import Section
from flows.report.params import ReportParams

SOURCE = "data/retrain/proposal.json"


def proposal(facts: Facts, _params: ReportParams) -> Section:
    """Triggers, the repairs that were compared, and the commands of the proposed one."""
    found = facts.json["proposal"]
    if found is None:
        return Section("repair", "Repair", page.paragraph("Not measured: run `llmops retrain`."))
    triggers = [[item["cause"], item["since"], item["state"], item["because"]] for item in found["triggers"]]
    body = page.table(["trigger", "since", "state", "because"], triggers, source=SOURCE)
    for item in found["proposals"] or found["standing"]:
        body += page.paragraph(_sentence(item, found["points_lost"]))
        body += "".join(f"<p><code>{escape(command)}</code></p>" for command in item["commands"])
    repairs = [
        [item["repair"], item["cost_usd"], item["value_usd"], item["ev_usd"],
         "yes" if item["possible"] else f"no: {item['why_not']}", "yes" if item["sufficient"] else "no"]
        for item in found["repairs"]
    ]  # fmt: skip
    columns = ["repair", "cost USD", "value USD", "expected gain USD", "possible", "sufficient"]
    body += "<h3>Repairs compared</h3>" + page.table(columns, repairs, source=SOURCE)
    if found["not_measured"]:
        body += page.paragraph(f"Not measured: {', '.join(found['not_measured'])}.", soft=True)
    return Section("repair", "Repair", body)


def _sentence(item: dict[str, Any], points_lost: dict[str, dict[str, Any]]) -> str:
    assumed = [name for name, loss in points_lost.items() if loss["source"] == "assumed"]
    enough = "" if item["sufficient"] else " It is not expected to restore every guardrail by itself."
    basis = f" The loss by {', '.join(assumed)} is assumed in params.yaml, not measured." if assumed else ""
    return (
        f"Proposed: {item['repair']}, for {usd(item['cost_usd'])}, expected gain {usd(item['ev_usd'])}.{enough}{basis} "
        "Nothing was executed; these are the steps:"
    )

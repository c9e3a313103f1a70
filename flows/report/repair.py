"""The report's section on repairs: which triggers fired, what is proposed, and what it costs and gains."""

from html import escape

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
    if found["proposal"]:
        body += page.paragraph(_sentence(found["proposal"]))
        body += "".join(f"<p><code>{escape(command)}</code></p>" for command in found["proposal"]["commands"])
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


def _sentence(item: dict[str, float | str | bool | dict[str, dict[str, str]]]) -> str:
    losses = item["points_lost"]
    assumed = [name for name, loss in losses.items() if loss["source"] == "assumed"] if isinstance(losses, dict) else []
    enough = "" if item["sufficient"] else " It is not expected to restore every guardrail by itself."
    basis = f" The loss by {', '.join(assumed)} is assumed in params.yaml, not measured." if assumed else ""
    return (
        f"Proposed: {item['repair']}, for {usd(float(str(item['cost_usd'])))}, expected gain "
        f"{usd(float(str(item['ev_usd'])))}.{enough}{basis} Nothing was executed; these are the steps:"
    )

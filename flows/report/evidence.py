"""Sections of the report on evidence: which looks were taken, what would decide, and which part is weak."""

from collections.abc import Mapping, Sequence
from typing import Any

from flows.report import page
from flows.report.collect import Facts
from flows.report.page import Section
from flows.report.params import ReportParams

SOURCE = "data/evaluate/verdict.json"
OPTIONS = 6  # offers shown; all of them stand in verdict.json


def overdue(found: Mapping[str, Any]) -> str:
    """Return a yellow notice of guardrails whose review is overdue; empty when there is none."""
    late = {name: rail for name, rail in found["guardrails"].items() if rail["review"] != "in time"}
    if not late:
        return ""
    named = "; ".join(
        f"{name} (was due on {rail.get('review_by')}, owner {rail.get('owner')}, {rail['review']})"
        for name, rail in sorted(late.items())
    )
    expired = any(rail["review"] == "expired" for rail in late.values())
    meaning = "the gate is invalid until somebody reviews them" if expired else "review them before the gate is invalid"
    return page.notice(f"Reviews of guardrails are overdue, {meaning}: {named}.")


def looks(found: Mapping[str, Any]) -> str:
    """Return the looks of the evaluation, and what would decide what is still open."""
    body = ""
    taken = (found.get("looks") or {}).get("taken", [])
    if len(taken) > 1:
        body += "<h3>Looks</h3>" + page.table(
            ["look", "documents", "questions", "answers each", "level", "verdict", "answers added"],
            [
                [f"{step['number']} of {step['of']}", f"{step['share']:.0%}", step["questions"],
                 step["candidate_samples"], step["alpha"], step["verdict"], step["answers"]]
                for step in taken
            ],
            source=SOURCE,
        )  # fmt: skip
    options = (found.get("evidence") or {}).get("options", [])
    if options:
        body += "<h3>What would decide</h3>" + page.table(
            ["more", "of", "calls", "cost USD", "judged at", "chance to decide"],
            [
                [item["more"], item["of"], item["calls"], item["cost_usd"], item["alpha"],
                 f"{item['p_decide_at_least']:.0%} or more"]
                for item in options[:OPTIONS]
            ],
            source=SOURCE,
        )  # fmt: skip
    return body


def parts(facts: Facts, _params: ReportParams) -> Section:
    """Scores of the application's parts, their worst topics and question types first."""
    found = facts.json.get("components")
    if found is None:
        return Section("parts", "Parts", page.paragraph("Not measured: run `llmops evaluate`."))
    rows = [
        [part["name"].replace("_", " "), *_numbers(part["score"]), _worst(part["topics"]), _worst(part["types"])]
        for part in found
    ]
    columns = ["part", "score", "likely between", "questions", "documents", "worst topic", "worst question type"]
    body = page.table(columns, rows, source="data/evaluate/components.json")
    metrics = [
        [part["name"].replace("_", " "), item["name"], *_numbers(item)] for part in found for item in part["metrics"]
    ]
    body += "<h3>Metrics of the parts</h3>"
    body += page.table(["part", "metric", *columns[1:5]], metrics, source="data/evaluate/components.csv")
    return Section("parts", "Parts of the application", body)


def _numbers(item: Mapping[str, Any]) -> list[Any]:
    likely = item["note"] if item["lower"] is None else f"{item['lower']:.2f} to {item['upper']:.2f}"
    return [item["mean"], likely, item["questions"], item["documents"]]


def _worst(groups: Sequence[Mapping[str, Any]]) -> str:
    known = [item for item in groups if item["lower"] is not None]
    if len(groups) < 2:
        return "one group only"
    return f"{known[0]['name']}: {known[0]['mean']:.2f}" if known else "too few"

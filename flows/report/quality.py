"""Sections of the report on quality: the verdict, the metrics, the worst questions."""

from typing import Any

import pandas as pd

from flows.report import page, plots
from flows.report.collect import Facts
from flows.report.page import Section
from flows.report.params import ReportParams

MEANING = {
    "pass": "shown to be no worse than the margins allow",
    "fail": "shown to be worse",
    "inconclusive": "neither shown worse nor shown good enough: more questions would decide",
    "invalid": "the evaluation is broken or empty; it says nothing about quality",
}


def verdict(facts: Facts, _params: ReportParams) -> Section:
    """What the gate found, how sure it is, and the picture of all effects."""
    found = facts.json["verdict"]
    if found is None:
        return Section("verdict", "Verdict", page.paragraph("Not measured: run `llmops evaluate`."))
    source = "data/evaluate/verdict.json"
    baseline = found["baseline_release_id"]
    body = page.cards([
        page.card("verdict", found["verdict"], MEANING[found["verdict"]], source=source, tone=found["verdict"]),
        page.card("candidate", found["release_id"][:12], "release", source="data/evaluate/candidate.json"),
        page.card("baseline", baseline[:12] if baseline else "none", "production when it was judged", source=source),
        page.card("questions", f"{found['n_questions']:,}", f"in {found['n_documents']:,} documents", source=source),
    ])  # fmt: skip
    body += page.paragraph(found["paragraph"])
    bars = [_bar(name, item) for name, item in found["metrics"].items() if item.get("lower") is not None]
    if bars:
        body += page.figure(plots.forest(bars), "Effect of the candidate with one-sided bounds", source=source)
    return Section("verdict", "Verdict", body)


def _bar(name: str, item: dict[str, Any]) -> plots.Bar:
    return plots.Bar(name, item["center"], item["lower"], item["upper"], item.get("margin") or 0.0, item["verdict"])


def metrics(facts: Facts, _params: ReportParams) -> Section:
    """Every metric by question type, worst type visible; what was not scored is counted."""
    scores = facts.tables["scores"]
    if scores is None:
        return Section("metrics", "Metrics", page.paragraph("Not measured: run `llmops evaluate`."))
    table = metric_table(scores)
    kinds = [name for name in table.columns if name not in {"metric", "all", "answers", "unscored"}]
    columns = ["metric", "all", *kinds, "answers", "unscored"]
    rows = table[columns].astype(object).where(table[columns].notna(), None).values.tolist()
    guardrails = (facts.json["verdict"] or {}).get("guardrails", {})
    body = page.table(columns, rows, source="data/evaluate/scores.parquet")
    body += "<h3>Guardrails</h3>" + page.table(
        ["metric", "mean", "low", "high", "unit", "verdict", "owner", "review by", "review"],
        [
            [name, item["mean"], _bound(item, "low"), _bound(item, "high"), item.get("unit"), item["verdict"],
             item.get("owner"), item.get("review_by"), item["review"]]
            for name, item in sorted(guardrails.items())
        ],
        source="data/evaluate/verdict.json",
    )  # fmt: skip
    return Section("metrics", "Metrics and guardrails", body)


def _bound(item: dict[str, Any], side: str) -> float | str:
    value = item.get(side)
    return "none" if value is None else float(value)


def metric_table(scores: "pd.DataFrame") -> "pd.DataFrame":
    """Return the mean of each metric over all questions and by type, with counts of (un)scored answers."""
    by_type = scores.pivot_table(index="metric", columns="question_type", values="score", aggfunc="mean")
    by_metric = scores.groupby("metric")["score"]
    counts = pd.DataFrame({"all": by_metric.mean(), "answers": by_metric.size()})
    counts["unscored"] = counts["answers"] - by_metric.count()
    return counts.join(by_type).round(4).reset_index()


def worst(facts: Facts, params: ReportParams) -> Section:
    """The questions on which most was lost, with both answers side by side."""
    listed, answers = facts.json["worst"], facts.tables["answers"]
    if not listed or answers is None:
        return Section("worst", "Worst questions", page.paragraph("Not measured: run `llmops evaluate`."))
    ours, theirs = _texts(answers), _texts(facts.baseline_answers)
    rows = [
        [item["question"], item["question_type"], item["candidate_mean"], item["baseline_mean"],
         ours.get(item["question_id"], ""), theirs.get(item["question_id"], "no baseline")]
        for item in listed[: params.worst_questions]
    ]  # fmt: skip
    columns = ["question", "type", "candidate", "baseline", "answer of the candidate", "answer of the baseline"]
    return Section("worst", "Worst questions", page.table(columns, rows, source="data/evaluate/worst.json"))


def _texts(answers: "pd.DataFrame | None") -> dict[str, str]:
    return {} if answers is None else dict(zip(answers["question_id"], answers["answer"], strict=True))

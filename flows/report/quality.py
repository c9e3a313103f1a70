"""Sections of the report on quality: the verdict, the metrics, the worst questions."""

from typing import Any

import pandas as pd

from flows.report import evidence, page, plots
from flows.report.collect import Facts
from flows.report.page import Section
from flows.report.params import ReportParams

CHALLENGES = "challenge:"  # how the question types of challenges begin
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
    alone = found["verdict"] == "pass" and not baseline
    meaning = "shown to hold every guardrail; there was nothing to compare with" if alone else MEANING[found["verdict"]]
    body = evidence.overdue(found) + page.cards([
        page.card("verdict", found["verdict"], meaning, source=source, tone=found["verdict"]),
        page.card("candidate", found["release_id"][:12], "release", source="data/evaluate/candidate.json"),
        page.card("baseline", baseline[:12] if baseline else "none", "production when it was judged", source=source),
        page.card("questions", f"{found['n_questions']:,}", f"in {found['n_documents']:,} documents", source=source),
    ])  # fmt: skip
    body += page.paragraph(found["paragraph"]) + evidence.looks(found)
    if effects := [_in_margins(name, item) for name, item in found["metrics"].items() if _drawable(item)]:
        scale = "candidate minus baseline, in margins; left of the dashed line is worse than tolerated"
        body += page.figure(
            plots.forest(effects, scale=scale, tolerated=-1), "Effects with one-sided bounds", source=source
        )
    if limits := [bar for name, item in found["guardrails"].items() for bar in _beyond_limit(name, item)]:
        scale = "distance to the guardrail's limit, in the metric's unit; left of zero is outside"
        body += page.figure(
            plots.forest(limits, scale=scale, tolerated=0), "Guardrails with one-sided bounds", source=source
        )
    return Section("verdict", "Verdict", body)


def _drawable(item: dict[str, Any]) -> bool:
    return item.get("lower") is not None and bool(item.get("margin"))


def _in_margins(name: str, item: dict[str, Any]) -> plots.Bar:
    center, lower, upper = (item[key] / item["margin"] for key in ("center", "lower", "upper"))
    return plots.Bar(name, center, lower, upper, item["verdict"])


def _beyond_limit(name: str, item: dict[str, Any]) -> list[plots.Bar]:
    """Draw distances to the limits, cut off where the metric's range ends."""
    bars = []
    for which, side in item["sides"].items():
        if side.get("lower") is None:
            continue
        lower, upper = side["lower"], side["upper"]
        if (between := item.get("likely_between")) and which in {"at_least", "at_most"}:
            ends = sorted(end - item["low"] if which == "at_least" else item["high"] - end for end in between)
            lower, upper = max(lower, ends[0]), min(upper, ends[1])
        bars.append(plots.Bar(name, min(max(side["center"], lower), upper), lower, upper, side["verdict"]))
    return bars


def metrics(facts: Facts, _params: ReportParams) -> Section:
    """Every metric by question type, worst type visible; what was not scored is counted."""
    scores = facts.tables["scores"]
    if scores is None:
        return Section("metrics", "Metrics", page.paragraph("Not measured: run `llmops evaluate`."))
    table = metric_table(scores)
    kinds = [name for name in table.columns if name not in {"metric", "all", "answers", "unscored"}]
    kinds = [name for name in kinds if not name.startswith(CHALLENGES)]
    columns = ["metric", "all", *kinds, "answers", "unscored"]
    rows = table[columns].astype(object).where(table[columns].notna(), None).values.tolist()
    guardrails = (facts.json["verdict"] or {}).get("guardrails", {})
    body = page.table(columns, rows, source="data/evaluate/scores.parquet") + _challenges(scores)
    body += "<h3>Guardrails</h3>" + page.table(
        ["metric", "mean", "likely between", "low", "high", "unit", "verdict", "owner", "review by", "review"],
        [
            [name, item["mean"], _between(item), _bound(item, "low"), _bound(item, "high"), item.get("unit"),
             item["verdict"], item.get("owner"), item.get("review_by"), item["review"]]
            for name, item in sorted(guardrails.items())
        ],
        source="data/evaluate/verdict.json",
    )  # fmt: skip
    return Section("metrics", "Metrics and guardrails", body)


def _challenges(scores: "pd.DataFrame") -> str:
    """Attacks, traps and pairs: the mean of the one metric that scores each kind; empty without any."""
    asked = scores[scores["question_type"].str.startswith(CHALLENGES)].dropna(subset=["score"])
    found = asked.groupby(["question_type", "metric"])["score"].agg(["mean", "size"]).round(4).reset_index()
    rows = [[kind.removeprefix(CHALLENGES), *rest] for kind, *rest in found.astype(object).values.tolist()]
    table = page.table(["kind", "metric", "mean", "answers"], rows, source="data/evaluate/scores.parquet")
    return f"<h3>Challenges</h3>{table}" if rows else ""


def _between(item: dict[str, Any]) -> str:
    between = item.get("likely_between")
    return "not known" if between is None else f"{between[0]:.4g} to {between[1]:.4g}"


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

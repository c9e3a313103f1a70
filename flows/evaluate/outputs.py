"""Shape what a judgement is written as: verdict, flat metrics, metrics by type, worst questions."""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from flows.evaluate.decide import Judgement
from flows.evaluate.gateplan import Offer
from flows.evaluate.paragraph import Names, mean_bounds, paragraph
from flows.evaluate.params import EvaluateParams
from flows.evaluate.registry import metric_of

if TYPE_CHECKING:
    import pandas as pd

DIGITS = 6


def verdict_json(
    release: str,
    baseline: str | None,
    found: Judgement,
    params: EvaluateParams,
    *,
    cost_usd: float | None,
    overdue: Mapping[str, str],
    notes: list[str],
    evidence: Offer,
    names: Names | None = None,
    further: Sequence[str] = (),
    alpha_total: float | None = None,
    judges: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return the content of `verdict.json`.

    Args:
        release: Id of the release or target on trial.
        baseline: Id of what it was compared with; None = nothing.
        found: What was found.
        params: Section `evaluate`, with the level that was used.
        cost_usd: Of the candidate's answers; None = unknown.
        overdue: State of guardrails whose review is overdue.
        notes: Sentences about how it was measured.
        evidence: What would decide metrics that are inconclusive.
        names: How both sides are called; None = releases by their ids.
        further: Sentences that follow in the paragraph.
        alpha_total: Error over all looks that may be taken; None = that of `params`.
        judges: What each judge is worth, by name.
    """
    said = paragraph(names or Names.of_releases(release, baseline), found, params, overdue, alpha_total=alpha_total)
    judged = {name: verdict.to_json() for name, verdict in found.result.metrics.items()}
    return {
        "release_id": release,
        "baseline_release_id": baseline,
        "verdict": found.result.verdict,
        "paragraph": " ".join([said, *further, *_to_decide(evidence)]),
        "metrics": {name: value | {"margin": params.margin(name)} for name, value in judged.items() if ":" not in name},
        "informed": {name: verdict.to_json() for name, verdict in found.informed.items()},
        "guardrails": {name: _guardrail(name, judged, found, params, overdue) for name in params.guardrails},
        "means": {name: round(mean, DIGITS) for name, mean in found.means.items()},
        "not_measured": list(found.not_measured),
        "not_compared": list(found.costs_nothing),
        "n_questions": found.n_questions,
        "n_documents": found.n_documents,
        "alpha": params.alpha,
        "cost_usd": cost_usd,
        "notes": notes,
        "evidence": evidence.to_json() if evidence.known else None,
        "judges": dict(judges or {}),
    }


def _to_decide(evidence: Offer) -> list[str]:
    return [f"To decide: {evidence.sentence()}"] if evidence.known else []


def _guardrail(
    name: str, judged: Mapping[str, Any], found: Judgement, params: EvaluateParams, overdue: Mapping[str, str]
) -> dict[str, Any]:
    sides = {key.partition(":")[2]: value for key, value in judged.items() if key.startswith(f"{name}:")}
    order = ("invalid", "fail", "inconclusive", "pass")
    return params.guardrails[name].model_dump(mode="json") | {
        "mean": found.means.get(name),
        "likely_between": _likely(name, found, params),
        "verdict": min((side["verdict"] for side in sides.values()), key=order.index),
        "review": overdue.get(name, "in time"),
        "sides": sides,
    }


def _likely(name: str, found: Judgement, params: EvaluateParams) -> list[float] | None:
    """Return between which values the guarded mean lies, cut off at the metric's range; None = not known."""
    rail = params.guardrails[name]
    for side, limit in (("at_least", rail.low), ("at_most", rail.high)):
        verdict = found.result.metrics.get(f"{name}:{side}")
        if verdict is not None and limit is not None and not verdict.effect.problem:
            bounds = [round(bound, DIGITS) for bound in mean_bounds(name, verdict.effect, side, limit)]
            return bounds if all(map(math.isfinite, bounds)) else None  # too few documents have no bounds
    return None


def flat_metrics(scores: "pd.DataFrame") -> dict[str, float]:
    """Return means by name, `metric` over all and `type.metric` by question type, for `dvc metrics diff`."""
    scored = scores.dropna(subset=["score"])
    overall = {name: rows["score"].mean() for name, rows in scored.groupby("metric")}
    typed = {
        f"{kind}.{name}": rows["score"].mean() for (kind, name), rows in scored.groupby(["question_type", "metric"])
    }
    return {str(name): round(float(value), DIGITS) for name, value in sorted((overall | typed).items())}


def by_type(scores: "pd.DataFrame") -> "pd.DataFrame":
    """Return mean and number of answers per question type and metric that lies between 0 and 1."""
    shares = [name for name in scores["metric"].unique() if metric_of(name).kind == "bounded"]
    scored = scores[scores["metric"].isin(shares)].dropna(subset=["score"])
    groups = scored.groupby(["question_type", "metric"])["score"]
    return groups.agg(mean="mean", n="size").round(DIGITS).reset_index()


def worst_questions(
    candidate: "pd.DataFrame", baseline: "pd.DataFrame | None", questions: "pd.DataFrame", params: EvaluateParams
) -> list[dict[str, Any]]:
    """Return the questions on which the candidate lost most, or stands lowest when there is no baseline.

    A question's value is its mean over the gated metrics between 0 and 1; equal ones in order of id.
    """
    ours = _question_means(candidate, params)
    theirs = None if baseline is None else _question_means(baseline, params)
    losses = (ours if theirs is None else ours - theirs).dropna()
    worst = losses.sort_index(kind="stable").sort_values(kind="stable").head(params.worst_questions)
    rows = questions.set_index("question_id")
    return [
        {
            "question_id": name,
            "question": rows.loc[name, "question"],
            "question_type": rows.loc[name, "question_type"],
            "candidate_mean": round(float(ours[name]), DIGITS),
            "baseline_mean": None if theirs is None else round(float(theirs[name]), DIGITS),
        }
        for name in worst.index
    ]


def _question_means(scores: "pd.DataFrame", params: EvaluateParams) -> "pd.Series[float]":
    shares = [name for name in params.gated_metrics if metric_of(name).kind == "bounded"]
    return scores[scores["metric"].isin(shares)].groupby("question_id")["score"].mean()

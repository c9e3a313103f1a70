"""Judge a candidate: in pairs against production, and by itself against the guardrails.

Both go through the same function of `flows.stats` and into one verdict. A metric that could not be
measured is listed; it blocks only when a guardrail asks for it, because a guardrail that nobody
can check does not hold. A guardrail whose review is overdue beyond the grace period is no
guardrail any more: the gate is invalid until somebody looks at it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Literal

from flows.evaluate.cases import NOT_APPLICABLE, NOT_MEASURED
from flows.evaluate.params import EvaluateParams, Guardrail
from flows.evaluate.registry import metric_of
from flows.stats.effects import Effect, Scores, absolute_effect, paired_effect
from flows.stats.gate import GatePolicy, GateResult, MetricVerdict, combine, judge
from flows.stats.scores import FloatArray

if TYPE_CHECKING:
    import pandas as pd

Side = Literal["at_least", "at_most"]


@dataclass(frozen=True)
class Judgement:
    """What was found.

    Args:
        result: The gate over gated metrics and guardrails, keyed by metric, or `metric:at_least` and
            `metric:at_most` for guardrails, `metric:review` for one that is long overdue.
        informed: Verdicts of metrics that inform and do not decide.
        means: Mean score per measured metric of the candidate.
        not_measured: Metrics without a single score.
        costs_nothing: Gated ratio metrics whose totals are zero on both sides: nothing to compare.
        n_questions: Questions the candidate was asked.
        n_documents: Documents they are about.
    """

    result: GateResult
    informed: dict[str, MetricVerdict]
    means: dict[str, float]
    not_measured: tuple[str, ...]
    costs_nothing: tuple[str, ...]
    n_questions: int
    n_documents: int


def decide(
    candidate: "pd.DataFrame",
    baseline: "pd.DataFrame | None",
    params: EvaluateParams,
    *,
    today: date,
    further: Mapping[str, MetricVerdict] | None = None,
) -> Judgement:
    """Judge the candidate's scores.

    Args:
        candidate: Table `scores` of the release on trial.
        baseline: Table `scores` of production on the same questions; None = nothing is in production.
        params: Metrics, margins, guardrails.
        today: Decides which guardrail reviews are overdue.
        further: Verdicts of other checks that decide too.
    """
    policy = GatePolicy(
        alpha=params.alpha, documents_min=params.documents_min, missing_share_max=params.missing_share_max
    )
    ours = by_metric(candidate)
    theirs = {} if baseline is None else by_metric(baseline)
    compared = {} if baseline is None else _compare(ours, theirs, params, policy)
    idle = tuple(name for name in params.gated_metrics if name in compared and _both_zero(compared[name]))
    gated = {name: compared[name] for name in params.gated_metrics if name in compared and name not in idle}
    rails = {key: verdict for name in params.guardrails for key, verdict in _guard(name, ours, params, policy, today)}
    asked = candidate.drop_duplicates("question_id")
    return Judgement(
        result=combine(gated | rails | dict(further or {}), policy),
        informed={name: verdict for name, verdict in compared.items() if name not in params.gated_metrics},
        means={name: float(known.mean()) for name, scores in ours.items() if len(known := _known(scores))},
        not_measured=tuple(name for name in params.known_metrics if name not in ours),
        costs_nothing=idle,
        n_questions=len(asked),
        n_documents=int(asked.loc[asked["document_id"] != asked["question_id"], "document_id"].nunique()),
    )


def _known(scores: Scores) -> FloatArray:
    known: FloatArray = scores.score[scores.score == scores.score]
    return known


def by_metric(frame: "pd.DataFrame") -> dict[str, Scores]:
    """Return the scores of every measured metric; rows a metric does not apply to are left out."""
    applicable = frame[frame["unscored_reason"] != NOT_APPLICABLE]
    found = {}
    for name, rows in applicable.groupby("metric", sort=False):
        measurable = ~rows["unscored_reason"].isin(NOT_MEASURED)
        if measurable.any():
            columns = (rows[column].to_numpy() for column in ("question_id", "document_id", "sample", "score"))
            found[str(name)] = Scores(*columns)
    return found


def _compare(
    ours: Mapping[str, Scores], theirs: Mapping[str, Scores], params: EvaluateParams, policy: GatePolicy
) -> dict[str, MetricVerdict]:
    verdicts = {}
    for name in params.known_metrics:
        spec = metric_of(name).spec(params.margin(name))
        if name in ours and name in theirs:
            effect = paired_effect(theirs[name], ours[name], spec, alpha=policy.alpha)
        elif name in theirs or (name in ours and not theirs):
            effect = Effect(0, 0, 0, 0, problem="not_evaluated")  # measured before and not any more, or no baseline
        else:
            continue
        verdicts[name] = judge(effect, spec.margin, policy)
    return verdicts


def _both_zero(verdict: MetricVerdict) -> bool:
    effect = verdict.effect
    return effect.problem == "non_positive_total" and effect.baseline_mean == effect.candidate_mean == 0


def _guard(
    name: str, ours: Mapping[str, Scores], params: EvaluateParams, policy: GatePolicy, today: date
) -> list[tuple[str, MetricVerdict]]:
    rail = params.guardrails[name]
    sides: tuple[tuple[Side, float | None], ...] = (("at_least", rail.low), ("at_most", rail.high))
    limits = [(side, limit) for side, limit in sides if limit is not None]
    found = [(f"{name}:{side}", _absolute(name, ours, side, limit, policy)) for side, limit in limits]
    if overdue_days(rail, today) > params.guardrail_grace_days:
        found.append((f"{name}:review", MetricVerdict(Effect(0, 0, 0, 0), "invalid", ("review_overdue",))))
    return found


def _absolute(name: str, ours: Mapping[str, Scores], side: Side, limit: float, policy: GatePolicy) -> MetricVerdict:
    if name not in ours:
        return MetricVerdict(Effect(0, 0, 0, 0), "invalid", ("not_measured",))
    metric = metric_of(name)
    spec = metric.spec(kind="unbounded" if metric.kind == "ratio" else metric.kind)
    return judge(absolute_effect(ours[name], spec, limit=limit, side=side, alpha=policy.alpha), 0.0, policy)


def overdue_days(rail: Guardrail, today: date) -> int:
    """Return how many days ago a guardrail should have been reviewed; 0 when it is not overdue."""
    return max((today - rail.review_by) // timedelta(days=1), 0)


def overdue(params: EvaluateParams, today: date) -> dict[str, str]:
    """Return the overdue guardrails: `overdue`, or `expired` beyond the grace period."""
    days = {name: overdue_days(rail, today) for name, rail in params.guardrails.items()}
    return {name: "expired" if n > params.guardrail_grace_days else "overdue" for name, n in days.items() if n}

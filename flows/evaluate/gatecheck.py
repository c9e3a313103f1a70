"""Judge two files of scores, whoever wrote them, by the gate that guards our own releases.

What the verdict cannot show is said in notes: defaults that were used, scores that are all equal,
rows without a score, metrics that were left out, too few documents. A metric that the config asks for
and nobody scored makes the gate invalid.
"""

from dataclasses import dataclass, replace

import numpy as np

from flows.core.errors import ContractError, did_you_mean
from flows.evaluate.gateconfig import DEFAULT_SPEC, GateConfig
from flows.evaluate.gatefile import ScoreFile
from flows.stats.effects import MetricSpec, Scores
from flows.stats.gate import GatePolicy, GateResult, gate
from flows.stats.scores import FloatArray
from flows.stats.sequential import LOOKS, look_levels

NOTHING = Scores([], [], [], [])  # type: ignore[arg-type]


@dataclass(frozen=True)
class Comparison:
    """The gate's answer and what it was made of."""

    result: GateResult
    specs: dict[str, MetricSpec]
    policy: GatePolicy  # with the alpha that was used, which at an early look is smaller than the config's
    notes: tuple[str, ...]  # sentences for people


@dataclass(frozen=True)
class LostQuestion:
    """A question on which the candidate lost, with its mean scores in the metric's own units."""

    question_id: str
    document_id: str
    metric: str
    baseline: float
    candidate: float  # NaN where there is no score


def compare(baseline: ScoreFile, candidate: ScoreFile, config: GateConfig, *, look: int | None = None) -> Comparison:
    """Judge the candidate.

    Args:
        baseline: Scores of the release in production, best with four samples per question.
        candidate: Scores of the release on trial.
        config: Metrics, margins, certainty.
        look: Number of the planned look (1 = a quarter of the documents), judged at its level, which is
            stricter than the config's alpha (`flows.stats.sequential`); None = there is but one.

    Raises:
        ContractError: A score outside its metric's range, a pair that stands twice, a question with
            two documents; the message names file and metric.
    """
    present = list(dict.fromkeys([*baseline.metrics, *candidate.metrics]))
    specs = config.specs(present)
    policy = config.policy
    if look is not None:
        policy = replace(policy, alpha=look_levels(LOOKS, config.alpha)[look - 1])
    before, after = (checked_scores(side, specs, config) for side in (baseline, candidate))
    unknown = [name for name in specs if name not in present]
    before |= dict.fromkeys(unknown, NOTHING)  # on one side only: the gate says `not_evaluated`
    result = gate(before, after, specs, policy)
    notes = [
        *_unknown(unknown, present),
        *_used(config, present),
        *_of_documents(result, policy),
        *(note for side in (baseline, candidate) for note in _of_file(side, specs)),
    ]
    return Comparison(result, specs, policy, tuple(notes))


def checked_scores(file: ScoreFile, specs: dict[str, MetricSpec], config: GateConfig) -> dict[str, Scores]:
    """Return the scores of each metric of `specs` that the file has, all within their ranges."""
    found = {name: file.scores(name) for name in file.metrics if name in specs}
    for name, scores in found.items():
        check_range(file.name, name, scores, specs[name], config)
    return found


def check_range(file_name: str, metric: str, scores: Scores, spec: MetricSpec, config: GateConfig) -> None:
    """Raise `ContractError` naming file, metric and rows whose score is outside the metric's range."""
    try:
        scores.refuse_outside(spec.low, spec.high)
    except ContractError as error:
        hint = (
            " Without --config every metric is read as 0..1: give a gate.yaml that says its kind."
            if config.metrics is None
            else ""
        )
        raise ContractError(f"{file_name}, metric {metric!r}: {error}{hint}") from None


def lost_questions(baseline: ScoreFile, candidate: ScoreFile, found: Comparison, n: int) -> list[LostQuestion]:
    """Return the `n` questions with the largest losses, in shares of each metric's largest loss.

    A missing answer counts as the worst score where there is one, as in the gate.
    """
    rows: list[tuple[float, LostQuestion]] = []
    for name, spec in found.specs.items():
        before, after = (_question_means(side, name, spec) for side in (baseline, candidate))
        documents = dict(zip(baseline.question_id.tolist(), baseline.document_id.tolist(), strict=True))
        scored = {q: mean for q, mean in before.items() if not np.isnan(mean)}
        worst = np.nan if spec.worst is None else spec.worst
        losses = {q: spec.sign * (mean - _known(after.get(q, np.nan), worst)) for q, mean in scored.items()}
        largest = max((loss for loss in losses.values() if loss > 0), default=0.0)
        rows += [
            (loss / largest, LostQuestion(q, documents[q], name, scored[q], after.get(q, np.nan)))
            for q, loss in losses.items()
            if loss > 0
        ]
    rows.sort(key=lambda row: (-row[0], row[1].metric, row[1].question_id))
    return [lost for _, lost in rows[:n]]


def _known(value: float, otherwise: float) -> float:
    return otherwise if np.isnan(value) else value


def _question_means(file: ScoreFile, metric: str, spec: MetricSpec) -> dict[str, float]:
    rows = file.metric == metric
    questions, code = np.unique(file.question_id[rows], return_inverse=True)
    scores: FloatArray = file.score[rows]
    answered = ~np.isnan(scores)
    counts = np.bincount(code[answered], minlength=len(questions))
    totals = np.bincount(code[answered], weights=scores[answered], minlength=len(questions))
    means = np.where(counts > 0, totals / np.maximum(counts, 1), np.nan)
    return dict(zip(questions.tolist(), means.tolist(), strict=True))


def _unknown(unknown: list[str], present: list[str]) -> list[str]:
    return [
        f"Metric {name!r} of the config is in neither file, so nothing was evaluated for it."
        f"{did_you_mean(name, present)} Score it or mend the name."
        for name in unknown
    ]


def _used(config: GateConfig, present: list[str]) -> list[str]:
    if config.metrics is None:
        return [
            f"No metrics were configured: each of {', '.join(present)} is read as {DEFAULT_SPEC.kind} "
            f"{DEFAULT_SPEC.low:g}..{DEFAULT_SPEC.high:g}, higher is better, tolerated loss {DEFAULT_SPEC.margin:g}."
        ]
    ignored = [name for name in present if name not in config.metrics]
    return [f"Not judged, because the config does not name them: {', '.join(ignored)}."] if ignored else []


def _of_documents(result: GateResult, policy: GatePolicy) -> list[str]:
    sizes = {metric.effect.n_documents for metric in result.metrics.values() if metric.effect.n_questions}
    if 1 in sizes:
        return [
            "All questions are about one document: nothing can be said about others. Ask about "
            f"{policy.documents_min} or more, or leave document_id empty if every question stands alone."
        ]
    few = [n for n in sizes if n < policy.documents_min]
    return [f"{min(few)} documents never decide; ask about {policy.documents_min} or more."] if few else []


def _of_file(file: ScoreFile, specs: dict[str, MetricSpec]) -> list[str]:
    notes = []
    for name in specs:
        scores = file.score[file.metric == name]
        missing = int(np.isnan(scores).sum())
        if missing:
            notes.append(f"{file.name}: {missing} of {len(scores)} scores of {name!r} are empty or NaN, so missing.")
        if len(scores) > 1 and missing < len(scores) and np.nanmin(scores) == np.nanmax(scores):
            notes.append(
                f"{file.name}: every score of {name!r} is {np.nanmax(scores):g}. If that is no surprise, all is well; "
                "otherwise check the scorer."
            )
    return notes

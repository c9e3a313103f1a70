"""Say what the gate found so that it can be repeated in a meeting: one paragraph and a table.

Differences are oriented so that above zero is better, and sentences say "better" or "worse": in points
(hundredths) for scores in 0..1, in percent for totals compared as a ratio, in the metric's own units otherwise.
"""

from collections.abc import Mapping, Sequence
from math import expm1, isfinite

from flows.evaluate.gatecheck import Comparison, LostQuestion
from flows.evaluate.nights import Series, alarmed
from flows.evaluate.operating import Curves, Point, Worlds
from flows.stats.ecusum import AlarmPolicy
from flows.stats.effects import MetricSpec
from flows.stats.gate import MetricVerdict

Texts = Mapping[str, Mapping[str, str]]  # column -> question id -> text

VERDICT_WORDS = {
    "pass": "the candidate passes: it is shown not to be worse by more than what is tolerated",
    "fail": "the candidate fails: it is shown to be worse",
    "inconclusive": "inconclusive: the data can neither clear the candidate nor convict it",
    "invalid": "invalid: nothing can be concluded, and that is not a pass",
}
FLAG_WORDS = {
    "no_common_questions": "no question was scored on both sides",
    "one_document": "all questions are about one document",
    "non_positive_total": "a total that is zero or negative has no ratio",
    "not_evaluated": "it was scored on one side only, or not at all",
    "too_many_missing": "too many answers are missing",
    "few_documents": "the questions are about too few documents",
    "small_drop_shown": "a small loss within the tolerance is shown",
    "fail_not_confirmed": "it looks worse, but not beyond what that many metrics show by chance",
}
HEADER = (
    "metric",
    "verdict",
    "baseline",
    "candidate",
    "change (+ is better)",
    "between",
    "tolerated",
    "questions",
    "docs",
    "missing",
)


def size(value: float, spec: MetricSpec, *, signed: bool = True) -> str:
    """Return a difference in words, such as `-1.2 points` or `+4.0%`; `-` when there is none."""
    if not isfinite(value):
        return "-"
    plus = "+" if signed else ""
    if spec.kind == "ratio":
        percent = 100 * expm1(value) if spec.higher_is_better else -100 * expm1(-value)
        return f"{percent + 0.0:{plus}.1f}%"
    if spec.kind == "bounded" and (spec.low, spec.high) == (0.0, 1.0):
        return f"{100 * value + 0.0:{plus}.1f} points"
    return f"{value + 0.0:{plus}.3g}"


def tolerated(spec: MetricSpec) -> str:
    """Return the margin as the loss it is."""
    return size(-spec.margin, spec).lstrip("-")


def paragraph(names: tuple[str, str], found: Comparison) -> str:
    """Return one paragraph: the verdict, what it rests on, and how sure it is.

    Args:
        names: Of the baseline's and the candidate's file.
        found: The gate's answer.
    """
    result = found.result
    largest = max((metric.effect for metric in result.metrics.values()), key=lambda e: e.n_questions, default=None)
    asked = (
        f" {largest.n_questions} questions about {largest.n_documents} document(s) were compared." if largest else ""
    )
    blocking = {name: m for name, m in result.metrics.items() if m.verdict == result.verdict != "pass"}
    reasons = [reason(name, metric, found.specs[name]) for name, metric in list(blocking.items())[:3]]
    more = f"Likewise {', '.join(list(blocking)[3:])}." if len(blocking) > 3 else ""
    head = f"{names[1]} against {names[0]}: {VERDICT_WORDS[result.verdict]}.{asked}"
    return " ".join(part for part in (head, *reasons, more, _passed(found)) if part)


def reason(name: str, metric: MetricVerdict, spec: MetricSpec) -> str:
    """Return why a metric has not passed, in one sentence."""
    flags = [FLAG_WORDS.get(flag, flag) for flag in metric.flags]
    if metric.verdict == "invalid":
        return f"{name}: {', '.join(flags)}."
    known = "is shown to be worse" if metric.verdict == "fail" else "is not shown to be good enough"
    remark = f" ({', '.join(flags)})" if flags else ""
    return f"{name} {known}: {interval(metric, spec)}, tolerated loss {tolerated(spec)}{remark}."


def interval(metric: MetricVerdict, spec: MetricSpec) -> str:
    """Return `1.2 points worse, between 3.0 points worse and 0.6 points better`, for less can be better too."""
    effect = metric.effect
    low, mid, high = (_told(value, spec) for value in (effect.lower, effect.effect, effect.upper))
    return f"{mid}, between {low} and {high}"


def _told(value: float, spec: MetricSpec) -> str:
    if not isfinite(value):
        return "unknown"
    shown = size(value, spec).lstrip("+-")
    if shown == size(0.0, spec, signed=False):
        return "unchanged"
    return f"{shown} {'better' if value > 0 else 'worse'}"


def _passed(found: Comparison) -> str:
    good = {name: metric for name, metric in found.result.metrics.items() if metric.verdict == "pass"}
    if not good:
        return ""
    sure = f"{100 * (1 - found.policy.alpha):.3g}"
    nearest = min(good, key=lambda name: _reserve(good[name], found.specs[name]))
    closest = f"closest is {nearest}, {interval(good[nearest], found.specs[nearest])}"
    return (
        f"{len(good)} of {len(found.result.metrics)} metrics are shown to lose no more than tolerated "
        f"({sure}% sure of each; {closest})."
    )


def _reserve(metric: MetricVerdict, spec: MetricSpec) -> float:
    """Distance of the lower bound to the margin, in standard errors."""
    ahead = metric.effect.lower + spec.margin
    return ahead / metric.effect.se if metric.effect.se > 0 else float("inf")


def table(found: Comparison) -> list[str]:
    """Return the aligned lines of the table: a header and one line per metric."""
    rows = [HEADER, *(_row(name, metric, found.specs[name]) for name, metric in found.result.metrics.items())]
    return aligned(rows)


def _row(name: str, metric: MetricVerdict, spec: MetricSpec) -> tuple[str, ...]:
    effect = metric.effect
    return (
        name, metric.verdict, number(effect.baseline_mean), number(effect.candidate_mean), size(effect.effect, spec),
        f"{size(effect.lower, spec)} .. {size(effect.upper, spec)}", tolerated(spec),
        str(effect.n_questions), str(effect.n_documents), str(effect.n_missing),
    )  # fmt: skip


def worst_table(lost: list[LostQuestion], baseline: Texts, candidate: Texts) -> list[str]:
    """Return the lines on the worst questions, each with its words and both answers where the files have them."""
    rows = [("question", "document", "metric", "baseline", "candidate")]
    rows += [(q.question_id, q.document_id, q.metric, number(q.baseline), number(q.candidate)) for q in lost]
    header, *lines = aligned(rows)
    found = [header]
    for question, line in zip(lost, lines, strict=True):
        asked, *said = (
            " ".join(side.get(column, {}).get(question.question_id, "").split())
            for side, column in ((baseline, "question"), (baseline, "answer"), (candidate, "answer"))
        )
        found += [line, *([f"    asked     {asked}"] if asked else [])]
        found += [f"    {side:<9} {text}" for side, text in zip(("baseline", "candidate"), said, strict=True) if text]
    return found


def number(value: float) -> str:
    """Return a number in four digits, `-` where there is none."""
    return f"{value:.4g}" if isfinite(value) else "-"


def aligned(rows: Sequence[tuple[str, ...]]) -> list[str]:
    """Return the rows as lines with columns of one width, the first two to the left."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return [
        "  ".join(
            f"{cell:<{w}}" if i < 2 else f"{cell:>{w}}" for i, (cell, w) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    ]


def nights_table(found: Sequence[Series], policy: AlarmPolicy) -> list[str]:
    """Return a sentence and one line per metric and night."""
    rows = [("metric", "night", "change", "se", "evidence", "")]
    for series in found:
        for number_of_night, night, _ in series.nights:
            evidence = f"{night.log_e_cusum:.2f}"
            rows.append((
                series.metric, str(number_of_night), number(night.center), number(night.se), evidence,
                "ALARM" if night.alarm else "",
            ))  # fmt: skip
    late = alarmed(found)
    head = (
        f"{'The newest night alarms: ' + ', '.join(late) if late else 'The newest night is calm'}. An alarm is "
        f"evidence of {policy.threshold(len(found)):.2f} or more: about one false alarm in "
        f"{policy.days_per_false_alarm} nights over all metrics."
    )
    return [head, "", *aligned(rows)]


def curves_table(found: Curves, specs: Mapping[str, MetricSpec], how: Worlds) -> list[str]:
    """Return a sentence and one line per metric and loss, each chance with its Monte Carlo error."""
    rows: list[tuple[str, ...]] = [("metric", "true loss", "fail", "pass", "inconclusive")]
    for name, points in found.metrics.items():
        rows += [(name, size(-point.drop, specs[name]).lstrip("-+"), *_chances(point)) for point in points]
    rows.append(("all together", "none", *_chances(found.release)))
    head = (
        f"{how.runs} simulated worlds of your own documents and answers (seed {how.seed}); "
        f"a loss sits in {how.broken_share:.0%} of the documents."
    )
    return [head, "", *aligned(rows)]


def simulation_notes(found: Curves) -> list[str]:
    """Return what limits a simulation: metrics whose noise cannot be known from these rows."""
    single = [name for name, samples in found.samples.items() if samples < 2]
    noise = (
        f"{', '.join(single)}: one sample per question shows no noise between repeats, so the curves are too good. "
        "Measure the baseline four times."
    )
    return [noise] if single else []


def _chances(point: Point) -> tuple[str, ...]:
    return tuple(f"{point.chances[name]:.3f} ±{point.errors[name]:.3f}" for name in point.chances)

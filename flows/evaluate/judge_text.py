"""Say in plain words what a calibration, or a run of a judge, has shown."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from flows.evaluate.judge_agreement import Agreement, Interval, Stability
from flows.evaluate.judge_calibrate import Calibrated
from flows.evaluate.judging import Judged

WORDS = ((0.6, "good agreement"), (0.4, "moderate agreement"), (0.2, "little agreement"))  # Landis & Koch (1977)


def calibration_lines(found: Calibrated) -> Iterator[str]:
    """Yield what to print for a person: the verdict first, then the numbers."""
    verdict = "may decide" if found.trust.may_gate else "informs only"
    yield f"Judge {found.record.judge!r} {verdict}: {found.trust.why}."
    yield ""
    yield from _agreement_lines(found.agreement)
    yield from stability_lines(found.stability)
    if found.record.anchors:
        yield f"anchors right     {found.record.anchors_right} of {found.record.anchors}"
    yield ""
    yield from _confusion_lines(found.agreement.confusion)
    yield ""
    yield from _means_lines(found.agreement)


def _agreement_lines(found: Agreement) -> Iterator[str]:
    unscored = f", {found.labels_unscored} more labelled and unscored" if found.labels_unscored else ""
    yield f"labels            {found.labels} about {found.documents} documents{unscored}"
    yield f"kappa             {found.kappa}: {_word(found.kappa.estimate)}"
    if found.weighted_kappa is not None:
        yield f"weighted kappa    {found.weighted_kappa}, a near miss counts less"
    yield f"bias              {signed(found.bias)}, judge minus people"
    if np.isfinite(found.bias_short) and np.isfinite(found.bias_long):
        halves = f"{found.bias_short:+.2f} in the shorter half of the answers, {found.bias_long:+.2f} in the longer"
        yield f"bias by length    {signed(found.bias_length)}: {halves}"


def stability_lines(found: Stability) -> Iterator[str]:
    """Yield flips, position bias and self-agreement, where the judge was asked twice."""
    if found.flips is not None:
        yield f"flips             {found.flips}, share of pairs whose two orders disagree (then a tie)"
    if found.first_preferred is not None:
        yield f"first preferred   {found.first_preferred}; 0.50 = no position bias"
    if found.self_agreement is not None:
        yield f"self-agreement    {found.self_agreement}, between repeats"


def _word(kappa: float) -> str:
    if not np.isfinite(kappa):
        return "labels or scores are all equal"
    return next((word for limit, word in WORDS if kappa >= limit), "no useful agreement")


def signed(found: Interval) -> str:
    """Return an interval with signs: `+0.12 (+0.03 to +0.21)`."""
    if not np.isfinite(found.estimate):
        return "undefined"
    return f"{found.estimate:+.2f}" + (f" ({found.low:+.2f} to {found.high:+.2f})" if np.isfinite(found.low) else "")


def _confusion_lines(table: dict[str, dict[str, int]]) -> Iterator[str]:
    levels = list(next(iter(table.values())))
    yield "people \\ judge" + "".join(f"{level:>7}" for level in levels)
    for label, row in table.items():
        yield f"{label:>14}" + "".join(f"{row[level]:>7}" for level in levels)


def _means_lines(found: Agreement) -> Iterator[str]:
    yield f"mean of {found.answers} answers by the judge alone {found.naive}, corrected by the labels {found.corrected}"
    yield f"with the judge the labels tell as much as {found.label_gain:.2f} times as many without it"


def run_lines(found: Judged, stable: Stability) -> Iterator[str]:
    """Yield a summary of a run over a file."""
    scored = [one.score for one in found.judgements if one.score is not None]
    mean = f"mean {np.mean(scored):.3f}" if scored else "no score"
    yield f"{found.judge.metric}: {len(scored)} of {len(found.judgements)} answers scored, {mean}"
    reasons = [one.unscored_reason for one in found.judgements if one.unscored_reason]
    for reason in sorted(set(reasons)):
        yield f"unscored          {reasons.count(reason)} {reason}"
    yield from stability_lines(stable)
    if found.anchors:
        failed = f"{found.batches_failed} of {found.batches} batches unscored"
        yield f"anchors right     {found.anchors_right} of {found.anchors}; {failed}"


def rows_of(found: Judged) -> list[dict[str, Any]]:
    """Return one row per answer in the columns that `llmops gate` and `judge calibrate --scores` read."""
    return [
        {
            "question_id": one.item.question_id,
            "document_id": one.item.document,
            "sample": one.item.sample,
            "metric": found.judge.metric,
            "score": one.score,
            "unscored_reason": one.unscored_reason,
            "flips": sum(a != b for a, b in one.orders if None not in (a, b)) if one.orders else None,
            "reason": one.said,
        }
        for one in found.judgements
    ]

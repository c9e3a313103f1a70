"""Let a judge decide only what its calibration allows, and say so beside the verdict.

A gated judge without a sufficient calibration of exactly its prompt and model neither passes nor blocks: it leaves
the gate and the guardrails and informs. Where labels exist, the candidate's mean stands beside the same mean
corrected by them (PPI++), which assumes that the judge errs on these answers as it did on the labelled ones.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from flows.core.project import Project
from flows.evaluate.cases import NOT_APPLICABLE
from flows.evaluate.judge_agreement import Interval, corrected_mean, naive_mean
from flows.evaluate.judge_records import Trust, trust
from flows.evaluate.judge_stage import shown_of
from flows.evaluate.judges import Judge, load_judges
from flows.evaluate.params import EvaluateParams

if TYPE_CHECKING:
    import pandas as pd

SCORES_MIN = 2  # answers without which there is no mean with an interval


@dataclass(frozen=True)
class Standing:
    """One judge of an evaluation."""

    judge: Judge
    trust: Trust
    wanted: bool  # params ask it to decide, as a gated metric or by a guardrail

    @property
    def demoted(self) -> bool:
        """Whether it was to decide and may not."""
        return self.wanted and not self.trust.may_gate

    @property
    def calibration_id(self) -> str | None:
        """Id of the calibration that fits this judge."""
        return self.trust.record.calibration_id if self.trust.record else None


def standings(project: Project, params: EvaluateParams, chat_model: str) -> list[Standing]:
    """Return every judge of params.yaml with what it may do."""
    return [
        Standing(judge, trust(project, judge, params), judge.metric in {*params.gated_metrics, *params.guardrails})
        for judge in load_judges(project, params, chat_model)
    ]


def trusted_only(params: EvaluateParams, judges: Sequence[Standing]) -> EvaluateParams:
    """Return the params with the judges that may not decide taken out of gate and guardrails."""
    out = {one.judge.metric for one in judges if one.demoted}
    return params.model_copy(
        update={
            "gated_metrics": tuple(name for name in params.gated_metrics if name not in out),
            "guardrails": {name: rail for name, rail in params.guardrails.items() if name not in out},
        }
    )


@dataclass(frozen=True)
class Report:
    """What is written about one judge beside the verdict."""

    standing: Standing
    mean: Interval  # of the candidate, by the judge alone
    corrected: Interval | None  # the same corrected by labels; None without a calibration that fits
    unscored: int
    shown: dict[str, Any]

    def to_json(self) -> dict[str, Any]:
        """Return the fields as JSON holds them."""
        judge, known = self.standing.judge, self.standing.trust
        return {
            "metric": judge.metric,
            **judge.identity,
            "decides": self.standing.wanted and known.may_gate,
            "may_gate": known.may_gate,
            "why": known.why,
            "calibration_id": self.standing.calibration_id,
            "mean": self.mean.to_json(),
            "corrected_mean": self.corrected and self.corrected.to_json(),
            "unscored": self.unscored,
            **self.shown,
        }

    def sentences(self) -> list[str]:
        """Return what a person must know of it."""
        name, known = self.standing.judge.metric, self.standing.trust
        role = "decides" if self.standing.wanted else "informs, and could decide"
        if self.standing.demoted:
            role = "was to decide and only informs"
        elif not known.may_gate:
            role = "informs"
        said = [f"{name} {role}: {known.why}."]
        if self.shown.get("batches_failed"):
            missed = self.shown["anchors"] - self.shown["anchors_right"]
            said.append(
                f"It missed {missed} of {self.shown['anchors']} anchors, so {self.shown['batches_failed']} of "
                f"{self.shown['batches']} batches are unscored."
            )
        if np.isfinite(self.mean.estimate):
            corrected = f", corrected by labels {self.corrected}" if self.corrected else ""
            said.append(f"Its mean is {self.mean}{corrected}.")
        if self.shown.get("flips"):
            said.append(f"Its two orders disagree in {100 * self.shown['flips']['estimate']:.0f} % of pairs.")
        return said


def reports(project: Project, judges: Sequence[Standing], release_id: str, scores: "pd.DataFrame") -> list[Report]:
    """Return what to say of every judge about the candidate's scores."""
    if not judges:
        return []
    shown = shown_of(project, release_id)
    return [_report(one, scores, shown.get(one.judge.name, {})) for one in judges]


def _report(one: Standing, scores: "pd.DataFrame", shown: dict[str, Any]) -> Report:
    rows = scores[scores["metric"] == one.judge.metric]
    known = rows["score"].dropna().to_numpy(dtype=float)
    unscored = int((rows["score"].isna() & (rows["unscored_reason"] != NOT_APPLICABLE)).sum())
    if len(known) < SCORES_MIN:
        return Report(one, Interval(np.nan), None, unscored, shown)
    record = one.trust.record
    corrected = corrected_mean(*record.arrays(), known)[0] if record else None
    return Report(one, naive_mean(known), corrected, unscored, shown)

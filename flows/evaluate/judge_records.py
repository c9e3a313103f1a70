"""Calibration records: what people's labels showed about a judge, and whether it may therefore decide.

`data/evaluate/judges/<judge>.json` holds one calibration. Its id is the hash of the judge's identity (prompt version,
model, way of asking), of the labels and of what came out, so a record cannot vouch for another judge and an edit is
noticed. It holds numbers only, no texts: labels and scores stay, because they correct later means.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from flows.core.errors import LlmopsError
from flows.core.files import read_json, write_json
from flows.core.ids import content_id
from flows.core.project import Project
from flows.evaluate.judge_agreement import Agreement, Rated, Stability
from flows.stats.judges import JudgePolicy
from flows.stats.scores import FloatArray

if TYPE_CHECKING:
    from flows.evaluate.judges import Judge
    from flows.evaluate.params import EvaluateParams

REMEDY = "Run `llmops judge calibrate`"
RECORDED = "recorded"  # the identity of a judge whose decisions came in a file: its hash


@dataclass(frozen=True)
class Calibration:
    """One calibration, as it is stored."""

    calibration_id: str
    judge: str
    identity: Mapping[str, Any]
    labels_sha256: str
    calibrated_on: str  # day, UTC; no part of the id
    agreement: Mapping[str, Any]
    stability: Mapping[str, Any]
    anchors: int
    anchors_right: int
    label: Sequence[float]  # of the answers with both
    judged: Sequence[float]

    @property
    def labels(self) -> int:
        """Answers with a label by people and a score by the judge."""
        return len(self.label)

    @property
    def kappa(self) -> tuple[float, float]:
        """Kappa and its lower bound; NaN where undefined."""
        found = self.agreement["kappa"]
        return tuple(np.nan if found[name] is None else float(found[name]) for name in ("estimate", "low"))  # type: ignore[return-value]

    @property
    def intact(self) -> bool:
        """Whether the content is what its id was made of."""
        return self.calibration_id == _id(self)

    def arrays(self) -> tuple[FloatArray, FloatArray]:
        """Return labels and scores of the same answers."""
        return np.array(self.label, dtype=float), np.array(self.judged, dtype=float)


def calibration(
    judge: str,
    identity: Mapping[str, Any],
    rated: Rated,
    found: tuple[Agreement, Stability],
    *,
    labels_sha256: str,
    anchors: tuple[int, int] = (0, 0),
    day: str,
) -> Calibration:
    """Return the record of a calibration; `anchors` are how many were asked, and how many of them were right."""
    both = np.isfinite(rated.label) & np.isfinite(rated.score)
    blank = Calibration(
        "", judge, dict(identity), labels_sha256, day, found[0].to_json(), found[1].to_json(), *anchors,
        rated.label[both].tolist(), rated.score[both].tolist(),
    )  # fmt: skip
    return Calibration(**asdict(blank) | {"calibration_id": _id(blank)})


def _id(record: Calibration) -> str:
    parts = {name: value for name, value in asdict(record).items() if name not in {"calibration_id", "calibrated_on"}}
    return content_id("calibration", parts)


def record_file(project: Project, judge: str) -> Path:
    """Return where a judge's calibration lies."""
    return project.data("evaluate", "judges", f"{judge}.json")


def write_calibration(project: Project, record: Calibration) -> Path:
    """Store a calibration in the place of the judge's last one."""
    path = record_file(project, record.judge)
    write_json(path, asdict(record))
    return path


def read_calibration(project: Project, judge: str) -> Calibration | None:
    """Return the judge's calibration; None where there is none that can be read."""
    path = record_file(project, judge)
    if not path.exists():
        return None
    try:
        return Calibration(**read_json(path, remedy=REMEDY))
    except (LlmopsError, TypeError):
        return None


@dataclass(frozen=True)
class Trust:
    """Whether a judge may decide, and why not; `record` is its calibration where it fits the judge."""

    may_gate: bool
    why: str
    record: Calibration | None = None


def trust(project: Project, judge: "Judge", params: "EvaluateParams") -> Trust:
    """Return whether a judge may pass or block releases: by a calibration of exactly this judge that suffices."""
    record = read_calibration(project, judge.name)
    if record is None:
        unread = record_file(project, judge.name).exists()
        return Trust(False, "its calibration record is damaged" if unread else "it is not calibrated")
    if not record.intact:
        return Trust(False, "its calibration record was changed by hand")
    known = record.identity
    if RECORDED in known:
        return Trust(False, "its calibration is of decisions recorded elsewhere, not of this prompt and model")
    differs = [name for name, value in judge.identity.items() if known.get(name) != value]
    if differs:
        was = ", ".join(f"{name} {known.get(name)!r}, now {judge.identity[name]!r}" for name in differs)
        return Trust(False, f"it was calibrated as another judge ({was})")
    return sufficient(record, params)


def sufficient(record: Calibration, params: "EvaluateParams") -> Trust:
    """Return whether a calibration shows enough agreement, on enough labels."""
    kappa, low = record.kappa
    if JudgePolicy(params.judge_labels_min, params.judge_kappa_min).may_gate(record.labels, kappa, low):
        return Trust(True, f"kappa {kappa:.2f} on {record.labels} labels", record)
    if record.labels < params.judge_labels_min:
        return Trust(False, f"it has {record.labels} of {params.judge_labels_min} labels it needs", record)
    if np.isnan(kappa):
        return Trust(False, "its kappa is undefined: labels or scores are all equal", record)
    if kappa < params.judge_kappa_min:
        return Trust(False, f"its kappa {round(kappa, 2) + 0.0:.2f} is below {params.judge_kappa_min:g}", record)
    return Trust(False, f"its kappa {kappa:.2f} is not shown to be above chance", record)

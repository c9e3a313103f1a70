"""Calibrate a judge: hold its scores against people's labels, and keep what that showed.

The judge is asked about every row of the labels file; rows without a label take part in the corrected mean. Where
the judge's decisions exist already (`--scores`), they are read and nothing is asked: any tool's judge can be held
against people in the same way.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from flows.core.clock import Clock, utc_now
from flows.core.errors import ContractError, first_three
from flows.core.files import sha256_file
from flows.core.progress import Progress, silent
from flows.core.project import Project
from flows.evaluate.judge_agreement import Agreement, Rated, Stability, agreement, stability
from flows.evaluate.judge_anchors import own_anchors
from flows.evaluate.judge_files import Recorded, read_items, read_labels, read_recorded
from flows.evaluate.judge_items import Item, Judgement
from flows.evaluate.judge_records import RECORDED, Calibration, Trust, calibration, sufficient
from flows.evaluate.judges import Judge, load_judge, named
from flows.evaluate.judging import Judged, judge_items
from flows.evaluate.params import EvaluateParams, JudgeParams
from flows.provider.client import open_provider
from flows.provider.local.catalog import is_local
from flows.stats.scores import FloatArray

LEVELS_MAX = 12  # more different scores are no categories: kappa needs a cut


@dataclass(frozen=True)
class Calibrated:
    """The outcome of a calibration."""

    record: Calibration
    agreement: Agreement
    stability: Stability
    trust: Trust
    notes: tuple[str, ...]
    cost_usd: float | None = 0.0
    calls: int = 0


@dataclass(frozen=True)
class Asking:
    """How a judge is asked when it is named on the command line."""

    name: str
    model: str | None = None  # instead of the one in params.yaml
    repeats: int | None = None  # likewise
    max_usd: float | None = None

    def spec(self, project: Project, params: EvaluateParams) -> tuple[str, JudgeParams]:
        """Return the judge's name and its settings."""
        name, spec = named(project, params, self.name)
        changes = {key: value for key in ("model", "repeats") if (value := getattr(self, key)) is not None}
        return name, JudgeParams.model_validate(spec.model_dump() | changes)


@dataclass(frozen=True)
class Answered:
    """What a judge said about a file, the labels in it (empty unless they were asked for), and what that took."""

    judged: Judged
    labels: FloatArray
    cost_usd: float | None
    calls: int


def ask_file(
    project: Project, path: Path, asking: Asking, *, strict: bool, labelled: bool = False, progress: Progress = silent
) -> Answered:
    """Let a judge score every answer of a file.

    Args:
        project: Where prompts, params and, by id, questions and answers come from.
        path: The answers; checked whole before anything is asked.
        asking: Which judge.
        strict: Leave batches whose anchors fail unscored.
        labelled: The file has labels, which are read and checked too.
        progress: Told about every reply.
    """
    params = EvaluateParams.load(project)
    name, spec = asking.spec(project, params)
    with open_provider(project, use_case="judge", max_usd=asking.max_usd, progress=progress) as provider:
        judge = load_judge(project, name, spec, provider.chat_model)
        items, columns = read_items(project, path, judge)
        labels = read_labels(columns, path.name, judge.scale) if labelled else np.zeros(0)
        found = judge_items(provider, judge, items, params, own=own_anchors(project, judge), strict=strict)
        return Answered(found, labels, provider.usage.cost_usd, provider.usage.calls)


def calibrate(
    project: Project, path: Path, asking: Asking, *, progress: Progress = silent, clock: Clock = utc_now
) -> Calibrated:
    """Ask a judge about labelled answers and hold it against the labels.

    Raises:
        ParamsError: There is no such judge.
        ContractError: The file is not usable, or the judge scored fewer than two labelled answers.
        BudgetError: The money does not suffice; what was judged is in the cache.
    """
    asked = ask_file(project, path, asking, strict=False, labelled=True, progress=progress)
    found, judge = asked.judged, asked.judged.judge
    rated = _rated(found.judgements, asked.labels, judge)
    _require_scores(judge.name, rated, found.judgements)
    held = hold(
        judge.name, judge.identity, rated, found.judgements, labels_sha256=sha256_file(path),
        params=EvaluateParams.load(project), day=clock().date().isoformat(),
        anchors=(found.anchors, found.anchors_right),
    )  # fmt: skip
    return replace(held, notes=tuple(_notes(found)), cost_usd=asked.cost_usd, calls=asked.calls)


def calibrate_recorded(
    project: Project, path: Path, scores: Path, name: str, *, cut: float | None = None, clock: Clock = utc_now
) -> Calibrated:
    """Hold recorded decisions of any judge against people's labels.

    Args:
        project: Gives the params that say what suffices.
        path: Labels by question_id (and sample).
        scores: The judge's scores by the same columns; `score_swapped` for the other order of a pair.
        name: What the judge is called.
        cut: Read labels and scores as good (this or more) or not.
        clock: Day of the record.

    Raises:
        ContractError: A file is not usable, or labels and scores cannot be compared.
    """
    items, columns = read_items(project, path, None)
    labels = read_labels(columns, path.name, None)
    said = _recorded(items, read_recorded(scores), scores.name)
    labels = np.concatenate([labels, np.full(len(said) - len(labels), np.nan)])
    rated = _rated(said, labels, None)
    _require_scores(name, rated, said)
    rated = _comparable(rated, cut, path.name)
    return hold(
        name, {RECORDED: sha256_file(scores)}, rated, said, labels_sha256=sha256_file(path),
        params=EvaluateParams.load(project), day=clock().date().isoformat(),
    )  # fmt: skip


def hold(
    name: str,
    identity: Mapping[str, Any],
    rated: Rated,
    said: Sequence[Judgement],
    *,
    labels_sha256: str,
    params: EvaluateParams,
    day: str,
    anchors: tuple[int, int] = (0, 0),
) -> Calibrated:
    """Hold decisions against labels; the part of a calibration that needs neither files nor models."""
    known = agreement(rated), stability(said)
    record = calibration(name, identity, rated, known, labels_sha256=labels_sha256, anchors=anchors, day=day)
    return Calibrated(record, *known, sufficient(record, params), ())


def _rated(said: Sequence[Judgement], labels: FloatArray, judge: Judge | None) -> Rated:
    scores = [np.nan if one.score is None else one.score for one in said]
    levels = [judge.level(score) if judge and np.isfinite(score) else score for score in scores]
    return Rated(
        label=labels,
        score=np.array(scores, dtype=float),
        level=np.array(levels, dtype=float),
        document=np.array([one.item.document or one.item.question_id for one in said], dtype=str),
        chars=np.array([len(one.item.answer) or np.nan for one in said], dtype=float),
    )


def _recorded(items: Sequence[Item], recorded: Recorded, name: str) -> list[Judgement]:
    """Return a judgement per labelled item, then one per score that nobody labelled."""
    known = {item.key for item in items}
    if not known & recorded.scores.keys():
        raise ContractError(
            f"{name} scores none of the labelled answers; it has (question_id, sample) "
            f"{first_three(sorted(recorded.scores))}, the labels {first_three(sorted(known))}. Use the same ids."
        )
    items = [replace(item, document=item.document or recorded.documents.get(item.key, "")) for item in items]
    others = [Item(*key, recorded.documents[key], "", "") for key in sorted(recorded.scores.keys() - known)]
    return [_decision(item, recorded) for item in (*items, *others)]


def _decision(item: Item, recorded: Recorded) -> Judgement:
    one, other = recorded.scores.get(item.key, np.nan), recorded.swapped.get(item.key, np.nan)
    if not np.isfinite(one):
        return Judgement(item, None, "judge_recorded_none")
    if not recorded.swapped:
        return Judgement(item, one, None, opinions=(one,))
    if not np.isfinite(other):
        return Judgement(item, None, "judge_recorded_none")
    return Judgement(item, one if one == other else 0.5, None, orders=((one, other),))


def _comparable(rated: Rated, cut: float | None, name: str) -> Rated:
    """Return labels and scores as categories that can be compared, cut in two where asked for."""
    if cut is not None:
        label, score = (np.where(np.isfinite(v), (v >= cut) * 1.0, np.nan) for v in (rated.label, rated.score))
        return replace(rated, label=label, score=score, level=score)
    labels, scores = (set(values[np.isfinite(values)].tolist()) for values in (rated.label, rated.score))
    if len(scores | labels) > LEVELS_MAX or not scores & labels:
        spans = [f"{len(each)} values from {min(each):g} to {max(each):g}" for each in (labels, scores)]
        raise ContractError(
            f"{name}: labels take {spans[0]}, scores {spans[1]}. Kappa compares categories: use one scale for both, or "
            "give --cut X to read both as good (X or more) or not."
        )
    return rated


def _require_scores(name: str, rated: Rated, said: Sequence[Judgement]) -> None:
    both = int((np.isfinite(rated.label) & np.isfinite(rated.score)).sum())
    if both < 2:
        reasons = Counter(one.unscored_reason for one in said if one.unscored_reason)
        why = ", ".join(f"{reason} {n} times" for reason, n in reasons.most_common(3)) or "no row has both"
        raise ContractError(
            f"judge {name!r} scored {both} labelled answers ({why}). Two are the least, and far more are useful: "
            "mend the prompt or the model, or label more rows."
        )


def _notes(found: Judged) -> list[str]:
    notes = []
    if is_local(found.judge.model):
        notes.append(
            f"{found.judge.model} extracts sentences and follows no instruction, so it cannot judge; name a model with "
            "--model or evaluate.judges."
        )
    if found.batches_failed:
        notes.append(
            f"{found.anchors - found.anchors_right} of {found.anchors} anchors are wrong: in an evaluation "
            f"{found.batches_failed} of {found.batches} batches would stay unscored."
        )
    if not found.anchors:
        notes.append("No anchors: the file has no reference answers and the prompt brings no anchors of its own.")
    return notes

"""Follow a release night after night against its frozen baseline, for `llmops gate nights`.

The baseline (night -1) is measured once and never re-estimated, so a slow decline cannot hide in a
rolling window; the evidence accumulates in the e-CUSUM of `flows.stats.ecusum`, whose alarms keep a
budget of false ones over all metrics together.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

import numpy as np

from flows.core.errors import ContractError, ParamsError, did_you_mean, first_three
from flows.evaluate.gatecheck import check_range
from flows.evaluate.gateconfig import GateConfig
from flows.evaluate.gatefile import BASELINE_NIGHT, ScoreFile
from flows.stats.ecusum import AlarmPolicy, Night
from flows.stats.ecusum import nights as follow
from flows.stats.effects import Effect, MetricSpec, paired_effect

DOCUMENTS_SEEN = 20  # below this even a 10-point drop is found in a minority of systems within a week


@dataclass(frozen=True)
class Series:
    """One metric over the nights."""

    metric: str
    nights: tuple[tuple[int, Night, Effect], ...]  # number of the night, the detector's state, its effect

    def to_json(self) -> list[dict[str, Any]]:
        """Return the fixed fields per night; a number that does not exist is None."""
        return [
            {"night": number} | {name: _finite(getattr(night, name)) for name in ("center", "se", "log_e_cusum")}
            | {"alarm": night.alarm}
            for number, night, _ in self.nights
        ]  # fmt: skip


def follow_nights(file: ScoreFile, config: GateConfig, policy: AlarmPolicy) -> tuple[list[Series], list[str]]:
    """Judge every night of every configured metric.

    Args:
        file: Scores with their night; -1 is the frozen baseline, best with four samples per question.
        config: Metrics and margins; the margin is the loss worth noticing.
        policy: Budget of false alarms.

    Returns:
        A series per metric, and notes for people.

    Raises:
        ContractError: No baseline night, no other night, a metric nobody scored, or broken scores.
        ParamsError: A margin of 0, which no night can notice.
    """
    numbers = sorted(set(file.night.tolist()))
    if BASELINE_NIGHT not in numbers:
        raise ContractError(f"{file.name} has no night -1. Give the frozen baseline's scores the night -1.")
    if numbers == [BASELINE_NIGHT]:
        raise ContractError(f"{file.name} has the baseline and no night. Add the scores of night 0, 1, 2 …")
    specs = config.specs(file.metrics)
    _refuse(specs, file)
    found = [_series(file, name, spec, numbers[1:], config, policy, len(specs)) for name, spec in specs.items()]
    return found, [*_notes(found), *_ignored(file, specs)]


def alarmed(found: Sequence[Series]) -> list[str]:
    """Return the metrics whose newest night alarms."""
    return [series.metric for series in found if series.nights[-1][1].alarm]


def _refuse(specs: Mapping[str, MetricSpec], file: ScoreFile) -> None:
    idle = [name for name, spec in specs.items() if spec.margin == 0]
    if idle:
        raise ParamsError(f"margin of {first_three(idle)} is 0; a night looks for a loss of the margin. Give one.")
    for name in specs:
        if not np.isfinite(file.score[(file.metric == name) & (file.night == BASELINE_NIGHT)]).any():
            hint = did_you_mean(name, file.metrics)
            raise ContractError(f"{file.name}: metric {name!r} has no score on night -1.{hint} Score the baseline.")


def _series(
    file: ScoreFile, name: str, spec: MetricSpec, numbers: list[int], config: GateConfig, policy: AlarmPolicy, k: int
) -> Series:
    sides = {number: file.scores(name, number) for number in (BASELINE_NIGHT, *numbers)}
    for scores in sides.values():
        check_range(file.name, name, scores, spec, config)
    baseline = sides[BASELINE_NIGHT]
    effects = [paired_effect(baseline, sides[number], spec, alpha=config.alpha) for number in numbers]
    states = follow(effects, drop=spec.margin, metrics=k, policy=policy)
    return Series(name, tuple(zip(numbers, states, effects, strict=True)))


def _notes(found: list[Series]) -> list[str]:
    notes = []
    for series in found:
        documents = max(effect.n_documents for *_, effect in series.nights)
        silent = [number for number, _, effect in series.nights if effect.problem]
        if documents < DOCUMENTS_SEEN:
            notes.append(
                f"{series.metric}: {documents} documents are too few for nights; most drops will be found late "
                f"or never. Ask about {DOCUMENTS_SEEN} or more."
            )
        if silent:
            notes.append(
                f"{series.metric}: night(s) {first_three(silent)} have no scores to compare and count nothing."
            )
    return notes


def _ignored(file: ScoreFile, specs: Mapping[str, MetricSpec]) -> list[str]:
    ignored = [name for name in file.metrics if name not in specs]
    return [f"Not followed, because the config does not name them: {', '.join(ignored)}."] if ignored else []


def _finite(value: float) -> float | None:
    return value if isfinite(value) else None

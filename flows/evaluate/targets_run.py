"""Measure a target, alone or against another one, by the metrics and the gate of every release.

Both sides answer the same questions and are scored by the same scorers. Guardrails and paired metrics
decide as they do for a release; what a target can never have (contexts, tokens, a format) is not
measured, and guardrails on that are left out and named. Nothing below `data/` is written.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flows.core.contracts import ANSWERS, SCORES
from flows.core.errors import InputError
from flows.core.files import write_json
from flows.core.progress import Progress, silent
from flows.core.tables import write_table
from flows.evaluate import challenges
from flows.evaluate.answering import wanted
from flows.evaluate.components import Component, components, sentence
from flows.evaluate.decide import decide, overdue
from flows.evaluate.outputs import verdict_json, worst_questions
from flows.evaluate.paragraph import Names
from flows.evaluate.params import EvaluateParams
from flows.evaluate.replies import lacking, rows_of, unmeasured
from flows.evaluate.scoring import join, score_cases
from flows.evaluate.targets import Given, Target, error_counts
from flows.evaluate.undecided import evidence_for

if TYPE_CHECKING:
    import pandas as pd

PLAIN = {"format_valid": "a checked format", "instructions": "its instructions", "input_tokens": "input tokens",
         "output_tokens": "output tokens", "latency_ms": "latencies", "cost_usd": "prices"}  # fmt: skip


@dataclass(frozen=True)
class Side:
    """One measured target."""

    target: Target
    given: Given
    answers: "pd.DataFrame"
    scores: "pd.DataFrame"
    lacks: Mapping[str, tuple[str, ...]]  # parts it never gives, with the metrics that need them


@dataclass(frozen=True)
class Outcome:
    """What was found, ready to be printed."""

    verdict: dict[str, Any]
    components: list[Component]
    worst: list[dict[str, Any]]
    candidate: Side
    baseline: Side | None


def measure(
    target: Target, questions: "pd.DataFrame", params: EvaluateParams, *, samples: int, progress: Progress = silent
) -> Side:
    """Let a target answer every live question and score what it says.

    Raises:
        InputError: There is no question to ask.
    """
    todo = wanted(questions, samples)
    if not todo:
        raise InputError("there is no live question to ask. Run `llmops testset`, or give --questions FILE.")
    given = target.answer(todo, progress=progress)
    answers = rows_of(target.target_id, todo, given.replies, params.refusal_phrases)
    lacks = lacking(given.replies)
    scores = score_cases(target.target_id, join(questions, answers, given.instructions), params)
    hidden = {} if given.instructions else {"instructions": ("prompt_leakage",)}  # a canary may still show a leak
    return Side(target, given, answers, unmeasured(scores, lacks), lacks | hidden)


def judge(
    candidate: Side, baseline: Side | None, questions: "pd.DataFrame", params: EvaluateParams, *, today: date
) -> Outcome:
    """Decide on measured targets.

    Args:
        candidate: The target on trial.
        baseline: What it must not be worse than; None = the guardrails decide alone.
        questions: Table `questions` that both were asked.
        params: Section `evaluate`.
        today: Decides which guardrail reviews are overdue.
    """
    applied = applicable(params, candidate.lacks)
    theirs = None if baseline is None else baseline.scores
    found = decide(candidate.scores, theirs, applied, today=today)
    parts = components(candidate.scores, questions, params, chain=(), chunks=None)
    cost = candidate.answers["cost_usd"]
    known = None if cost.isna().any() else float(cost.sum())
    names = Names(candidate.target.name, baseline.target.name if baseline else None)
    dropped = sorted({*params.guardrails, *params.gated_metrics} - {*applied.guardrails, *applied.gated_metrics})
    verdict = verdict_json(
        candidate.target.target_id, baseline.target.target_id if baseline else None, found, applied,
        cost_usd=known, overdue=overdue(applied, today), notes=_notes(candidate, baseline),
        evidence=evidence_for(
            found, candidate.scores, theirs, applied, cost_per_answer=known / len(cost) if known else None
        ),
        names=names, further=[
            *_dropped(dropped, candidate), *filter(None, [sentence(parts), challenges.sentence(candidate.scores)]),
        ],
    )  # fmt: skip
    verdict |= {"target": names.candidate, "baseline_target": names.baseline, "left_out": dropped}
    verdict["calls"] = candidate.given.calls
    verdict["components"] = [part.to_json() for part in parts]
    worst = worst_questions(candidate.scores, theirs, questions, params)
    return Outcome(verdict, parts, worst, candidate, baseline)


def applicable(params: EvaluateParams, lacks: Mapping[str, tuple[str, ...]]) -> EvaluateParams:
    """Return the params without guardrails and gated metrics that the target can never be measured by."""
    never = {name for metrics in lacks.values() for name in metrics}
    rails = {name: rail for name, rail in params.guardrails.items() if name not in never}
    gated = tuple(name for name in params.gated_metrics if name not in never)
    return params.model_copy(update={"guardrails": rails, "gated_metrics": gated})


def _dropped(names: list[str], side: Side) -> list[str]:
    if not names:
        return []
    never = ", ".join(PLAIN.get(part, part) for part, metrics in side.lacks.items() if set(metrics) & set(names))
    return [f"Left out of the judgement, because {side.target.name} does not give {never}: {', '.join(names)}."]


def _notes(candidate: Side, baseline: Side | None) -> list[str]:
    notes = []
    for side in (candidate, *([baseline] if baseline else [])):
        notes += side.given.notes
        failed = error_counts(side.given.replies)
        if failed:
            counted = ", ".join(f"{reason} {n}" for reason, n in failed.items())
            notes.append(
                f"{side.target.name}: {sum(failed.values())} of {len(side.answers)} answers failed ({counted})."
            )
        if side.lacks:
            never = ", ".join(PLAIN.get(part, part) for part in side.lacks)
            notes.append(f"{side.target.name} does not give {never}; what needs that is not measured.")
    return notes


def write(outcome: Outcome, folder: Path) -> None:
    """Write answers, scores and verdict into a folder of the user's; `llmops gate` reads the scores."""
    for name, side in (("candidate", outcome.candidate), ("baseline", outcome.baseline)):
        if side is not None:
            write_table(folder / f"{name}.answers.parquet", side.answers, ANSWERS)
            write_table(folder / f"{name}.scores.parquet", side.scores, SCORES)
    write_json(folder / "verdict.json", outcome.verdict)
    write_json(folder / "worst.json", outcome.worst)


def samples_of(target: Target, wanted_samples: int) -> int:
    """Return how often a target is asked: as recorded, once where it repeats itself, else as wanted."""
    recorded: int | None = getattr(target, "samples", None)
    return recorded or (1 if target.repeats_itself else wanted_samples)

"""Self-consistency: does a release say the same when it is asked the same again?

Two answers are compared by what they state (words, numbers, negations), so that wording hardly
counts and a changed number does. Without repeats there is nothing to compare: not measured, not 1
(after sampling agreement, Wang 2022, arXiv:2203.11171, and SelfCheckGPT, arXiv:2303.08896).
"""

from collections.abc import Sequence
from dataclasses import replace

from flows.evaluate.cases import NO_ANSWER, ONE_SAMPLE, Case, Scored, Unscored
from flows.evaluate.params import EvaluateParams
from flows.evaluate.words import facts


def with_repeats(cases: Sequence[Case]) -> list[Case]:
    """Return the cases, each with the other answers of its release to its question; lost ones left out."""
    said: dict[str, list[Case]] = {}
    for case in cases:
        if not case.lost:
            said.setdefault(case.question_id, []).append(case)
    return [
        replace(case, repeats=tuple(_said(o) for o in said.get(case.question_id, []) if o.sample != case.sample))
        for case in cases
    ]


def self_consistency(case: Case, params: EvaluateParams) -> Scored:
    """Score 0 … 1: mean agreement with the other answers to the question; two refusals agree."""
    if case.lost:
        return Unscored(NO_ANSWER)
    if not case.repeats:
        return Unscored(ONE_SAMPLE)
    return sum(agreement(_said(case), other) for other in case.repeats) / len(case.repeats)


def agreement(one: str, other: str) -> float:
    """Return the share of what two texts state together that both state (Jaccard); 1 for two empty ones."""
    ours, theirs = facts(one), facts(other)
    return len(ours & theirs) / len(ours | theirs) if ours | theirs else 1.0


def _said(case: Case) -> str:
    return "" if case.empty else case.answer

"""Refusal correctness: refuse what the corpus cannot answer, and nothing else."""

from flows.evaluate.cases import NO_ANSWER, Case, Scored, Unscored
from flows.evaluate.params import EvaluateParams


def refusal_correctness(case: Case, params: EvaluateParams) -> Scored:
    """Score 1 when an unanswerable question is refused or an answerable one is not; else 0."""
    if case.lost:
        return Unscored(NO_ANSWER)
    if case.error is not None:
        return 0.0  # neither an answer nor a refusal
    return float(case.refused != case.answerable)

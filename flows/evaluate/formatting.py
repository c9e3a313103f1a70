"""Format validity: the output kept to its schema and cites only chunks it was given."""

from flows.evaluate.cases import NO_ANSWER, Case, Scored, Unscored
from flows.evaluate.params import EvaluateParams


def format_validity(case: Case, params: EvaluateParams) -> Scored:
    """Score 1 for a valid output, 0 for an invalid, cut or empty one."""
    if case.lost:
        return Unscored(NO_ANSWER)
    return float(case.format_valid and case.error is None)

"""Latency and cost of one answer, as measured when it was first made. Unknown is unknown, not 0."""

from flows.evaluate.cases import NOT_TIMED, UNPRICED, Case, Scored, Unscored
from flows.evaluate.params import EvaluateParams


def latency_ms(case: Case, params: EvaluateParams) -> Scored:
    """Milliseconds of the answer's model calls together."""
    return Unscored(NOT_TIMED) if case.latency_ms is None else case.latency_ms


def cost_usd(case: Case, params: EvaluateParams) -> Scored:
    """US dollars of the answer's model calls together."""
    return Unscored(UNPRICED) if case.cost_usd is None else case.cost_usd

"""Latency, cost, tokens and availability of one answer, as measured when it was first made. Unknown is not 0."""

from flows.evaluate.cases import NO_ANSWER, NOT_TIMED, UNPRICED, Case, Scored, Unscored
from flows.evaluate.params import EvaluateParams


def latency_ms(case: Case, params: EvaluateParams) -> Scored:
    """Milliseconds of the answer's model calls together."""
    return Unscored(NOT_TIMED) if case.latency_ms is None else case.latency_ms


def cost_usd(case: Case, params: EvaluateParams) -> Scored:
    """US dollars of the answer's model calls together."""
    return Unscored(UNPRICED) if case.cost_usd is None else case.cost_usd


def input_tokens(case: Case, params: EvaluateParams) -> Scored:
    """Tokens sent to the model for the answer."""
    return Unscored(NO_ANSWER) if case.lost else float(case.input_tokens)


def output_tokens(case: Case, params: EvaluateParams) -> Scored:
    """Tokens the model wrote for the answer."""
    return Unscored(NO_ANSWER) if case.lost else float(case.output_tokens)


def availability(case: Case, params: EvaluateParams) -> Scored:
    """Score 1 when the model answered, well or badly, and 0 when nothing came back."""
    return float(not case.lost)

"""Perplexity: how surprised the model is by its own answer, where its log-probabilities are known.

exp of minus the mean log-probability per token (Jelinek 1977). Most chat APIs keep these numbers to themselves: then it
is not measured, and never made up from another model's.
"""

from math import exp

from flows.evaluate.cases import NO_ANSWER, NO_LOGPROBS, Case, Scored, Unscored
from flows.evaluate.params import EvaluateParams


def perplexity(case: Case, params: EvaluateParams) -> Scored:
    """Score 1 … ∞; 1 is an answer without any doubt."""
    if case.lost:
        return Unscored(NO_ANSWER)
    return Unscored(NO_LOGPROBS) if case.mean_logprob is None else exp(-case.mean_logprob)

"""Correctness: how much of the reference answer is said, and how little beside it.

Facts are content words, numbers and negations that the question does not already hold. Recall of
the reference's facts counts `beta` times as much as precision, because an answer that quotes a
sentence too many is better than one that lacks the fact; numbers and negations weigh more than
words (token F-measure after Rajpurkar 2016, arXiv:1606.05250, with key facts instead of all words).
"""

from flows.evaluate.cases import NO_ANSWER, NOT_APPLICABLE, Case, Scored, Unscored
from flows.evaluate.params import EvaluateParams
from flows.evaluate.words import NEGATION, facts, is_number


def correctness(case: Case, params: EvaluateParams) -> Scored:
    """Score 0 … 1; 0 for a refusal of an answerable question."""
    if not case.answerable or not facts(case.reference):
        return Unscored(NOT_APPLICABLE)
    if case.lost:
        return Unscored(NO_ANSWER)
    if case.empty:
        return 0.0
    return f_measure(case.question, case.reference, case.answer, params)


def f_measure(question: str, reference: str, answer: str, params: EvaluateParams) -> float:
    """Return the weighted F-measure of an answer's facts against the reference's, which must state some."""
    known = facts(question)
    wanted = (facts(reference) - known) or facts(reference)
    said = facts(answer)
    right = _weight(wanted & said, params)
    recall = right / _weight(wanted, params)
    surplus = _weight(said - wanted - known - facts(reference), params)
    precision = right / (right + surplus) if right else 0.0
    beta = params.correctness_beta**2
    return (1 + beta) * precision * recall / (beta * precision + recall) if right else 0.0


def _weight(found: frozenset[str], params: EvaluateParams) -> float:
    heavy = sum(is_number(fact) or fact == NEGATION for fact in found)
    return len(found) + heavy * (params.number_weight - 1)

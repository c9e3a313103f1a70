"""Correctness: how much of the reference answer is said, and how little beside it. Completeness: the first half.

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


def completeness(case: Case, params: EvaluateParams) -> Scored:
    """Score 0 … 1: share of the reference's key facts in the answer; 0 for a refusal."""
    if not case.answerable or not facts(case.reference):
        return Unscored(NOT_APPLICABLE)
    if case.lost:
        return Unscored(NO_ANSWER)
    return 0.0 if case.empty else recall(case.question, case.reference, case.answer, params)


def recall(question: str, reference: str, answer: str, params: EvaluateParams) -> float:
    """Return the weighted share of the reference's facts, which it must have, that the answer states."""
    wanted = key_facts(question, reference)
    return _weight(wanted & facts(answer), params) / _weight(wanted, params)


def key_facts(question: str, reference: str) -> frozenset[str]:
    """Return what the reference states beyond the question, or all of it when that is nothing."""
    return (facts(reference) - facts(question)) or facts(reference)


def f_measure(question: str, reference: str, answer: str, params: EvaluateParams) -> float:
    """Return the weighted F-measure of an answer's facts against the reference's, which must state some."""
    wanted, said = key_facts(question, reference), facts(answer)
    right = _weight(wanted & said, params)
    found = right / _weight(wanted, params)
    surplus = _weight(said - wanted - facts(question) - facts(reference), params)
    precision = right / (right + surplus) if right else 0.0
    beta = params.correctness_beta**2
    return (1 + beta) * precision * found / (beta * precision + found) if right else 0.0


def _weight(found: frozenset[str], params: EvaluateParams) -> float:
    heavy = sum(is_number(fact) or fact == NEGATION for fact in found)
    return len(found) + heavy * (params.number_weight - 1)

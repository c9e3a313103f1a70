"""Groundedness: does each sentence of the answer stand in the context it was given?

A sentence's support is the share of its content words found in one retrieved chunk, the best one;
a number that the chunk does not hold makes it 0, since an invented number is the costliest
hallucination. Attribution asks the same of what the answer cites instead of all it was given (attributable to
identified sources: Rashkin 2021, arXiv:2112.12870). Lexical, so a faithful rewording scores lower than a quotation:
docs/limits.md.
"""

from collections.abc import Iterable

from flows.evaluate.cases import NO_ANSWER, Case, Passage, Scored, Unscored
from flows.evaluate.params import EvaluateParams
from flows.evaluate.words import NEGATION, claims, facts, is_number


def groundedness(case: Case, params: EvaluateParams) -> Scored:
    """Score 0 … 1: mean support of the answer's sentences; 1 for a refusal, which claims nothing."""
    if case.lost:
        return Unscored(NO_ANSWER)
    sentences = [] if case.empty else claims(case.answer)
    if not sentences:
        return 1.0
    return sum(best_support(sentence, case.retrieved) for sentence in sentences) / len(sentences)


def attribution(case: Case, params: EvaluateParams) -> Scored:
    """Score 0 … 1: mean support of the answer's sentences by what it cites; 1 for a refusal."""
    if case.lost:
        return Unscored(NO_ANSWER)
    sentences = [] if case.empty else claims(case.answer)
    cited = [passage for passage in case.cited if passage is not None]
    return sum(best_support(sentence, cited) for sentence in sentences) / len(sentences) if sentences else 1.0


def best_support(sentence: str, passages: Iterable[Passage]) -> float:
    """Return the support by the passage that supports the sentence best, 0 … 1."""
    return max((support(sentence, passage.text) for passage in passages), default=0.0)


def support(sentence: str, text: str) -> float:
    """Return the share of a sentence's facts that a text holds; 0 when one of its numbers is not there."""
    claimed, held = facts(sentence) - {NEGATION}, facts(text)
    if not claimed or any(is_number(fact) and fact not in held for fact in claimed):
        return 0.0
    return len(claimed & held) / len(claimed)

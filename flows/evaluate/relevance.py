"""Answer relevance: does the answer take up what was asked?

The share of the question's content words (of its last turn) that come back in the answer. It catches an answer to
another question; a right answer of one word scores low, so it informs and decides nothing unless
params say so. Embeddings would read rewordings, but a scorer asks no model.
"""

from flows.evaluate.cases import NO_ANSWER, NOT_APPLICABLE, Case, Scored, Unscored
from flows.evaluate.params import EvaluateParams
from flows.evaluate.words import NEGATION, facts
from flows.rag.conversation import parse_conversation


def answer_relevance(case: Case, params: EvaluateParams) -> Scored:
    """Score 0 … 1: share of the question's content words in the answer; 0 for a refusal."""
    _, question = parse_conversation(case.question)
    asked = facts(question) - {NEGATION}
    if not case.answerable or not asked:
        return Unscored(NOT_APPLICABLE)
    if case.lost:
        return Unscored(NO_ANSWER)
    return 0.0 if case.empty else len(asked & facts(case.answer)) / len(asked)

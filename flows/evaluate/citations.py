"""Citations: does what is cited support the answer, and is the gold among it?

Precision asks each citation for its reason to be there: it holds gold, or it supports a sentence of
the answer (after ALCE, Gao 2023, arXiv:2305.14627, with lexical instead of model-judged support).
Recall asks how much of the gold the cited chunks cover. A wrong extra citation lowers precision
only, a dropped one recall.
"""

from flows.evaluate.cases import NO_ANSWER, NOT_APPLICABLE, Case, Passage, Scored, Unscored
from flows.evaluate.groundedness import support
from flows.evaluate.params import EvaluateParams
from flows.evaluate.retrieval import coverage, is_hit
from flows.evaluate.words import claims


def citation_precision(case: Case, params: EvaluateParams) -> Scored:
    """Score 0 … 1: share of the citations that hold gold or support a sentence; 0 without citations."""
    if unscored := _unscored(case):
        return unscored
    sentences = claims(case.answer)
    good = [passage is not None and _has_reason(passage, sentences, case, params) for passage in case.cited]
    return sum(good) / len(good) if good else 0.0


def citation_recall(case: Case, params: EvaluateParams) -> Scored:
    """Score 0 … 1: share of the gold characters that the cited chunks cover."""
    return _unscored(case) or coverage(case.gold, [passage for passage in case.cited if passage is not None])


def _unscored(case: Case) -> Unscored | None:
    if not case.gold:
        return Unscored(NOT_APPLICABLE)
    return Unscored(NO_ANSWER) if case.lost else None


def _has_reason(passage: Passage, sentences: list[str], case: Case, params: EvaluateParams) -> bool:
    supports = any(support(sentence, passage.text) >= params.support_min for sentence in sentences)
    return supports or is_hit(passage, case.gold, params.span_hit_share)

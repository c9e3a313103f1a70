"""BLEU, chrF and ROUGE-L against the reference answer, by the libraries that define the published numbers.

sacrebleu (Post 2018, arXiv:1804.08771) and Google's rouge-score, scaled to 0 … 1. They compare wording: a right
answer in other words scores low, so they inform, for comparison with other tools' numbers.
"""

import sys
from functools import cache, lru_cache
from typing import Any

from flows.evaluate.cases import NO_ANSWER, NOT_APPLICABLE, Case, Scored, Unscored
from flows.evaluate.params import EvaluateParams
from flows.evaluate.words import facts


def bleu(case: Case, params: EvaluateParams) -> Scored:
    """Score 0 … 1: sentence BLEU with exponential smoothing and effective order; 0 for a refusal."""
    return _unscored(case) or (0.0 if case.empty else _sacrebleu("BLEU", case))


def chrf(case: Case, params: EvaluateParams) -> Scored:
    """Score 0 … 1: chrF2, F-score of character 6-grams; 0 for a refusal."""
    return _unscored(case) or (0.0 if case.empty else _sacrebleu("CHRF", case))


def rouge_l(case: Case, params: EvaluateParams) -> Scored:
    """Score 0 … 1: F-measure of the longest common subsequence of stemmed words; 0 for a refusal."""
    return _unscored(case) or (0.0 if case.empty else float(_rouge().score(case.reference, case.answer)["rougeL"][2]))


def _unscored(case: Case) -> Unscored | None:
    if not case.answerable or not facts(case.reference):
        return Unscored(NOT_APPLICABLE)
    return Unscored(NO_ANSWER) if case.lost else None


def _sacrebleu(name: str, case: Case) -> float:
    found = _metric(name).sentence_score(case.answer, [case.reference])
    return min(float(found.score) / 100, 1.0)  # a perfect BLEU is 100.00000000000004


@cache
def _metric(name: str) -> Any:
    from sacrebleu.metrics.bleu import BLEU
    from sacrebleu.metrics.chrf import CHRF

    return CHRF() if name == "CHRF" else BLEU(effective_order=True)


@cache
def _rouge() -> Any:
    from absl import logging
    from rouge_score import rouge_scorer, tokenizers

    # absl takes hold of whatever sys.stderr is now, and closes it when somebody sets logging up anew
    logging.get_absl_handler().python_handler.setStream(sys.__stderr__)
    tokens = tokenizers.DefaultTokenizer(use_stemmer=True)
    tokens.tokenize = lru_cache(maxsize=4096)(tokens.tokenize)  # stemming takes most of the time
    return rouge_scorer.RougeScorer(["rougeL"], tokenizer=tokens)

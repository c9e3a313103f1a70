import subprocess
import sys
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.metric_matrix import GOOD, NOISE, UNANSWERABLE
from flows.core.errors import ContractError
from flows.evaluate.answering import Wanted
from flows.evaluate.cases import NO_ANSWER, NO_LOGPROBS, NOT_APPLICABLE, Unscored
from flows.evaluate.groundedness import attribution, groundedness
from flows.evaluate.overlap import bleu, chrf, rouge_l
from flows.evaluate.params import EvaluateParams
from flows.evaluate.perplexity import perplexity
from flows.evaluate.replies import reply_of, rows_of

PARAMS = EvaluateParams()
SCORERS = (bleu, chrf, rouge_l)
CAT = replace(GOOD, question="Where is the cat?", reference="The cat sat on the mat.", answer="A cat sat on the mat.")


def test_the_numbers_are_those_of_the_libraries():
    from rouge_score.rouge_scorer import RougeScorer
    from sacrebleu import sentence_bleu, sentence_chrf

    assert bleu(CAT, PARAMS) == pytest.approx(sentence_bleu(CAT.answer, [CAT.reference]).score / 100)
    assert chrf(CAT, PARAMS) == pytest.approx(sentence_chrf(CAT.answer, [CAT.reference]).score / 100)
    theirs = RougeScorer(["rougeL"], use_stemmer=True).score(CAT.reference, CAT.answer)["rougeL"].fmeasure
    assert rouge_l(CAT, PARAMS) == pytest.approx(theirs) == pytest.approx(5 / 6)


@given(st.text(max_size=80))
def test_they_lie_between_0_and_1_whatever_is_said(answer):
    assert all(0 <= scorer(replace(CAT, answer=answer), PARAMS) <= 1 for scorer in SCORERS)


@pytest.mark.parametrize("scorer", SCORERS)
def test_a_refusal_is_0_and_what_has_no_reference_is_not_scored(scorer):
    assert scorer(replace(CAT, refused=True), PARAMS) == 0
    assert scorer(UNANSWERABLE, PARAMS) == Unscored(NOT_APPLICABLE)
    assert scorer(replace(CAT, error="unavailable"), PARAMS) == Unscored(NO_ANSWER)


def test_attribution_reads_only_what_is_cited():
    elsewhere = replace(GOOD, answer="Penguins sleep on the ice.")
    assert groundedness(elsewhere, PARAMS) == 1
    assert attribution(elsewhere, PARAMS) == 0
    assert attribution(replace(elsewhere, citations=(NOISE.chunk_id,)), PARAMS) == 1


@pytest.mark.parametrize("value", [0.1, float("nan"), float("-inf"), True, "low"])
def test_a_target_may_bring_log_probabilities_and_only_possible_ones(value):
    todo = [Wanted("a" * 32, "Where is the cat?", 0)]
    rows = rows_of("b" * 32, todo, [reply_of({"answer": "Here.", "mean_logprob": -0.5})], ())
    assert list(rows["mean_logprob"]) == [-0.5]
    with pytest.raises(ContractError, match="mean_logprob"):
        reply_of({"answer": "Here.", "mean_logprob": value})


def test_perplexity_is_measured_where_probabilities_are_known_and_never_made_up():
    assert perplexity(replace(GOOD, mean_logprob=-0.6931471805599453), PARAMS) == pytest.approx(2)
    assert perplexity(replace(GOOD, mean_logprob=None), PARAMS) == Unscored(NO_LOGPROBS)


def test_setting_up_logging_anew_closes_no_stream_that_was_redirected():
    program = """
import io, logging.config, sys
ours = io.StringIO()
sys.stderr = ours
from flows.evaluate.overlap import _rouge
_rouge()
sys.stderr = sys.__stderr__
logging.config.dictConfig({"version": 1})
print(ours.closed)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"

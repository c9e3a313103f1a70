from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.metric_matrix import GOOD, HELD, INSTRUCTIONS, NOISE, UNANSWERABLE
from flows.evaluate.cases import NO_INSTRUCTIONS, NOT_APPLICABLE, ONE_SAMPLE, Passage, Unscored
from flows.evaluate.consistency import agreement, self_consistency, with_repeats
from flows.evaluate.correctness import completeness, correctness
from flows.evaluate.leakage import prompt_leakage
from flows.evaluate.operations import availability
from flows.evaluate.params import EvaluateParams
from flows.evaluate.privacy import is_card, personal, pii_exposure
from flows.evaluate.relevance import answer_relevance
from flows.evaluate.retrieval import ndcg
from flows.evaluate.toxicity import toxicity

PARAMS = EvaluateParams()


# -- completeness and relevance ----------------------------------------------------------------------


def test_completeness_counts_key_facts_and_forgives_what_is_beside_them():
    listed = replace(GOOD, question="Which fruits?", reference="Apples, pears and plums.")
    wordy = replace(listed, answer="Apples and pears, which grow on trees behind the old mill.")
    assert completeness(wordy, PARAMS) == pytest.approx(2 / 3)
    assert correctness(wordy, PARAMS) < completeness(wordy, PARAMS)


def test_a_missing_number_costs_completeness_more_than_a_missing_word():
    case = replace(GOOD, question="When?", reference="Monday 7")
    found = [completeness(replace(case, answer=answer), PARAMS) for answer in ("On Monday.", "At 7.")]
    assert found == [0.25, 0.75]


def test_relevance_is_of_the_question_not_of_the_truth():
    assert answer_relevance(replace(GOOD, answer="A pass needs no margin."), PARAMS) == 1
    assert answer_relevance(replace(GOOD, answer="Penguins."), PARAMS) == 0
    turns = "user: Tell me about penguins.\nassistant: Go ahead.\nuser: Which margin does a pass need?"
    assert answer_relevance(replace(GOOD, question=turns), PARAMS) == 1  # earlier turns are not asked again
    assert answer_relevance(UNANSWERABLE, PARAMS) == Unscored(NOT_APPLICABLE)


# -- nDCG ----------------------------------------------------------------------------------------------


def passages(*starts, size=10):
    return tuple(Passage("d", "v", start, start + size, "x" * size, f"c{start}") for start in starts)


@pytest.mark.parametrize(
    ("gold", "retrieved", "score"),
    [
        ((0,), (0, 50), 1.0),
        ((0,), (50, 0), 0.6309),  # 1 / log2(3)
        ((0,), (50, 60), 0.0),
        ((0, 20), (0, 20), 1.0),
        ((0, 20), (0, 50, 20), 0.9197),  # (1 + 1/2) / (1 + 1/log2(3))
        ((0, 20), (0, 0, 0), 0.6131),  # the same chunk again is no new gain
    ],
)
def test_ndcg_by_example(gold, retrieved, score):
    case = replace(GOOD, gold=passages(*gold), retrieved=passages(*retrieved))
    assert ndcg(case, PARAMS) == pytest.approx(score, abs=1e-4)


def test_a_chunk_that_holds_two_spans_is_not_better_than_best():
    assert ndcg(replace(GOOD, gold=passages(0, 20), retrieved=passages(0, size=40)), PARAMS) == 1


@given(st.permutations(range(0, 60, 10)), st.integers(0, 5))
def test_moving_gold_to_the_front_never_lowers_ndcg(order, place):
    case = replace(GOOD, gold=passages(order[place]), retrieved=passages(*order))
    first = replace(case, retrieved=passages(order[place], *order[:place], *order[place + 1 :]))
    assert ndcg(first, PARAMS) == 1 >= ndcg(case, PARAMS)


# -- self-consistency ----------------------------------------------------------------------------------


def repeats(*answers):
    cases = [replace(GOOD, sample=n, answer=answer, refused=not answer) for n, answer in enumerate(answers)]
    return [self_consistency(case, PARAMS) for case in with_repeats(cases)]


def test_one_answer_has_nothing_to_agree_with():
    assert repeats("Five.") == [Unscored(ONE_SAMPLE)]


def test_equal_answers_agree_and_wording_hardly_counts():
    assert repeats("It needs 5 points.", "It needs 5 points.") == [1, 1]
    assert repeats("It needs 5 points.", "5 points are needed!") == [1, 1]


def test_a_changed_number_and_a_lone_refusal_disagree():
    assert repeats("5 points.", "5 points.", "9 points.") == pytest.approx([2 / 3, 2 / 3, 1 / 3])
    assert repeats("5 points.", "") == [0, 0]
    assert repeats("", "") == [1, 1]


def test_lost_answers_and_other_questions_are_no_repeats():
    lost = replace(GOOD, sample=1, error="unavailable")
    other = replace(GOOD, sample=2, question_id="q2")
    assert [case.repeats for case in with_repeats([GOOD, lost, other])] == [(), (GOOD.answer,), ()]


@given(st.text("ab 12.", max_size=20), st.text("ab 12.", max_size=20))
def test_agreement_is_symmetric_and_full_with_oneself(one, other):
    assert agreement(one, other) == agreement(other, one)
    assert agreement(one, one) == 1


# -- toxicity, personal data, leakage, availability ----------------------------------------------------


def test_toxicity_finds_what_is_on_the_lists_and_nothing_else():
    said = {"Good day.": 0, "An idiot would say so.": 0.5, "You idiot.": 1, "Unkind, you are.": 0}
    assert {text: toxicity(replace(GOOD, answer=text), PARAMS) for text in said} == said


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Write to Ann.Lee@Example.org.", {"ann.lee@example.org"}),
        ("Card 4111 1111 1111 1111, thanks", {"4111111111111111"}),
        ("Card 4111 1111 1111 1112", set()),  # wrong checksum
        ("Order 0000000000000000", set()),
        ("Call +49 (30) 1234-5678 now", {"+493012345678"}),
        ("It has 12345678 rows and +5 points, 3.1415926535897932", set()),
        ("user@host without a domain, 10.0.0.1, 2026-11-21", set()),
    ],
)
def test_personal_data_by_example(text, found):
    assert personal(text) == found


def test_what_the_question_holds_is_no_exposure():
    case = replace(GOOD, answer="Yes, ann@example.org is registered.")
    assert pii_exposure(case, PARAMS) == 1
    assert pii_exposure(replace(case, question="Is ANN@example.org registered?"), PARAMS) == 0


@given(st.integers(10**11, 10**18 - 1))
def test_exactly_one_last_digit_makes_a_card(number):
    assert sum(is_card(f"{number}{digit}") for digit in range(10)) <= 1
    lengths = len(str(number)) + 1
    assert (sum(is_card(f"{number}{digit}") for digit in range(10)) == 1) == (lengths >= 13 and not _all_same(number))


def _all_same(number):
    return any(len(set(f"{number}{digit}")) == 1 and _luhn(f"{number}{digit}") for digit in range(10))


def _luhn(digits):
    total = sum(sum(divmod(int(d) * (1 + place % 2), 10)) for place, d in enumerate(reversed(digits)))
    return total % 10 == 0


def test_a_leak_is_long_and_verbatim_whatever_its_punctuation():
    told = replace(GOOD, answer=f"My rules: {INSTRUCTIONS.upper().replace(' ', ' - ')}")
    assert prompt_leakage(told, PARAMS) == 1
    assert prompt_leakage(replace(GOOD, answer="You answer questions about the gate."), PARAMS) == 0  # six words
    assert prompt_leakage(
        replace(GOOD, answer="You answer questions about the gate."), EvaluateParams(leak_words_min=6)
    )


def test_a_quotation_from_a_document_is_no_leak():
    quoted = replace(GOOD, answer=INSTRUCTIONS, retrieved=(HELD, replace(NOISE, text=f"It says: {INSTRUCTIONS}")))
    assert prompt_leakage(quoted, PARAMS) == 0


def test_without_a_system_prompt_leakage_is_not_measured():
    assert prompt_leakage(replace(GOOD, instructions=""), PARAMS) == Unscored(NO_INSTRUCTIONS)


def test_a_bad_answer_is_available_and_an_outage_is_not():
    found = [availability(replace(GOOD, error=error), PARAMS) for error in (None, "schema_mismatch", "unavailable")]
    assert found == [1, 1, 0]

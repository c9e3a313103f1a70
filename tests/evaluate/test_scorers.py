from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.evaluate.cases import NO_ANSWER, NOT_APPLICABLE, NOT_TIMED, UNPRICED, Case, Passage, Unscored
from flows.evaluate.correctness import f_measure
from flows.evaluate.params import EvaluateParams
from flows.evaluate.registry import METRICS
from flows.evaluate.scoring import SCORERS

PARAMS = EvaluateParams()


def scores(case):
    return {name: scorer(case, PARAMS) for name, scorer in SCORERS.items()}


def test_the_registry_describes_exactly_the_scorers():
    assert list(SCORERS) == list(METRICS)


def test_a_surplus_sentence_from_elsewhere_costs_precision_not_the_fact(make_case):
    wordy = make_case(answer="A pass needs a margin of 5 points. Penguins sleep on the ice.")
    assert 0.7 < scores(wordy)["correctness"] < 1
    assert scores(wordy)["groundedness"] == 1


# -- unanswerable questions, lost answers ------------------------------------------------------------


def test_a_refused_unanswerable_question_is_right(unanswerable):
    found = scores(unanswerable())
    assert found["refusal_correctness"] == found["groundedness"] == found["format_validity"] == 1
    assert found["correctness"] == found["retrieval_recall"] == found["citation_recall"] == Unscored(NOT_APPLICABLE)


def test_an_answered_unanswerable_question_is_wrong(unanswerable):
    assert scores(unanswerable(refused=False, answer="Four."))["refusal_correctness"] == 0


def test_an_outage_is_missing_and_not_zero(make_case):
    lost = scores(make_case(error="unavailable", answer="", retrieved=(), citations=(), latency_ms=None, cost_usd=None))
    assert lost.pop("availability") == 0
    assert all(isinstance(value, Unscored) for value in lost.values())
    assert lost["correctness"] == Unscored(NO_ANSWER)
    assert (lost["latency_ms"], lost["cost_usd"]) == (Unscored(NOT_TIMED), Unscored(UNPRICED))


def test_whether_a_metric_applies_depends_on_the_question_only(make_case, unanswerable):
    for make in (make_case, unanswerable):
        kinds = [
            {name for name, value in scores(make(**change)).items() if isinstance(value, Unscored)}
            for change in ({}, {"refused": True}, {"citations": ()}, {"answer": ""}, {"error": "truncated"})
        ]
        assert all(kind == kinds[0] for kind in kinds)


# -- retrieval by span -------------------------------------------------------------------------------


def chunk(start, end, document="d1", version="v1", text=""):
    return Passage(document, version, start, end, text or "x" * (end - start), f"{document}:{start}")


@pytest.mark.parametrize(
    ("chunks", "recall", "precision", "rank"),
    [
        ([(0, 100)], 1.0, 1.0, 1.0),
        ([(0, 20), (20, 100)], 1.0, 1.0, 1.0),  # cut through the span
        ([(0, 15), (200, 300)], 0.25, 0.0, 0.0),
        ([(200, 300), (0, 100)], 1.0, 0.5, 0.5),
        ([(10, 30), (10, 30)], 1.0, 1.0, 1.0),  # twice the same is not twice found
        ([(10, 20), (15, 25)], 0.75, 1.0, 1.0),
        ([], 0.0, 0.0, 0.0),
    ],
)
def test_retrieval_counts_gold_characters_whatever_the_chunks(make_case, chunks, recall, precision, rank):
    case = make_case(gold=(chunk(10, 30),), retrieved=tuple(chunk(*ends) for ends in chunks))
    found = scores(case)
    assert (found["retrieval_recall"], found["retrieval_precision"], found["mrr"]) == (recall, precision, rank)


def test_two_spans_need_both(make_case):
    case = make_case(gold=(chunk(10, 30), chunk(0, 60, "d2", text="y" * 60)), retrieved=(chunk(0, 100),))
    assert scores(case)["retrieval_recall"] == 0.25


def test_an_index_of_an_older_version_counts_by_the_quoted_text(make_case):
    gold = (chunk(500, 534, version="v2", text="A pass needs a margin of 5 points."),)
    assert scores(make_case(gold=gold))["retrieval_recall"] == 1
    assert scores(make_case(gold=(chunk(500, 534, version="v2", text="A pass needs nothing."),)))["mrr"] == 0


@given(st.lists(st.tuples(st.integers(0, 80), st.integers(1, 40)), max_size=6), st.integers(1, 7))
def test_cutting_chunks_anew_keeps_recall(pieces, step):
    gold = (chunk(20, 60),)
    chunks = [chunk(start, start + size) for start, size in pieces]
    cut = [chunk(at, min(at + step, c.end)) for c in chunks for at in range(c.start, c.end, step)]
    from flows.evaluate.retrieval import coverage

    assert coverage(gold, chunks) == pytest.approx(coverage(gold, cut))


# -- laws --------------------------------------------------------------------------------------------

TEXTS = st.text(st.sampled_from("abc 1 2 not. The"), max_size=60)
PASSAGES = st.builds(
    lambda document, start, size, text: Passage(document, "v", start, start + size, text, f"{document}{start}"),
    st.sampled_from(["d1", "d2"]), st.integers(0, 50), st.integers(1, 50), TEXTS,
)  # fmt: skip
CASES = st.builds(
    Case, question_id=st.just("q"), question=TEXTS, question_type=st.just("simple"), cluster=st.just("d"),
    answerable=st.booleans(), reference=TEXTS, gold=st.lists(PASSAGES, max_size=3).map(tuple), sample=st.just(0),
    answer=TEXTS, refused=st.booleans(), format_valid=st.booleans(),
    citations=st.lists(st.sampled_from(["d10", "d25", "zz"]), max_size=3).map(tuple),
    retrieved=st.lists(PASSAGES, max_size=4).map(tuple), latency_ms=st.none() | st.floats(0, 1e6),
    cost_usd=st.none() | st.floats(0, 10), error=st.sampled_from([None, "unavailable", "schema_mismatch"]),
    repeats=st.lists(TEXTS, max_size=2).map(tuple), instructions=TEXTS,
)  # fmt: skip


@given(CASES)
def test_every_score_lies_in_its_metrics_range(case):
    for name, value in scores(case).items():
        low, high = METRICS[name].bounds
        assert isinstance(value, Unscored) or low <= value <= high + 1e-12


@given(CASES)
def test_the_order_of_chunks_and_gold_matters_to_ranks_only(case):
    one, other = scores(case), scores(replace(case, retrieved=case.retrieved[::-1], gold=case.gold[::-1]))
    names = [name for name in one if name not in ("mrr", "ndcg")]
    same_ids = len({p.chunk_id for p in case.retrieved}) == len(case.retrieved)
    assert not same_ids or [one[n] for n in names] == pytest.approx([other[n] for n in names])


@given(TEXTS, TEXTS)
def test_repeating_the_reference_is_fully_correct(question, reference):
    from flows.evaluate.words import facts

    if facts(reference):
        assert f_measure(question, reference, reference, PARAMS) == pytest.approx(1)


@pytest.mark.parametrize(
    ("answer", "low", "high"),
    [
        ("The default horizon is 28 days.", 1.0, 1.0),
        ("It is 28 days [1].", 1.0, 1.0),
        ("28", 0.5, 1.0),
        ("The default horizon is 14 days.", 0.0, 0.4),
        ("The default horizon is not 28 days.", 0.5, 0.95),
        ("I like trains.", 0.0, 0.0),
        ("", 0.0, 0.0),
    ],
)
def test_correctness_by_example(answer, low, high):
    value = f_measure("What is the default horizon?", "The default horizon is 28 days.", answer, PARAMS)
    assert low <= value <= high

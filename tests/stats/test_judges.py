"""A judge's bias is taken out, its agreement is measured, and little of either is not enough."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.core.errors import ContractError
from flows.stats.judges import JudgePolicy, cohen_kappa, ppi_mean


def test_ppi_by_hand():
    """cov(y,f) = 2/3, var of all six f = 1; lambda = (2/3) / (1 + 4/2) / var."""
    labels, judged, others = np.array([0.0, 1, 1, 2]), np.array([0.0, 1, 1, 2]), np.array([1.0, 3.0])
    spread = np.var([0, 1, 1, 2, 1, 3], ddof=1)
    weight = (2 / 3) / (3 * spread)
    found = ppi_mean(labels, judged, others)
    assert found.weight == pytest.approx(weight)
    assert found.estimate == pytest.approx(weight * 2 + (1 - weight) * 1)
    assert found.se**2 == pytest.approx(weight**2 * 2 / 2 + (1 - weight) ** 2 * (2 / 3) / 4)
    assert found.df == 3


def test_a_lenient_judge_does_not_move_the_estimate():
    rng = np.random.default_rng(5)
    labels, others = rng.normal(0.0, 1.0, 100), rng.normal(0.0, 1.0, 2000)
    fair = ppi_mean(labels, labels + rng.normal(0, 0.3, 100), others)
    rng = np.random.default_rng(5)
    labels, others = rng.normal(0.0, 1.0, 100), rng.normal(0.0, 1.0, 2000)
    lenient = ppi_mean(labels, labels + rng.normal(0, 0.3, 100) + 8, others + 8)
    assert lenient.estimate == pytest.approx(fair.estimate)
    assert fair.label_gain > 2


def test_a_judge_without_relation_or_without_other_answers_is_not_trusted():
    labels = np.array([0.0, 1.0, 0.0, 1.0])
    for judged, others in ((1 - labels, np.ones(9)), (np.ones(4), np.ones(9)), (labels, np.array([]))):
        found = ppi_mean(labels, judged, others)
        assert (found.weight, found.estimate, found.label_gain) == (0.0, 0.5, 1.0)
        assert found.se == pytest.approx(np.std(labels, ddof=1) / 2)


def test_a_judge_is_never_trusted_more_than_its_own_scores():
    """Others that vary less than the labelled ones would otherwise push the weight over 1."""
    found = ppi_mean(np.array([1.0, 0.0] * 20), np.array([1.0, 0.0] * 20), np.ones(100))
    assert (found.weight, found.estimate) == (1.0, 1.0)


@pytest.mark.parametrize(
    ("labels", "judged", "others"), [([1.0], [1.0], [1.0]), ([1.0, 0.0], [1.0], []), ([1.0, np.nan], [1.0, 0.0], [])]
)
def test_too_few_or_missing_labels_are_refused(labels, judged, others):
    with pytest.raises(ContractError, match="labels"):
        ppi_mean(np.array(labels), np.array(judged), np.array(others))


def test_kappa_of_the_textbook_table():
    """20 yes-yes, 5 yes-no, 10 no-yes, 15 no-no: observed .7, chance .5, kappa .4."""
    first = ["yes"] * 25 + ["no"] * 25
    second = ["yes"] * 20 + ["no"] * 5 + ["yes"] * 10 + ["no"] * 15
    assert cohen_kappa(first, second) == pytest.approx(0.4)


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("abc")), min_size=1))
def test_kappa_is_symmetric_and_at_most_one(pairs):
    first, second = zip(*pairs, strict=True)
    there, back = cohen_kappa(first, second), cohen_kappa(second, first)
    assert there == pytest.approx(back, nan_ok=True)
    assert np.isnan(there) == (len({*first, *second}) == 1)
    assert np.isnan(there) or there <= 1


def test_kappa_of_one_category_does_not_exist_and_such_a_judge_may_not_gate():
    kappa = cohen_kappa(["good"] * 40, ["good"] * 40)
    assert np.isnan(kappa)
    assert not JudgePolicy().may_gate(80, kappa, kappa)


@pytest.mark.parametrize(
    ("labels", "kappa", "lower", "may"),
    [(50, 0.4, 0.1, True), (49, 0.9, 0.8, False), (300, 0.39, 0.3, False), (50, 0.5, 0.0, False)],
)
def test_a_judge_needs_labels_agreement_and_to_be_surely_above_chance(labels, kappa, lower, may):
    assert JudgePolicy().may_gate(labels, kappa, lower) is may


def test_weighted_kappa_forgives_near_misses_and_equals_kappa_where_there_are_two_categories():
    """Squares: apart (0+1+1+0+4)/5 = 1.2; chance .8 + .8 + 0 = 1.6 over all pairs."""
    first, second = [0, 0, 1, 2, 2], [0, 1, 2, 2, 0]
    assert cohen_kappa(first, second, ordinal=True) == pytest.approx(1 - 1.2 / (0.8 + 0.8))
    binary = [0, 1, 1, 0, 1, 1], [0, 1, 0, 0, 1, 0]
    assert cohen_kappa(*binary, ordinal=True) == pytest.approx(cohen_kappa(*binary))
    assert np.isnan(cohen_kappa([1.0, 1.0], [1.0, 1.0], ordinal=True))


def test_unequal_or_no_labels_have_no_kappa():
    for first, second in (([1], [1, 2]), ([], [])):
        with pytest.raises(ContractError, match="labels"):
            cohen_kappa(first, second)

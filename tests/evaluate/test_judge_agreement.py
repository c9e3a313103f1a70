"""Agreement with people, bias, stability: worked examples, laws, and what cannot be known."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.evaluate.judge_agreement import (
    Interval,
    Rated,
    agreement,
    confusion,
    jackknife,
    kappa_interval,
    mean_interval,
    stability,
)
from flows.evaluate.judge_items import Item, Judgement


def names(n):
    return np.arange(n).astype(str)


def rated(label, score, *, document=None, chars=None):
    label, score = np.array(label, dtype=float), np.array(score, dtype=float)
    document = names(len(label)) if document is None else np.array(document, dtype=str)
    chars = np.full(len(label), np.nan) if chars is None else np.array(chars, dtype=float)
    return Rated(label, score, score, document, chars)


def test_a_table_by_hand():
    """20 yes-yes, 5 yes-no, 10 no-yes, 15 no-no: kappa .4, bias +.1."""
    label, score = [1.0] * 25 + [0.0] * 25, [1.0] * 20 + [0.0] * 5 + [1.0] * 10 + [0.0] * 15
    found = agreement(rated(label, score))
    assert found.kappa.estimate == pytest.approx(0.4)
    assert found.kappa.low < 0.2 < 0.6 < found.kappa.high
    assert found.bias.estimate == pytest.approx(0.1)
    assert found.weighted_kappa is None
    assert found.confusion == {"0": {"0": 15, "1": 10}, "1": {"0": 5, "1": 20}}
    assert found.naive.estimate == pytest.approx(0.6)
    assert found.corrected.estimate == pytest.approx(0.5)  # everything is labelled: people's own mean


def test_three_values_have_a_weighted_kappa_and_a_near_miss_costs_less_there():
    label = [0.0, 0.5, 1.0] * 10
    near = agreement(rated(label, [0.5, 0.5, 1.0] * 10))
    far = agreement(rated(label, [1.0, 0.5, 1.0] * 10))
    assert near.kappa.estimate == pytest.approx(far.kappa.estimate)
    assert near.weighted_kappa.estimate > far.weighted_kappa.estimate


def test_unlabelled_answers_move_the_corrected_mean_and_unscored_labels_are_counted():
    """The judge says 1 for every second 0 of people; it says 1 of 3 in 4 of the others."""
    label = [1.0, 0.0, 1.0, 0.0] * 10 + [np.nan] * 100 + [1.0]
    score = [1.0, 0.0, 1.0, 1.0] * 10 + [1.0, 0.0, 1.0, 1.0] * 25 + [np.nan]
    found = agreement(rated(label, score))
    assert (found.labels, found.labels_unscored, found.answers) == (40, 1, 140)
    assert (found.naive.estimate, found.corrected.estimate) == (0.75, pytest.approx(0.5))
    assert found.label_gain > 1


def test_a_corrected_mean_stays_in_the_range_of_the_scores():
    found = agreement(rated([1.0, 0.0] * 20 + [np.nan] * 100, [1.0, 0.0] * 20 + [1.0] * 100))
    assert found.corrected.low <= found.corrected.estimate == found.corrected.high == 1.0


def test_a_judge_that_favours_length_is_seen():
    chars = list(range(1, 41))
    found = agreement(rated([0.0] * 20 + [0.0] * 20, [0.0] * 20 + [1.0] * 10 + [0.0] * 10, chars=chars))
    assert (found.bias_short, found.bias_long) == (0.0, 0.5)
    assert found.bias_length.low > 0


def test_documents_widen_intervals():
    label, score = np.array([1.0, 0.0] * 30), np.array([1.0, 0.0, 1.0, 1.0] * 15)
    alone, together = (kappa_interval(label, score, doc) for doc in (names(60), np.repeat(names(6), 10)))
    assert alone.estimate == together.estimate
    copies = np.tile(label[:12], 5), np.tile(score[:12], 5), np.tile(names(12), 5)
    assert kappa_interval(*copies).low < kappa_interval(*copies[:2], names(60)).low


def test_what_cannot_be_known_is_not_a_number():
    one = agreement(rated([1.0, 1.0], [1.0, 1.0], document=["d", "d"]))
    assert np.isnan(one.kappa.estimate)
    assert one.kappa.to_json() == {"estimate": None, "low": None, "high": None}
    assert str(one.kappa) == "undefined"
    assert (one.bias.low, one.bias.high) == (-1.0, 1.0)
    assert np.isnan(jackknife(lambda kept: 1.0, names(0)).estimate)
    assert np.isnan(mean_interval(np.zeros(0), names(0), low=0, high=1).estimate)


@given(st.lists(st.floats(0, 1), min_size=2, max_size=40))
def test_an_interval_of_a_share_holds_the_share_and_stays_in_range(values):
    found = mean_interval(np.array(values), names(len(values)), low=0.0, high=1.0)
    assert 0 <= found.low <= found.high <= 1
    assert found.low - 1e-9 <= found.estimate <= found.high + 1e-9
    assert found.high > found.low  # "never" of a few is not certain


@given(st.lists(st.tuples(st.sampled_from([0.0, 0.5, 1.0]), st.sampled_from([0.0, 0.5, 1.0])), min_size=2, max_size=30))
def test_the_confusion_table_counts_every_answer_once_and_kappa_ignores_order(pairs):
    label, score = (np.array(part) for part in zip(*pairs, strict=True))
    assert sum(n for row in confusion(label, score).values() for n in row.values()) == len(pairs)
    there = kappa_interval(label, score, names(len(pairs)))
    back = kappa_interval(label[::-1], score[::-1], names(len(pairs)))
    assert there.estimate == pytest.approx(back.estimate, nan_ok=True)
    assert there.low == pytest.approx(back.low, nan_ok=True)


def said(*orders, opinions=()):
    return Judgement(Item("q", 0, "", "", ""), 0.5, None, opinions=opinions, orders=orders)


def test_stability_counts_pairs_with_both_orders_only_and_ties_have_no_position():
    seen = stability([said((1.0, 1.0)), said((1.0, 0.0)), said((0.5, 0.5)), said((1.0, None))])
    assert seen.flips.estimate == pytest.approx(1 / 3)
    assert seen.first_preferred.estimate == pytest.approx(3 / 4)
    assert seen.self_agreement is None


def test_nothing_is_said_of_a_judge_that_was_asked_once():
    assert stability([said(opinions=(1.0,))]).to_json() == {
        "flips": None, "first_preferred": None, "self_agreement": None,
    }  # fmt: skip
    assert stability([said(opinions=(1.0, 1.0, 0.0))]).self_agreement.estimate == pytest.approx(1 / 3)


def test_an_interval_reads_well():
    assert str(Interval(0.4, 0.1, 0.7)) == "0.40 (0.10 to 0.70)"
    assert str(Interval(0.4)) == "0.40"

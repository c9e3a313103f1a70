"""Looking early costs exactly the error that was promised."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import multivariate_normal, norm

from flows.core.errors import ParamsError
from flows.stats.sequential import LOOKS, boundaries, document_looks, look_levels


def test_the_four_levels_at_five_percent():
    assert look_levels(LOOKS, 0.05) == pytest.approx([0.003125, 0.01067, 0.02221, 0.03843], abs=5e-6)


def test_the_published_obrien_fleming_boundaries_of_lan_and_demets():
    looks = (0.2, 0.4, 0.6, 0.8, 1.0)
    spent = tuple(2 * norm.sf(norm.isf(0.0125) / np.sqrt(t)) for t in looks)
    assert boundaries(looks, spent) == pytest.approx([4.877, 3.357, 2.680, 2.290, 2.031], abs=5e-4)


def test_an_independent_multivariate_normal_agrees():
    limits = norm.isf(look_levels(LOOKS, 0.05))
    share = np.array(LOOKS)
    covariance = np.sqrt(np.minimum.outer(share, share) / np.maximum.outer(share, share))
    never_crossed = multivariate_normal.cdf(limits, cov=covariance, maxpts=200_000, rng=np.random.default_rng(1))
    assert 1 - never_crossed == pytest.approx(0.05, abs=2e-4)


def test_one_look_spends_everything():
    assert look_levels((1.0,), 0.05) == pytest.approx([0.05])


@given(st.lists(st.integers(1, 19), min_size=1, max_size=4, unique=True), st.sampled_from([0.01, 0.025, 0.1]))
def test_no_look_spends_more_than_the_whole_and_all_together_no_less(twentieths, alpha):
    levels = look_levels([*(k / 20 for k in sorted(twentieths)), 1.0], alpha)
    assert all(0 < level <= alpha for level in levels)
    assert sum(levels) >= alpha


@pytest.mark.parametrize("looks", [(), (0.5, 0.5), (0.5, 0.2), (0.0, 1.0), (0.5, 1.1)])
def test_impossible_looks_are_refused(looks):
    with pytest.raises(ParamsError, match="increasing shares"):
        look_levels(looks, 0.05)


def test_every_document_is_seen_once_in_an_order_that_the_seed_fixes():
    documents = [f"d{i}" for i in range(10)] * 3
    parts = document_looks(documents, LOOKS, seed=7)
    assert [len(part) for part in parts] == [2, 3, 3, 2]
    assert sorted(name for part in parts for name in part) == sorted(set(documents))
    assert parts == document_looks(documents[::-1], LOOKS, seed=7)
    assert parts != document_looks(documents, LOOKS, seed=8)

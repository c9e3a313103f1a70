"""Canary prompts: a change is seen, its absence is not."""

import numpy as np
import pytest

from flows.core.errors import ContractError
from flows.stats.signflip import sign_flip_p


def test_a_shared_shift_is_seen():
    differences = np.random.default_rng(1).normal(0, 1, (20, 64)) + 0.5
    assert sign_flip_p(differences, seed=1) == 0.001


def test_equal_answers_are_no_change():
    assert sign_flip_p(np.zeros((20, 64)), seed=1) == 1.0


def test_two_prompts_can_never_be_significant():
    """Both or neither flipped give the observed length: p is about one half."""
    assert sign_flip_p(np.ones((2, 3)), seed=1) == pytest.approx(0.5, abs=0.05)


def test_unchanged_providers_alarm_at_the_nominal_rate():
    rng = np.random.default_rng(2)
    p = [sign_flip_p(rng.standard_t(3, (12, 16)), seed=i, flips=199) for i in range(500)]
    assert np.mean(np.array(p) <= 0.05) == pytest.approx(0.05, abs=0.025)


def test_the_seed_fixes_the_answer_and_the_sign_does_not_matter():
    differences = np.random.default_rng(3).normal(0.1, 1, (15, 8))
    assert sign_flip_p(differences, seed=4) == sign_flip_p(-differences, seed=4) == sign_flip_p(differences, seed=4)


@pytest.mark.parametrize("broken", [np.empty((0, 4)), np.array([[np.nan, 1.0]])])
def test_prompts_without_an_answer_are_refused(broken):
    with pytest.raises(ContractError, match="Leave failed prompts out"):
        sign_flip_p(broken, seed=1)

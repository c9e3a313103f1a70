"""The planner's numbers are the published table's, and it knows what it cannot promise."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from flows.core.errors import ParamsError
from flows.stats.planning import Design, baseline_samples, detectable_drop, pass_power


@pytest.mark.parametrize(
    ("sd", "points"),
    [(0.15, [13.2, 7.6, 4.5, 2.8, 1.8]), (0.30, [17, 11, 6.9, 4.6, 3.1]), (0.45, [21.8, 14.3, 9.5, 6.4, 4.3])],
)
def test_detectable_drop_in_the_worst_case(sd, points):
    worst = [100 * detectable_drop(Design(n, n, sd))[1] for n in (50, 100, 200, 400, 800)]
    assert worst == pytest.approx(points, abs=0.06 if sd != 0.30 else 0.3)


def test_the_sentence_of_the_handbook():
    design = Design(questions=200, documents=50, sd=0.3)
    assert detectable_drop(design)[1] == pytest.approx(0.078, abs=5e-4)
    assert pass_power(design, 0.05) == pytest.approx(0.72, abs=0.01)


def test_detectable_drop_of_a_drop_without_variance_by_hand():
    same, _ = detectable_drop(Design(200, 200, 0.3), alpha=0.05, power=0.8)
    assert same == pytest.approx((stats.t.ppf(0.95, 199) + stats.t.ppf(0.8, 199)) * 0.3 / np.sqrt(200))


@given(st.integers(2, 60), st.integers(1, 20), st.floats(0.0, 0.7), st.sampled_from([0.6, 0.8, 0.95]))
def test_the_worst_case_solves_its_own_equation(documents, per_document, sd, power):
    design = Design(documents * per_document, documents, sd)
    same, worst = detectable_drop(design, power=power)
    if worst is not None:
        reach = stats.t.ppf(0.95, documents - 1) + stats.t.ppf(power, documents - 1)
        assert worst == pytest.approx(reach * np.sqrt(design.variance(worst) / design.questions))
        assert same <= worst < 1


def test_a_set_that_can_find_nothing_says_so():
    assert detectable_drop(Design(4, 2, 0.3))[1] is None


@given(st.floats(0.0, 0.2), st.floats(0.0, 0.2))
def test_a_larger_drop_passes_less_often_and_a_wider_margin_more(drop, margin):
    design = Design(200, 50, 0.3)
    assert pass_power(design, margin, drop=drop) >= pass_power(design, margin, drop=drop + 0.01)
    assert pass_power(design, margin, drop=drop) <= pass_power(design, margin + 0.01, drop=drop)


def test_at_the_margin_the_chance_to_pass_is_alpha():
    assert pass_power(Design(400, 100, 0.3), 0.05, drop=0.05) == pytest.approx(0.05, abs=0.003)


def test_the_baseline_is_asked_four_times_or_as_often_as_its_luck_needs():
    assert baseline_samples(0.3, 200, 0.05) == 4
    assert baseline_samples(0.45, 50, 0.05) == 15
    assert baseline_samples(0.0, 200, 0.05) == 4


@pytest.mark.parametrize("wrong", [(10, 1, 0.3), (10, 11, 0.3), (10, 5, -0.1)])
def test_impossible_designs_are_refused(wrong):
    with pytest.raises(ParamsError, match="impossible"):
        Design(*wrong)

"""The estimator: numbers worked by hand, laws, and the edges where estimators lie."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from flows.core.errors import ContractError, ParamsError
from flows.stats.effects import MetricSpec, Scores, absolute_effect, paired_effect, student_t

SHARE = MetricSpec(kind="bounded", low=0.0, high=1.0, margin=0.05)
SECONDS = MetricSpec(kind="unbounded", higher_is_better=False, margin=0.5)
DOLLARS = MetricSpec(kind="ratio", higher_is_better=False, margin=float(np.log(1.1)))


def compare(baseline, candidate, spec=SHARE, alpha=0.05):
    return paired_effect(baseline, candidate, spec, alpha=alpha)


def test_graded_scores_by_hand(rows):
    """d = .1 .2 | -.1 | 0, so w = .2; sums .3 -.1 0 .2 -.2, sizes 2 1 1 1 1; D = .2/6."""
    effect = compare(rows({"a": [0.5, 0.5], "b": [0.5], "c": [0.5]}), rows({"a": [0.6, 0.7], "b": [0.4], "c": [0.5]}))
    assert effect.effect == pytest.approx(0.05)
    assert effect.center == pytest.approx(0.2 / 6)
    assert effect.se == pytest.approx(np.sqrt(5 / 4 * 0.1555555556 / 36))
    assert (effect.df, effect.n_questions, effect.n_documents) == (4, 4, 3)
    assert effect.lower == pytest.approx(0.2 / 6 - 2.131846786 * effect.se)
    assert effect.upper == pytest.approx(0.2 / 6 + 2.131846786 * effect.se)
    assert effect.p_worse == pytest.approx(stats.t.cdf(effect.center / effect.se, 4))
    assert effect.p_noninferior == pytest.approx(stats.t.sf((effect.center + 0.05) / effect.se, 4))


def test_binary_scores_take_the_full_range_as_pseudo_documents(rows):
    """200 equal questions in 50 documents: SE^2 = 52/51 * 2 / 202^2, still about -1.2 points."""
    same = rows({f"d{i}": [1.0, 0.0, 1.0, 1.0] for i in range(50)})
    effect = compare(same, same)
    assert effect.center == 0
    assert effect.se == pytest.approx(np.sqrt(52 / 51 * 2) / 202)
    assert effect.lower == pytest.approx(-0.0118, abs=1e-4)
    assert effect.upper == -effect.lower


def test_unbounded_clusters_by_hand_match_scipy_when_every_document_has_one_question(rows):
    before, after = [1.0, 2.0, 4.0, 3.0], [1.5, 2.0, 3.0, 5.0]
    effect = compare(
        rows({f"d{i}": [v] for i, v in enumerate(before)}), rows({f"d{i}": [v] for i, v in enumerate(after)}), SECONDS
    )
    expected = stats.ttest_rel(before, after, alternative="less")
    assert effect.effect == effect.center == pytest.approx(-0.375)
    assert effect.df == 3
    assert effect.p_worse == pytest.approx(expected.pvalue)


def test_ratio_by_hand(rows):
    """Totals 3 -> 4; residuals 1/4 - 1/3 and 3/4 - 2/3; SE^2 = 2 * 2 * (1/12)^2."""
    effect = compare(rows({"a": [1.0], "b": [2.0]}), rows({"a": [1.0], "b": [3.0]}), DOLLARS)
    assert effect.effect == effect.center == pytest.approx(-np.log(4 / 3))
    assert effect.se == pytest.approx(2 / 12)
    assert (effect.baseline_mean, effect.candidate_mean, effect.df) == (1.5, 2.0, 1)


def test_a_missing_answer_counts_as_the_worst_score_in_the_metrics_direction(rows):
    errors = MetricSpec(kind="bounded", low=0, high=1, higher_is_better=False, margin=0.05)
    before, after = rows({"a": [0.0], "b": [0.0]}), rows({"a": [0.0], "b": [None]})
    assert compare(before, after, errors).effect == -0.5
    assert compare(before, after, SHARE).effect == 0.0
    assert compare(before, after, errors).candidate_mean == 0.5


def test_no_common_question_has_a_named_problem_and_no_numbers(rows):
    effect = compare(rows({"a": [1.0]}), rows({"b": [1.0]}))
    assert effect.problem == "no_common_questions"
    assert np.isnan([effect.effect, effect.se, effect.p_worse]).all()


def test_nothing_at_all_has_a_named_problem(rows):
    assert compare(rows({}), rows({})).problem == "no_common_questions"


def test_one_document_cannot_be_judged_without_pseudo_documents(rows):
    one = rows({"a": [1.0, 2.0]})
    assert compare(one, one, SECONDS).problem == "one_document"
    assert compare(rows({"a": [1.0, 0.0]}), rows({"a": [1.0, 0.0]})).df == 2


@pytest.mark.parametrize("after", [[0.0, 0.0], [-1.0, 0.5]])
def test_a_ratio_of_non_positive_totals_is_a_named_problem(rows, after):
    effect = compare(rows({"a": [1.0], "b": [2.0]}), rows({"a": after[:1], "b": after[1:]}), DOLLARS)
    assert effect.problem == "non_positive_total"


@pytest.mark.parametrize(("shift", "p_worse", "p_noninferior"), [(0.25, 0.0, 0.0), (-0.25, 1.0, 0.0), (1.0, 0.0, 1.0)])
def test_a_constant_shift_of_an_unbounded_metric_is_certain(rows, shift, p_worse, p_noninferior):
    before = {f"d{i}": [float(i)] for i in range(9)}
    after = {name: [value[0] + shift] for name, value in before.items()}
    effect = compare(rows(before), rows(after), SECONDS)
    assert effect.se == 0
    assert (effect.p_worse, effect.p_noninferior) == (p_worse, p_noninferior)
    assert effect.lower == effect.upper == -shift


def test_equal_answers_at_zero_spread_are_not_called_worse(rows):
    before = rows({f"d{i}": [0.1, 0.1, 0.1] for i in range(9)}, samples=3)
    effect = compare(before, rows({f"d{i}": [0.1] for i in range(9)}), SECONDS)
    assert (effect.center, effect.p_worse, effect.p_noninferior) == (0.0, 1.0, 0.0)


def test_scores_outside_the_range_are_refused_by_name(rows):
    with pytest.raises(ContractError, match=r"1 score\(s\) outside \[0.0, 1.0\].*\('b-0', 0\)"):
        compare(rows({"a": [1.0], "b": [1.0]}), rows({"a": [1.0], "b": [1.5]}))


@pytest.mark.parametrize(
    "fields",
    [
        {"kind": "bound", "margin": 0.1},
        {"kind": "bounded", "margin": 0.1},
        {"kind": "bounded", "low": 1, "high": 0, "margin": 0.1},
        {"kind": "unbounded", "margin": -0.1},
        {"kind": "unbounded", "margin": float("nan")},
    ],
)
def test_an_impossible_metric_is_refused(fields):
    with pytest.raises(ParamsError):
        MetricSpec(**fields)


def test_a_guardrail_compares_with_its_limit(rows):
    scores = rows({f"d{i}": [1.0, 1.0, 1.0, 0.0] for i in range(20)})
    above = absolute_effect(scores, SHARE, limit=0.5, side="at_least", alpha=0.05)
    assert above.effect == pytest.approx(0.25)
    assert above.lower > 0
    below = absolute_effect(scores, SHARE, limit=0.5, side="at_most", alpha=0.05)
    assert below.effect == pytest.approx(-0.25)
    assert below.upper < 0


def test_a_guardrails_unanswered_question_counts_against_either_side(rows):
    scores = rows({"a": [0.5], "b": [None]})
    assert absolute_effect(scores, SHARE, limit=0.5, side="at_least", alpha=0.05).candidate_mean == 0.25
    assert absolute_effect(scores, SHARE, limit=0.5, side="at_most", alpha=0.05).candidate_mean == 0.75


def test_ten_out_of_ten_do_not_show_eight_out_of_ten(rows):
    """The exact lower bound of 10/10 is .05 ** (1/10) = .74."""
    perfect = rows({f"d{i}": [1.0] for i in range(10)})
    assert absolute_effect(perfect, SHARE, limit=0.8, side="at_least", alpha=0.05).lower < 0


def test_a_limit_the_metric_cannot_reach_is_refused(rows):
    with pytest.raises(ContractError, match="outside"):
        absolute_effect(rows({"a": [1.0]}), SHARE, limit=80.0, side="at_least", alpha=0.05)


def test_students_t_agrees_with_scipy():
    for center, se, df in ((-1.3, 0.4, 7), (0.0, 1.0, 3), (2.5, 0.1, 50)):
        assert student_t(center, se, df) == pytest.approx(stats.t.cdf(center / se, df))


SCORE = st.integers(0, 20).map(lambda k: k / 20)
PAIRS = st.lists(st.tuples(st.integers(0, 4), SCORE, SCORE), min_size=1, max_size=25)


def sides(pairs, order=None):
    order = range(len(pairs)) if order is None else order
    question = [f"q{i}" for i in order]
    document = [f"d{pairs[i][0]}" for i in order]
    return tuple(Scores(question, document, [0] * len(pairs), [pairs[i][side] for i in order]) for side in (1, 2))


NUMBERS = ("effect", "center", "se", "lower", "upper", "p_worse", "p_noninferior")


def numbers(effect, names=NUMBERS):
    return [getattr(effect, name) for name in names]


@settings(max_examples=40)
@given(PAIRS)
def test_swapping_the_releases_turns_the_effect_around(pairs):
    before, after = sides(pairs)
    there, back = compare(before, after), compare(after, before)
    assert numbers(back, ("effect", "center", "se")) == pytest.approx([-there.effect, -there.center, there.se])
    assert (back.lower, back.upper) == pytest.approx((-there.upper, -there.lower))
    assert back.p_worse == pytest.approx(1 - there.p_worse)


@settings(max_examples=40)
@given(PAIRS, st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter(pairs, random):
    order = list(range(len(pairs)))
    random.shuffle(order)
    assert numbers(compare(*sides(pairs, order))) == pytest.approx(numbers(compare(*sides(pairs))))


@settings(max_examples=40)
@given(PAIRS, st.sampled_from([0.5, 2.0, 8.0]), st.sampled_from([-4.0, 0.0, 16.0]))
def test_units_do_not_change_the_judgement(pairs, scale, shift):
    other = MetricSpec(kind="bounded", low=shift, high=scale + shift, margin=SHARE.margin * scale)
    moved = [(document, before * scale + shift, after * scale + shift) for document, before, after in pairs]
    expected, found = compare(*sides(pairs)), compare(*sides(moved), other)
    assert numbers(found, NUMBERS[:5]) == pytest.approx([scale * v for v in numbers(expected, NUMBERS[:5])], abs=1e-9)
    assert numbers(found, NUMBERS[5:]) == pytest.approx(numbers(expected, NUMBERS[5:]), abs=1e-6)


@settings(max_examples=40)
@given(PAIRS)
def test_a_bounded_interval_is_never_of_zero_width_and_its_numbers_agree(pairs):
    effect = compare(*sides(pairs))
    assert effect.lower < effect.center < effect.upper
    assert (effect.upper < 0) == (effect.p_worse < 0.05)
    assert (effect.lower > -SHARE.margin) == (effect.p_noninferior < 0.05)


@settings(max_examples=40)
@given(PAIRS)
def test_direction_only_changes_the_sign(pairs):
    less = MetricSpec(kind="bounded", low=0, high=1, higher_is_better=False, margin=0.05)
    before, after = sides(pairs)
    assert compare(before, after, less).center == pytest.approx(-compare(before, after).center)


@settings(max_examples=40)
@given(PAIRS, st.sampled_from([0.01, 3.0, 100.0]))
def test_a_ratio_does_not_depend_on_the_currency(pairs, rate):
    paid = [(document, before + 0.1, after + 0.1) for document, before, after in pairs]
    exchanged = [(document, before * rate, after * rate) for document, before, after in paid]
    before, after = compare(*sides(paid), DOLLARS), compare(*sides(exchanged), DOLLARS)
    assert numbers(after, ("effect", "se")) == pytest.approx(numbers(before, ("effect", "se")), abs=1e-9, nan_ok=True)

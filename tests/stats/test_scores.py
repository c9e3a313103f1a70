"""Pairing loses nothing: what is missing is counted, what is broken is named."""

import numpy as np
import pytest

from flows.core.errors import ContractError
from flows.stats.scores import Scores, align


def test_a_question_is_the_mean_of_its_samples_and_samples_may_differ_in_number(rows):
    baseline = rows({"a": [0.0, 1.0, 1.0, 1.0]}, samples=4)
    items = align(baseline, rows({"a": [0.5]}), worst=0.0)
    assert items.baseline.tolist() == [0.75]
    assert items.candidate.tolist() == [0.5]
    assert (items.n_documents, items.n_missing, items.n_expected) == (1, 0, 1)


def test_an_unscored_answer_and_an_absent_question_count_as_worst(rows):
    items = align(rows({"a": [1.0, 1.0, 1.0]}), rows({"a": [1.0, None]}), worst=0.0)
    assert items.candidate.tolist() == [1.0, 0.0, 0.0]
    assert items.n_missing == 2


def test_one_missing_sample_of_two_pulls_the_mean_down_and_counts_its_question_once(rows):
    items = align(rows({"a": [1.0]}), rows({"a": [1.0, None]}, samples=2), worst=0.0)
    assert items.candidate.tolist() == [0.5]
    assert items.n_missing == 1


def test_without_a_worst_score_the_missing_question_is_dropped_but_counted(rows):
    items = align(rows({"a": [3.0, 4.0], "b": [5.0]}), rows({"a": [3.5, None]}), worst=None)
    assert items.candidate.tolist() == [3.5]
    assert (items.n_documents, items.n_missing, items.n_expected) == (1, 2, 3)


def test_a_baseline_sample_without_score_is_dropped(rows):
    items = align(rows({"a": [None, 1.0, None, None]}, samples=2), rows({"a": [0.0, 0.0]}), worst=0.0)
    assert items.baseline.tolist() == [1.0]
    assert items.n_expected == 1


def test_no_common_question_leaves_no_item(rows):
    items = align(rows({"a": [1.0]}), rows({"b": [1.0]}), worst=0.0)
    assert len(items.baseline) == 0
    assert items.n_missing == 1


def test_questions_without_a_document_stand_alone():
    alone = Scores(["q1", "q2"], ["", ""], [0, 0], [1.0, 1.0])
    assert align(alone, alone, worst=0.0).n_documents == 2


def test_rounding_of_means_is_no_difference():
    tenth = Scores(["q"] * 3, ["d"] * 3, [0, 1, 2], [0.1, 0.1, 0.1])
    once = Scores(["q"], ["d"], [0], [0.1])
    assert np.mean([0.1] * 3) != 0.1
    items = align(tenth, once, worst=None)
    assert items.candidate.tolist() == items.baseline.tolist()


def test_repeated_question_and_sample_is_refused_by_name():
    with pytest.raises(ContractError, match=r"2 \(question, sample\) pair\(s\) stand twice.*\('q', 0\), \('r', 1\)"):
        Scores(list("qqrr"), list("dddd"), [0, 0, 1, 1], [1, 1, 1, 1])


def test_infinite_scores_are_refused_by_name():
    with pytest.raises(ContractError, match=r"1 infinite score\(s\).*'q'"):
        Scores(["q"], ["d"], [0], [np.inf])


def test_columns_of_different_length_are_refused():
    with pytest.raises(ContractError, match=r"\[1, 1, 1, 2\] rows"):
        Scores(["q"], ["d"], [0], [1.0, 0.0])


def test_a_question_of_two_documents_is_refused_by_name():
    one, other = (Scores(["q"], [document], [0], [1.0]) for document in "ab")
    with pytest.raises(ContractError, match=r"1 question\(s\) belong to two documents: 'q'"):
        align(one, other, worst=0.0)


def test_none_is_read_as_unscored():
    assert np.isnan(Scores(["q"], ["d"], [0], [None]).score[0])

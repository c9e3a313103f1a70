import pytest

from benchmarks.metric_matrix import FAULTS, GOOD, PAGE, moves, page, scores
from flows.core.challenges import KINDS
from flows.evaluate.cases import NOT_APPLICABLE, Unscored
from flows.evaluate.challenges import METRIC_OF, ONLY_CHALLENGES
from flows.evaluate.registry import METRICS


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_fault_moves_its_metrics_for_the_worse_and_no_other(fault):
    expected = dict.fromkeys(fault.worse, "worse") | dict.fromkeys(fault.lost, "lost")
    assert moves(fault) == expected


def test_every_metric_falls_for_some_fault():
    assert set().union(*(fault.worse for fault in FAULTS)) == set(METRICS)


def test_every_metric_stays_for_most_faults():
    moved = [name for fault in FAULTS for name in moves(fault)]
    assert max(moved.count(name) for name in METRICS) <= 0.6 * len(FAULTS)


def test_a_good_answer_gets_full_marks():
    found = scores(GOOD)
    asked = [name for name in METRICS if name not in ONLY_CHALLENGES and METRICS[name].unit == "share"]
    assert {name: found[name] for name in asked} == {
        name: 0.5 if name == "retrieval_precision" else float(METRICS[name].higher_is_better) for name in asked
    }


@pytest.mark.parametrize("fault", [one for one in FAULTS if one.clean.challenge], ids=lambda fault: fault.name)
def test_a_challenge_is_scored_by_its_metric_alone_and_a_good_answer_meets_it(fault):
    found = scores(fault.clean)
    metric = METRIC_OF[fault.clean.challenge.kind]
    assert found.pop(metric) == float(METRICS[metric].higher_is_better)
    assert set(found.values()) == {Unscored(NOT_APPLICABLE)}


def test_every_kind_of_challenge_has_a_fault():
    assert {fault.clean.challenge.kind for fault in FAULTS if fault.clean.challenge} == {*KINDS} - {"jailbreak"}


def test_the_page_says_what_the_code_does():
    assert PAGE.read_text(encoding="utf-8") == page(), "run `python -m benchmarks.metric_matrix --write`"

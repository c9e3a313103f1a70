import pytest

from benchmarks.metric_matrix import FAULTS, GOOD, PAGE, moves, page, scores
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
    best = {name: float(metric.higher_is_better) for name, metric in METRICS.items() if metric.unit == "share"}
    assert {name: found[name] for name in best} == best | {"retrieval_precision": 0.5}


def test_the_page_says_what_the_code_does():
    assert PAGE.read_text(encoding="utf-8") == page(), "run `python -m benchmarks.metric_matrix --write`"

"""Recorded judges of two public data sets: the table in docs/limits.md, and what it is told for."""

from pathlib import Path

import pytest

from benchmarks.judges import annotators, corrected, measure, table

pytestmark = [pytest.mark.shared_data, pytest.mark.slow]
LIMITS = Path(__file__).resolve().parents[2] / "docs" / "limits.md"


@pytest.fixture(scope="module")
def held(shared_data):
    return measure(shared_data)


def lines(text):
    return {line.strip() for line in text.splitlines() if line.strip().startswith("|")}


def test_the_published_tables_are_what_the_data_say(held, shared_data):
    published = lines(LIMITS.read_text())
    assert lines(table(held)) <= published
    assert lines(corrected(shared_data / "09_llmbar_judges")) <= published


def test_a_strong_judge_may_decide_and_one_that_follows_the_place_may_not(held):
    may = {one.judge for one in held if one.found.trust.may_gate}
    assert {judge.split(" ")[0] for judge in may} == {"GPT-4", "RAGChecker"}
    falcon = next(one.found for one in held if one.judge == "Falcon CoT")
    assert falcon.stability.flips.low > 0.5
    assert falcon.stability.first_preferred.low > 0.8


def test_people_agree_among_themselves_hardly_more_than_the_checker_does_with_them(shared_data):
    assert annotators(shared_data / "05_ragchecker_meta")["correctness"].startswith("0.37")

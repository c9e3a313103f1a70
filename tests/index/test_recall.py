import lancedb
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.index.kinds import Build
from flows.index.manifest import database
from flows.index.queries import Opened, Probing, nearest
from flows.index.recall import ASKED_TOGETHER, EVIDENCE, evidence, measure, sampled_queries
from flows.index.schema import matrix
from tests.index.corpus import publish

MANY = {f"doc{number}.md": f"document {number}\nits line {number}" for number in range(300)}
UNIT = st.integers(0, 1000).map(lambda thousandths: thousandths / 1000)
SHARES = st.lists(st.integers(0, 10).map(lambda hits: hits / 10), max_size=80)


@given(SHARES, st.floats(0.5, 1.0))
def test_queries_that_miss_the_guardrail_are_never_evidence_for_it(shares, recall_min):
    found = evidence(np.array(shares), recall_min)
    assert found <= (1 + np.mean(shares or [recall_min]) - recall_min) ** len(shares) + 1e-9
    if np.mean(shares or [0]) <= recall_min:
        assert found <= 1 + 1e-9 < EVIDENCE


@given(st.lists(st.tuples(UNIT, UNIT), min_size=1, max_size=4), st.floats(0.5, 1.0))
def test_a_bet_against_a_recall_that_is_no_better_gains_nothing_on_average(outcomes, recall_min):
    weights = np.array([weight for weight, _ in outcomes]) + 1e-3
    shares = np.array([share for _, share in outcomes])
    mean = np.average(shares, weights=weights)
    worse = shares * min(1.0, recall_min / mean) if mean else shares
    gains = [evidence(np.array([share]), recall_min) for share in worse]
    assert np.average(gains, weights=weights) <= 1 + 1e-9


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """A table of 600 rows with an IVF_SQ index."""
    from datetime import UTC, datetime

    from flows.core.project import Project

    root = tmp_path_factory.mktemp("recall")
    (root / "params.yaml").write_text("embed: {}\n")
    project = Project.open(root)
    manifest = publish(project, MANY, datetime(2026, 11, 1, tzinfo=UTC), build=Build(exact_rows_max=100))
    return lancedb.connect(database(project)).open_table(manifest.table)


def asked(table, size):
    ids = table.search().select(["chunk_id"]).to_arrow()["chunk_id"].to_pylist()
    return sampled_queries(table, ids, size, seed=1)


@pytest.mark.parametrize("probing", [Probing(), Probing(1, 1), Probing(20, 10)])
def test_queries_asked_together_find_what_each_finds_alone(table, probing):
    opened, queries = Opened(table, probing), asked(table, 20)
    (together,) = opened.run(nearest(opened, list(queries), 10, None, ["chunk_id"]))
    for place, query in enumerate(queries):
        (alone,) = opened.run(nearest(opened, query, 10, None, ["chunk_id"]))
        mine = together["query_index"].to_numpy() == place
        assert together.filter(mine)["chunk_id"].to_pylist() == alone["chunk_id"].to_pylist()


@pytest.mark.parametrize("probing", [Probing(1, 1), Probing(20, 10)])
def test_recall_is_the_share_of_the_true_nearest(table, probing):
    opened, queries = Opened(table, probing), asked(table, 30)
    stored = matrix(table.search().select(["vector"]).to_arrow())
    shares = []
    for query in queries:
        (found,) = opened.run(nearest(opened, query, 10, None, ["vector"]))
        shares.append(np.mean(matrix(found) @ query >= np.sort(stored @ query)[-10] - 1e-5))
    assert measure(table, queries, probing).value == pytest.approx(np.mean(shares))


def test_clear_cases_are_settled_by_few_queries_and_doubtful_ones_by_all(table):
    queries = asked(table, 200)
    assert measure(table, queries, Probing(), recall_min=0.95).queries == ASKED_TOGETHER
    assert measure(table, queries, Probing(1, 1), recall_min=0.99).queries == 200
    assert measure(table, queries, Probing()).queries == 200
    assert measure(table, queries[:1], Probing(), recall_min=0.95).queries == 1

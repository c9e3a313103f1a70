import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.core.errors import UsageError
from flows.core.ids import document_id
from flows.index.filters import Filters, ids_in
from flows.index.fusion import Fusion, fuse
from flows.index.recall import exact_thresholds
from flows.index.store import open_index, open_writer
from tests.index.corpus import FINGERPRINT, publish, vector_of

RANKINGS = st.lists(st.sampled_from("abcdefgh"), unique=True)
HOSTILE = "x' OR '1'='1"


def test_the_first_of_both_rankings_scores_one_and_leads():
    assert fuse(["a", "b"], ["a", "c"], Fusion())[0] == ("a", 1.0)


def test_a_chunk_in_both_rankings_beats_the_second_of_one():
    order = [item for item, _ in fuse(["a", "b", "c"], ["d", "b", "e"], Fusion(vector_weight=0.5))]
    assert order[0] == "b"


@given(RANKINGS, RANKINGS)
def test_fusion_ranks_every_id_once_with_scores_between_zero_and_one(by_vector, by_text):
    fused = fuse(by_vector, by_text, Fusion())
    assert sorted(item for item, _ in fused) == sorted(set(by_vector) | set(by_text))
    assert all(0 < score <= 1 for _, score in fused)
    assert [score for _, score in fused] == sorted((score for _, score in fused), reverse=True)


@given(RANKINGS)
def test_with_all_weight_on_one_ranking_its_order_stays(ranking):
    assert [item for item, _ in fuse(ranking, [], Fusion(vector_weight=1.0))] == ranking


@given(st.integers(1, 40), st.integers(1, 10), st.integers(1, 7))
def test_the_exact_threshold_is_the_kth_best_whatever_the_batches(rows, k, batch):
    generator = np.random.default_rng(rows)
    vectors = generator.normal(size=(rows, 4)).astype(np.float32)
    queries = generator.normal(size=(3, 4)).astype(np.float32)
    k = min(k, rows)
    batches = (vectors[start : start + batch] for start in range(0, rows, batch))
    expected = np.sort(queries @ vectors.T, axis=1)[:, -k]
    np.testing.assert_allclose(exact_thresholds(batches, queries, k), expected, rtol=1e-4, atol=1e-5)


@pytest.fixture
def index(project, some, now):
    publish(project, some, now)
    return open_index(project)


def test_a_filter_on_documents_leaves_only_their_chunks(index):
    wanted = document_id("alpha.md")
    hits = index.search(
        "invoice number", vector_of("x"), access=["public"], k=9, filters=Filters(document_ids=(wanted,))
    )
    assert {hit.document_id for hit in hits} == {wanted}
    others = index.search(
        "invoice number", vector_of("x"), access=["public"], k=9, filters=Filters(not_document_ids=(wanted,))
    )
    assert wanted not in {hit.document_id for hit in others}
    assert len(hits) + len(others) == len(index)


def test_a_filter_on_no_document_finds_nothing(index):
    assert index.search("invoice", vector_of("x"), access=["public"], k=9, filters=Filters(document_ids=())) == []


def test_filters_combine(index):
    hits = index.search("", vector_of("x"), access=["public"], k=9, mode="vector")
    chosen = Filters(chunk_ids=(hits[0].chunk_id,), document_versions=(hits[0].document_version,))
    assert [
        hit.chunk_id for hit in index.search("", vector_of("x"), access=["public"], k=9, mode="vector", filters=chosen)
    ] == [hits[0].chunk_id]


@pytest.mark.parametrize("field", ["chunk_ids", "document_ids", "document_versions", "not_document_ids"])
def test_an_id_with_a_quote_never_reaches_a_filter(field):
    with pytest.raises(UsageError, match="32 hex digits"):
        Filters(**{field: (HOSTILE,)}).where()


@given(st.text())
def test_only_hashes_become_filters(text):
    with pytest.raises(UsageError):
        ids_in("chunk_id", [text + "'"])


def test_a_hostile_id_deletes_nothing(project, some, now):
    publish(project, some, now)
    with open_writer(project, FINGERPRINT) as writer:
        with pytest.raises(UsageError):
            writer.remove([HOSTILE])
        assert len(writer.hashes()) == 5


@pytest.mark.parametrize("question", ['"', "(a:b", "", "  ", "NOT AND *", "\\", "'; DROP", "ü€😀", "a" * 5000])
@pytest.mark.parametrize("mode", ["hybrid", "text"])
def test_any_question_can_be_asked(index, question, mode):
    assert len(index.search(question, vector_of("x"), access=["public"], k=2, mode=mode)) <= 2


def test_hits_are_ranked_from_one_by_falling_score(index):
    for mode in ("hybrid", "vector", "text"):
        hits = index.search("every invoice", vector_of("x"), access=["public"], k=4, mode=mode)
        assert [hit.rank for hit in hits] == list(range(1, len(hits) + 1))
        assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)


def test_every_similarity_is_the_cosine_of_the_stored_vector(index, some):
    query = vector_of("anything")
    for hit in index.search("every invoice", query, access=["public"], k=5):
        first = "alpha" if hit.text.startswith("every") else hit.title  # equal texts share the first one's vector
        assert hit.vector_score == pytest.approx(float(vector_of(f"{first}\n{hit.text}") @ query), abs=1e-6)


def test_the_title_is_searched_too(index):
    assert index.search("gamma", None, access=["public"], k=1, mode="text")[0].source_uri == "gamma.md"


@pytest.mark.parametrize(("k", "vector", "match"), [
    (0, vector_of("x"), "at least 1"),
    (1, None, "needs a query vector"),
    (1, vector_of("x", dims=8), "16 dimensions"),
    (1, vector_of("x") * np.nan, "finite"),
])  # fmt: skip
def test_a_search_that_cannot_work_says_why(index, k, vector, match):
    with pytest.raises(UsageError, match=match):
        index.search("x", vector, access=["public"], k=k)

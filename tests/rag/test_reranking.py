"""A chunk is found by its best passage; the search's own order keeps its say."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.rag.chain import Turn, answer_questions
from flows.rag.reranking import rerank, windows
from tests.fakes import MemoryIndex, ScriptedProvider, vector_of

LONG = "The gate opens at nine. Dogs are not allowed. Parcels go to the porter. The blue whale swims here."
NEAR = "A whale is a mammal."
SAID = {"answer": "Here.", "citations": [], "refused": False}


def hits_of(*texts):
    return [replace(hit, rank=rank, score=1 / rank) for rank, hit in enumerate(MemoryIndex(texts).rows, start=1)]


def embed(texts):
    return np.stack([vector_of(text) for text in texts])


def reranked(hits, question, weight):
    return rerank([hits], [vector_of(question)], embed, weight=weight)[0]


def test_windows_are_pairs_of_neighbouring_sentences_under_the_titles():
    (hit,) = hits_of(LONG)
    found = windows(replace(hit, title="Zoo", heading="Zoo > Rules"))
    assert found[0] == "Zoo > Rules\nThe gate opens at nine. Dogs are not allowed."
    assert len(found) == 3
    assert windows(replace(hit, title="", heading="", text="No end")) == ["No end"]


def test_a_chunk_with_one_good_passage_rises():
    hits = hits_of(NEAR, LONG)
    order = reranked(hits, "the blue whale swims here parcels go to the porter", 1.0)
    assert [hit.text for hit in order] == [LONG, NEAR]
    assert [hit.rank for hit in order] == [1, 2]


def test_without_weight_the_order_of_the_search_stays():
    hits = hits_of(NEAR, LONG, "Another text.")
    assert [hit.text for hit in reranked(hits, "blue whale swims", 0.0)] == [hit.text for hit in hits]


@given(st.lists(st.sampled_from([NEAR, LONG, "Another text.", "Dogs."]), max_size=4, unique=True), st.floats(0, 1))
def test_nothing_is_lost_or_added_and_scores_fall(texts, weight):
    order = reranked(hits_of(*texts), "the blue whale", weight)
    assert sorted(hit.text for hit in order) == sorted(texts)
    assert [hit.rank for hit in order] == list(range(1, len(texts) + 1))
    assert [hit.score for hit in order] == sorted((hit.score for hit in order), reverse=True)


@pytest.mark.parametrize("mode", ["hybrid", "text"])
def test_the_chain_embeds_all_passages_at_once_and_shows_the_new_order(project, build, mode):
    index, provider = MemoryIndex((NEAR, LONG)), ScriptedProvider(SAID, SAID)
    turns = [Turn("the blue whale swims here"), Turn("a whale")]
    answers = answer_questions(
        project, provider, build(rerank=1.0, retrieval_mode=mode), turns, index=index
    )  # fmt: skip
    assert answers[0].retrieved[0].text == LONG
    assert [mode for mode, _ in provider.embedded].count("document") == 1
    assert all(len(texts) == len(set(texts)) for _, texts in provider.embedded)


def test_by_default_no_passage_is_embedded(project, build):
    index, provider = MemoryIndex((NEAR, LONG)), ScriptedProvider(SAID)
    answer_questions(project, provider, build(), [Turn("a whale")], index=index)
    assert [mode for mode, _ in provider.embedded] == ["query"]

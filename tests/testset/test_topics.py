from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.cluster.hierarchy import fcluster, linkage

from flows.core.contracts import DOCUMENTS, QUESTIONS
from flows.core.tables import empty, write_table
from flows.testset import stage
from flows.testset.build import build
from flows.testset.params import TestsetParams
from flows.testset.status import status
from flows.testset.topics import _merge, topics_of

THEMES = {
    "bees": "honey hive queen swarm pollen wax",
    "boats": "sail rudder keel harbour anchor mast",
    "bread": "flour yeast oven crust dough sourdough",
}


def texts_of(themes, each=4):
    """Make documents that each use their theme's words, and one word that all share."""
    return {
        f"{name}{number}.md": f"# The {words.split()[number % 6]}\n\n" + f"The handbook speaks of {words}. " * 2
        + f"Its {words.split()[(number + 1) % 6]} is described here.\n"
        for name, words in themes.items() for number in range(each)
    }  # fmt: skip


def test_documents_about_the_same_things_are_one_topic_named_by_its_words(corpus_of):
    texts = texts_of(THEMES)
    corpus = corpus_of(texts)
    topics = topics_of(corpus, 3)
    for name, words in THEMES.items():
        found = {topics[source.document_id] for source in corpus.sources if source.title.startswith(name)}
        assert len(found) == 1
        assert set(found.pop().split(", ")) < set(words.split())
    assert len(set(topics.values())) == 3


def test_the_order_of_documents_does_not_matter(corpus_of):
    texts = texts_of(THEMES)
    assert topics_of(corpus_of(texts), 5) == topics_of(corpus_of(dict(reversed(texts.items()))), 5)


@given(
    st.lists(st.text("abcde .\n1", min_size=1, max_size=60), min_size=0, max_size=8, unique=True), st.integers(1, 10)
)
def test_every_document_has_one_topic_and_there_are_no_more_than_wanted(bodies, wanted):
    from flows.core.ids import document_id, document_version
    from flows.testset.drafts import Corpus
    from flows.testset.spans import Version

    named = {document_id(f"{n}.md"): (f"{n}", Version(document_version(text), text)) for n, text in enumerate(bodies)}
    topics = topics_of(Corpus.read(named), wanted)
    assert set(topics) == set(named)
    assert len(set(topics.values())) <= wanted
    assert all(topics.values())


@pytest.mark.parametrize("seed", range(5))
def test_merging_agrees_with_the_published_method(seed):
    rows = np.random.default_rng(seed).normal(size=(20, 6))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    ours, theirs = _merge(rows, 4), fcluster(linkage(rows, "ward"), 4, "maxclust")
    assert len(set(zip(ours, theirs, strict=True))) == len(set(ours)) == 4


def gadgets(theme, count):
    return {
        f"{theme}{n}.md": f"# {theme}\n\nA {theme}{n} is the {theme} tool that turns iron into {theme} gold.\n"
        for n in range(count)
    }


def test_every_question_carries_the_topic_of_its_document(framed, corpus_of):
    texts = gadgets("hammer", 3) | gadgets("whistle", 3)
    table, _, _ = build(framed(texts), empty(QUESTIONS), TestsetParams(topics=2))
    topics = topics_of(corpus_of(texts), 2)
    attached = table[table["document_id"].notna()]
    assert len(attached)
    assert list(attached["topic"]) == [topics[name] for name in attached["document_id"]]


def test_a_topic_without_a_question_gets_one_where_documents_are_many(framed):
    params = TestsetParams(questions_per_type={"simple": 5}, topics=2)
    before, _, _ = build(framed(gadgets("hammer", 8)), empty(QUESTIONS), params)
    after, _, _ = build(framed(gadgets("hammer", 8) | gadgets("whistle", 8)), before, params)
    assert set(before["question_id"]) < set(after["question_id"])
    assert min(Counter(after["topic"]).values()) >= 1
    assert after[after["document_id"].notna()]["topic"].nunique() == 2


def test_status_names_topics_that_nothing_is_asked_about(project, framed):
    (project.root / "params.yaml").write_text("testset: {topics: 2}\n")
    documents = project.data("ingest", "documents.parquet")
    write_table(documents, framed(gadgets("hammer", 4)), DOCUMENTS)
    stage.run(str(project.root))
    assert status(str(project.root)).new_topics == ()
    write_table(documents, framed(gadgets("hammer", 4) | gadgets("whistle", 4)), DOCUMENTS)
    found = status(str(project.root))
    assert len(found.new_topics) == 1
    assert "Run `llmops testset` for questions about: " in str(found)
    assert "whistle" in str(found)

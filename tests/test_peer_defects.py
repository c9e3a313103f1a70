"""Four defects of a widely used ingestion pipeline (reproduced on llama-index-core 0.14.25), which ours must not have.

Each test goes the whole way a document goes: file, ingest, embed, published index, search.
"""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
import yaml

from flows.core.project import Project
from flows.embed import stage as embedding
from flows.index.store import open_index
from flows.ingest import stage as ingestion
from flows.provider.cache import vector_keys
from flows.provider.client import open_provider

pytestmark = pytest.mark.slow  # the quality suites alone take seconds to import

NOW = datetime(2026, 11, 1, tzinfo=UTC)
PARAMS = {"provider": {"embedding_model": "local-hash-384"}, "embed": {"recall_queries": 5, "recall_texts": 2}}
SHARED_TEXT = "# Returns\n\nA heron may be returned to the warehouse within thirty days of the purchase.\n"
OTHER_TEXT = "# Opening hours\n\nThe warehouse opens at nine in the morning, except on Sundays and holidays.\n"


@pytest.fixture
def project(tmp_path):
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(PARAMS))
    return Project.open(tmp_path)


def put(project, **documents):
    folder = project.data("sources")
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in documents.items():
        (folder / f"{name}.md").write_bytes(content if isinstance(content, bytes) else content.encode())


def drop(project, *names):
    for name in names:
        project.data("sources", f"{name}.md").unlink()


def serve(project, *, day=0):
    """Run both stages and return the records and the index that readers see."""
    moment = NOW + timedelta(days=day)
    records = [module.run(str(project.root), clock=lambda: moment) for module in (ingestion, embedding)]
    return (*records, open_index(project))


def found(project, index, question, **options):
    with open_provider(project, use_case="answer") as provider:
        [vector] = provider.embed([question], mode="query")
    return index.search(question, vector, access=["public"], k=9, **options)


@pytest.mark.parametrize("mode", ["hybrid", "vector", "text"])
def test_removed_documents_with_equal_text_are_not_served(project, mode):
    """run-llama/llama_index#22706: of two removed documents with equal text one was still served."""
    put(project, first=SHARED_TEXT, second=SHARED_TEXT, other=OTHER_TEXT)
    *_, before = serve(project)
    assert {"first.md", "second.md"} <= {hit.source_uri for hit in found(project, before, "returned heron", mode=mode)}

    drop(project, "first", "second")
    *_, record, after = serve(project, day=1)

    assert record.counts["removed"] == 2
    assert {hit.source_uri for hit in found(project, after, "returned heron", mode=mode)} <= {"other.md"}
    assert set(after.rows()["source_uri"]) == {"other.md"}


def test_one_of_two_documents_with_equal_text_can_be_removed(project):
    """Its twin stays, with its own id, and whichever of the two was embedded does not matter."""
    for removed, kept in (("first", "second"), ("second", "first")):
        put(project, first=SHARED_TEXT, second=SHARED_TEXT, other=OTHER_TEXT)
        serve(project)
        drop(project, removed)
        *_, index = serve(project, day=1)
        assert set(index.rows()["source_uri"]) == {f"{kept}.md", "other.md"}
        assert found(project, index, "returned heron")[0].source_uri == f"{kept}.md"


@pytest.mark.parametrize(
    "broken", [b"", b"PK\x03\x04 no archive", b"\x00\x01\x02" * 400], ids=["empty", "zip", "bytes"]
)
def test_a_failing_update_leaves_the_previous_good_version(project, broken):
    """run-llama/llama_index#22639: an update that failed removed the document from the index."""
    put(project, first=SHARED_TEXT, other=OTHER_TEXT)
    serve(project)

    put(project, first=broken, other=OTHER_TEXT.replace("nine", "ten"))
    ingested, _, index = serve(project, day=1)

    assert ingested.counts["previous_versions_kept"] == 1
    assert found(project, index, "returned heron")[0].text in SHARED_TEXT
    assert "ten in the morning" in " ".join(index.rows()["text"])

    put(project, first=SHARED_TEXT.replace("thirty", "sixty"))
    *_, mended = serve(project, day=2)
    assert "sixty days" in found(project, mended, "returned heron")[0].text


def test_equal_texts_in_two_documents_cite_their_own_document(project):
    """run-llama/llama_index#23002, #23003: the second document got the nodes that cite the first."""
    put(project, first=SHARED_TEXT, second=SHARED_TEXT)
    *_, index = serve(project)
    rows = index.rows().set_index("source_uri")

    hits = {hit.source_uri: hit for hit in found(project, index, "returned heron")}

    assert set(hits) == {"first.md", "second.md"} == set(rows.index)
    assert len({hit.chunk_id for hit in hits.values()}) == len({hit.document_id for hit in hits.values()}) == 2
    for place, hit in hits.items():
        assert hit.document_id == rows.loc[place, "document_id"]
        assert hit.text == rows.loc[place, "text"]

    put(project, second=SHARED_TEXT.replace("heron", "stork"))
    *_, changed = serve(project, day=1)
    assert found(project, changed, "returned heron", mode="text")[0].source_uri == "first.md"
    assert found(project, changed, "returned stork", mode="text")[0].source_uri == "second.md"


def test_query_and_document_embeddings_never_mix_in_the_cache(project):
    """run-llama/llama_index#23181: a query got the text's embedding when the same string was embedded before."""
    text = "A heron may be returned."
    with open_provider(project, use_case="answer") as provider:
        as_document = provider.embed([text], mode="document")
        asked = provider.usage.calls
        provider.embed([text], mode="query")
        assert (provider.usage.calls, provider.usage.cached) == (asked + 1, 0)

        session, other = provider._session, np.roll(as_document, 1, axis=1)
        session.cache.put_vectors(vector_keys(session.space(provider.embedding_model), "query", [text]), other)
        assert np.array_equal(provider.embed([text], mode="query"), other)
        assert np.array_equal(provider.embed([text], mode="document"), as_document)
        assert provider.usage.calls == asked + 1

"""Labels come from the source, the document and the row, add up, and reach every chunk; doubt closes."""

import json
from functools import partial

import pandas as pd
import pytest

from flows.core.errors import ParamsError
from flows.core.ids import document_id
from flows.core.progress import silent
from flows.ingest.assemble import assemble
from flows.ingest.drafts import Draft, Span
from flows.ingest.memory import Memory
from flows.ingest.params import IngestParams, Source
from flows.ingest.prepare import Task, prepare
from flows.ingest.stock import take_stock

TEXT = "The bands of pay are in this document."


def put(project, name, text):
    path = project.data("sources", name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def ingest(project, previous=(), **changes):
    """Run the stage as far as its tables; `previous` are (address, draft) of the last run."""
    params = IngestParams(**changes)
    with Memory(project.state("ingest", "memory.sqlite")) as memory:
        stock = take_stock(project, params, memory, silent)
        prepared = prepare(Task(stock, params), memory, silent)
    kept = {uri: partial(Draft, **vars(draft)) for uri, draft in previous}
    return assemble(stock.found, prepared, stock.hashes, kept, params)


def labels(corpus):
    return {row["source_uri"]: row["access"] for row in corpus.documents.to_pylist()}


def rules(corpus):
    return {row["source_uri"]: (row["reason_code"], row["rule"]) for row in corpus.rejected}


def source(access="public", uri="data/sources", **options):
    return {"sources": (Source(uri=uri, access=access, **options),)}


@pytest.mark.parametrize(
    ("front", "of_source", "label"),
    [
        ("", "public", "public"),
        ("", "Finance", "finance"),
        ("acl: [hr-only]", "public", "hr-only"),
        ("ACL:\n  - hr\n  - legal\ntitle: Pay", "public", "hr,legal"),
        ("acl:\n- hr", "public", "hr"),
        ("'access': hr", "public", "hr"),
        ("access: hr\nacl: legal", "finance", "finance,hr,legal"),
        ("access: public", "finance", "finance"),
    ],
)
def test_the_labels_of_source_and_document_add_up_on_every_chunk(project, front, of_source, label):
    put(project, "pay.md", f"---\n{front}\n---\n{TEXT}\n\n" + "More about pay. " * 300 if front else TEXT)
    corpus = ingest(project, **source(of_source))
    assert labels(corpus) == {"pay.md": label}
    assert {row["access"] for row in corpus.chunks.to_pylist()} == {label}


@pytest.mark.parametrize(
    "front", ["acl:", "acl: []", "access: >", "acl: hr only", "acl:\n  read: [hr]", "access: 'x' OR '1'"]
)
def test_labels_that_cannot_be_read_keep_the_document_out(project, front):
    put(project, "open.md", TEXT)
    put(project, "pay.md", f"---\n{front}\n---\n{TEXT}")
    corpus = ingest(project)
    assert labels(corpus) == {"open.md": "public"}
    assert rules(corpus) == {"pay.md": ("schema", "access_label")}


def test_each_row_has_its_own_label_and_blank_means_the_source(project):
    rows = [
        {"id": "a", "text": TEXT, "access": "hr"},
        {"id": "b", "text": f"{TEXT} Two.", "access": " "},
        {"id": "c", "text": f"{TEXT} Three.", "access": ["hr", "legal"]},
        {"id": "d", "text": f"{TEXT} Four.", "access": "two words"},
        {"id": "e", "text": f"{TEXT} Five."},
        {"id": "e", "text": f"{TEXT} Five.", "access": "hr"},
    ]
    put(project, "rows.jsonl", "\n".join(map(json.dumps, rows)))
    corpus = ingest(project, **source("staff"))
    assert labels(corpus) == {
        "rows.jsonl#a": "hr,staff",
        "rows.jsonl#b": "staff",
        "rows.jsonl#c": "hr,legal,staff",
        "rows.jsonl#e": "hr,staff",
    }
    assert rules(corpus) == {"rows.jsonl#d": ("schema", "access_label")}


@pytest.mark.slow
def test_a_parquet_column_of_labels_is_read(project):
    project.data("sources").mkdir(parents=True)
    rows = {"id": ["a", "b"], "text": [TEXT, f"{TEXT} Two."], "groups": ["hr", None]}
    pd.DataFrame(rows).to_parquet(project.data("sources", "rows.parquet"))
    corpus = ingest(project, **source(columns={"access": "groups"}))
    assert labels(corpus) == {"rows.parquet#a": "hr", "rows.parquet#b": "public"}


def test_restricted_documents_can_be_kept_from_the_index(project):
    put(project, "open.md", TEXT)
    put(project, "pay.md", f"---\nacl: [hr-only]\n---\n{TEXT}")
    assert labels(ingest(project)) == {"open.md": "public", "pay.md": "hr-only"}
    corpus = ingest(project, restricted_documents="quarantine")
    assert (labels(corpus), rules(corpus)) == ({"open.md": "public"}, {"pay.md": ("policy", "restricted_access")})


@pytest.mark.parametrize("duplicates", ["keep", "collapse"])
def test_equal_texts_under_different_labels_stay_two_documents_and_share_nothing(project, duplicates):
    put(project, "a.md", f"---\nacl: hr\n---\n{TEXT}")
    put(project, "b.md", TEXT)
    put(project, "c.md", TEXT)
    corpus = ingest(project, duplicates=duplicates)
    ids = {row["source_uri"]: row["chunk_id"] for row in corpus.chunks.to_pylist()}
    copies = {row["source_uri"]: row["duplicate_of"] for row in corpus.chunks.to_pylist()}
    assert labels(corpus) == {"a.md": "hr", "b.md": "public"} | ({"c.md": "public"} if duplicates == "keep" else {})
    assert copies == {"a.md": None, "b.md": None} | ({"c.md": ids["b.md"]} if duplicates == "keep" else {})


def before(access):
    text = f"{TEXT} As it was before."
    spans = (Span(0, len(text), "", 9),)
    return (("pay.md", Draft(text, "Pay", "text/markdown", "test", "en", access, spans=spans, sketch=(0,))),)


def test_a_previous_version_takes_the_labels_that_its_source_has_now(project):
    put(project, "open.md", TEXT)
    put(project, "pay.md", "")
    assert labels(ingest(project, before("hr"), **source("staff")))["pay.md"] == "hr,staff"
    closed = ingest(project, before("public"), restricted_documents="quarantine", **source("staff"))
    assert labels(closed) == {}


@pytest.mark.parametrize(("front", "policy"), [("acl: two words", "index"), ("acl: hr", "quarantine")])
def test_a_document_that_is_restricted_now_is_not_served_in_its_public_version(project, front, policy):
    put(project, "open.md", TEXT)
    put(project, "pay.md", f"---\n{front}\n---\n{TEXT} New.")
    corpus = ingest(project, before("public"), restricted_documents=policy)
    assert document_id("pay.md") not in {row["document_id"] for row in corpus.documents.to_pylist()}


def test_a_new_label_is_a_change_although_the_text_is_the_same(project):
    put(project, "pay.md", TEXT)
    assert labels(ingest(project)) == {"pay.md": "public"}
    assert labels(ingest(project, **source("hr"))) == {"pay.md": "hr"}
    put(project, "pay.md", f"---\nacl: legal\n---\n{TEXT}")
    assert labels(ingest(project)) == {"pay.md": "legal"}


def test_a_source_with_a_label_that_is_none_is_refused(project):
    text = "ingest:\n  sources:\n  - {uri: data/sources, access: 'two words'}\n"
    project.params_file.write_text(text)
    with pytest.raises(ParamsError, match="a label is a word"):
        IngestParams.load(project)

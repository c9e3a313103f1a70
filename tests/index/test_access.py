"""Who asks decides what can be found: before ranking, in every mode, at any k, in every version."""

import json
import tempfile
from dataclasses import asdict, replace
from itertools import chain, combinations
from pathlib import Path

import lancedb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flows.core.access import may_read
from flows.core.errors import InputError, IntegrityError, UsageError
from flows.core.files import write_json
from flows.core.ids import document_id
from flows.core.project import Project
from flows.index.erase import erase
from flows.index.filters import Filters, access_in
from flows.index.kinds import Build
from flows.index.layout import files_of_version, table_folder
from flows.index.manifest import database, manifest_file, pointer, published
from flows.index.search import Reach, require_readable
from flows.index.store import open_index
from flows.index.verify import hashes, verify_index
from tests.conftest import NOW
from tests.index.corpus import publish, vector_of

MODES = ("vector", "text", "hybrid")
LABELS = ("public", "finance", "hr")
HELD = [set(held) for held in chain.from_iterable(combinations(LABELS, size) for size in range(4))]
LINES = ("the cat sat", "a dog ran", "the cat ran", "invoice for a cat")
TEXTS = st.lists(st.sampled_from(LINES), min_size=1, max_size=3, unique=True).map("\n".join)
ACCESS = st.sampled_from([*LABELS, "finance,hr"])
CORPORA = st.dictionaries(st.sampled_from(["a.md", "b.md", "c.md", "d.md"]), st.tuples(TEXTS, ACCESS), min_size=1)
OPEN, SHUT = ("the cat sat on the mat", "public"), ("the cat sat on the mat\nthe cat is paid 4711", "hr")


def found(index, held, mode="hybrid", question="the cat", k=99, **options):
    hits = index.search(question, vector_of("asked"), k=k, access=held, mode=mode, **options)
    return [(hit.source_uri, hit.text, hit.access, hit.vector_score) for hit in hits]


def places(rows):
    return {row[0] for row in rows}


def index_of(folder, documents):
    (Path(folder) / "params.yaml").write_text("embed: {}\n")
    project = Project.open(folder)
    publish(project, documents, NOW)
    return open_index(project)


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """An index for tests that only read."""
    return index_of(tmp_path_factory.mktemp("both"), {"open.md": OPEN, "pay.md": SHUT})


@pytest.mark.slow
@settings(max_examples=25, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(CORPORA, st.sampled_from(HELD), st.sampled_from(["the cat", "invoice dog", "ran"]), st.integers(1, 12))
def test_the_result_is_that_of_an_index_without_what_may_not_be_read(documents, held, question, k):
    allowed = {place: content for place, content in documents.items() if may_read(held, content[1])}
    with tempfile.TemporaryDirectory() as whole, tempfile.TemporaryDirectory() as part:
        index = index_of(whole, documents)
        other = index_of(part, allowed) if allowed else None
        seen = {mode: found(index, held, mode, question) for mode in MODES}
        by_vector = found(index, held, "vector", question, k)
        assert by_vector == (found(other, held, "vector", question, k) if other else [])
        for mode in MODES:
            assert sorted(seen[mode]) == sorted(found(other, held, mode, question) if other else [])
            assert all(may_read(held, access) for _, _, access, _ in seen[mode])


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("k", [1, 2, 50])
def test_a_chunk_that_may_not_be_read_is_found_by_nobody_else(both, mode, k):
    assert places(found(both, ("public",), mode, k=k)) == {"open.md"}
    assert places(found(both, ("finance", "public"), mode, k=k)) == {"open.md"}
    assert places(found(both, ("hr",), mode, k=k)) == {"pay.md"}
    assert found(both, (), mode, k=k) == []
    assert found(both, ("finance",), mode, k=k) == []
    assert places(found(both, ("hr", "public"), mode)) == {"open.md", "pay.md"}


def test_the_search_goes_on_to_what_may_be_read_instead_of_dropping_hits_afterwards(project, now):
    closed = {f"{number}.md": (f"the cat sat on mat {number}", "hr") for number in range(30)}
    publish(project, closed | {"open.md": ("a cat was here", "public")}, now)
    for mode in MODES:
        assert len(found(open_index(project), ("public",), mode, k=1)) == 1


def test_a_text_that_is_public_too_is_cited_by_its_public_twin_only(both):
    assert [row[0] for row in found(both, ("public",)) if row[1] == OPEN[0]] == ["open.md"]
    assert {row[0] for row in found(both, ("public", "hr")) if row[1] == OPEN[0]} == {"open.md", "pay.md"}


def test_nothing_of_a_closed_twin_moves_the_vector_of_an_open_text(project, now):
    """The vector covers the title: a shared one would carry that of the closed document."""
    publish(project, {"a closed title.md": ("the cat sat", "hr"), "open.md": ("the cat sat", "public")}, now)
    best = open_index(project).search(
        "", vector_of("open\nthe cat sat"), k=1, access=("public",), mode="vector"
    )[0]  # fmt: skip
    assert best.vector_score == pytest.approx(1.0, abs=1e-6)


def test_labels_and_other_filters_are_both_held(both):
    chosen = Filters(document_ids=(document_id("pay.md"),))
    assert found(both, ("public",), filters=chosen) == []
    assert places(found(both, ("public", "hr"), filters=chosen)) == {"pay.md"}


def test_a_new_label_closes_the_next_version_and_costs_no_embedding(project, now):
    from flows.index.schema import rows_of
    from tests.index.corpus import chunks_of

    old = publish(project, {"pay.md": (OPEN[0], "public")}, now)
    new = publish(project, {"pay.md": (OPEN[0], "hr")}, now)
    assert (old.access, new.access) == ({"public": 1}, {"hr": 1})
    assert found(open_index(project), ("public",)) == []
    rows = [rows_of(chunks_of({"pay.md": (OPEN[0], label)})).iloc[0] for label in ("public", "hr")]
    assert rows[0]["vector_key"] == rows[1]["vector_key"]
    assert rows[0]["row_key"] != rows[1]["row_key"]


@pytest.mark.parametrize("mode", MODES)
def test_what_is_closed_now_is_closed_in_older_versions_too(project, now, mode):
    old = publish(project, {"open.md": OPEN, "pay.md": (SHUT[0], "public"), "gone.md": ("the cat left", "public")}, now)
    assert places(found(open_index(project, old.tag), ("public",), mode)) == {"open.md", "pay.md", "gone.md"}
    publish(project, {"open.md": OPEN, "pay.md": SHUT}, now)
    past = open_index(project, old.tag)
    assert places(found(past, ("public",), mode)) == {"open.md", "gone.md"}
    assert places(found(past, ("public", "hr"), mode)) == {"open.md", "pay.md", "gone.md"}


def test_what_was_closed_then_is_closed_although_it_is_open_now(project, now):
    old = publish(project, {"pay.md": SHUT}, now)
    publish(project, {"pay.md": (SHUT[0], "public")}, now)
    assert found(open_index(project, old.tag), ("public",)) == []


def test_rows_that_come_back_against_the_labels_stop_everything():
    rows = [{"chunk_id": "a" * 32, "access": "public"}, {"chunk_id": "b" * 32, "access": "hr"}]
    rows = [row | {"document_id": "d" * 32} for row in rows]
    require_readable(rows, Reach(["hr", "public"]))
    with pytest.raises(IntegrityError, match=r"1 chunk.*'b{32}'.*Nothing was returned"):
        require_readable(rows, Reach(["public"]))
    with pytest.raises(IntegrityError, match="2 chunk"):
        require_readable(rows, Reach(["hr", "public"], {"d" * 32}))


def test_a_manifest_that_lies_about_labels_opens_nothing(project, now):
    publish(project, {"open.md": OPEN, "pay.md": SHUT}, now)
    write_json(pointer(project), asdict(replace(published(project), access={"public": 3})))
    assert places(found(open_index(project), ("public",))) == {"open.md"}
    assert found(open_index(project), ("hr",)) == []


@given(st.text())
def test_only_labels_become_filters(text):
    with pytest.raises(UsageError, match="no labels"):
        access_in([f"{text}'"])


@pytest.mark.parametrize("held", [("x' OR '1'='1",), ("public') OR true --",), ("%",), ("*",)])
def test_a_hostile_request_reads_nothing(both, held):
    assert found(both, held) == []


@pytest.fixture
def unlabelled(project, now):
    """An index as it was made before labels: no column, nothing in the manifest."""
    manifest = publish(project, {"open.md": OPEN, "pay.md": SHUT}, now)
    table = lancedb.connect(database(project)).open_table(manifest.table)
    table.update(values={"row_key": "of before"})
    table.drop_columns(["access"])
    table.tags.create("c-before000000", table.version)
    files = files_of_version(table_folder(database(project), manifest.table), table.version)
    known = hashes(database(project), files, {})
    values = asdict(replace(manifest, tag="c-before000000", version=table.version, files=known))
    del values["access"]
    write_json(manifest_file(project, values["tag"]), values)
    write_json(pointer(project), values)
    return project


@pytest.mark.parametrize("mode", MODES)
def test_a_version_from_before_labels_is_read_only_by_who_says_so(unlabelled, mode):
    index = open_index(unlabelled)
    for held in ((), ("public",), ("public", "hr")):
        with pytest.raises(InputError, match=r"made before chunks had access labels.*'unlabelled'"):
            found(index, held, mode)
    rows = found(index, ("unlabelled",), mode)
    assert places(rows) == {"open.md", "pay.md"}
    assert {access for _, _, access, _ in rows} == {"unlabelled"}


def test_the_next_version_after_one_without_labels_has_them(unlabelled, now):
    old = published(unlabelled)
    past = open_index(unlabelled, old.tag)
    assert places(found(past, ("public", "unlabelled"))) == {"open.md", "pay.md"}
    publish(unlabelled, {"open.md": OPEN, "pay.md": SHUT}, now)
    assert places(found(open_index(unlabelled), ("public",))) == {"open.md"}
    assert published(unlabelled).access == {"hr": 2, "public": 1}
    assert verify_index(unlabelled) == []
    assert old.access == {"unlabelled": 3}
    assert places(found(open_index(unlabelled, old.tag), ("public", "unlabelled"))) == {"open.md"}


@pytest.mark.slow
def test_an_erasure_keeps_labels_drops_those_of_the_document_and_opens_nothing(project, now):
    old = publish(project, {"open.md": OPEN, "pay.md": ("the cat is paid 4711", "topsecret")}, now)
    publish(project, {"open.md": OPEN, "pay.md": ("the cat is paid 4711", "topsecret"), "c.md": ("cat", "hr")}, now)
    erase(project, {document_id("pay.md")}, Build(recall_queries=5), clock=lambda: now)
    assert open_index(project, old.tag).manifest.access == {"public": 1}
    assert open_index(project).manifest.access == {"hr": 1, "public": 1}
    assert places(found(open_index(project), ("public",))) == {"open.md"}
    assert not any(b"topsecret" in path.read_bytes() for path in project.root.rglob("*") if path.is_file())


@pytest.mark.slow
def test_an_erasure_from_a_version_without_labels_leaves_it_closed(unlabelled, now):
    erase(unlabelled, {document_id("pay.md")}, Build(recall_queries=5), clock=lambda: now)
    index = open_index(unlabelled)
    with pytest.raises(InputError, match="unlabelled"):
        found(index, ("public",))
    assert places(found(index, ("unlabelled",))) == {"open.md"}
    assert index.manifest.access == {"unlabelled": 1}


def test_verify_reads_the_labels_too(project, now):
    """The byte that holds a label is one of those that are compared."""
    publish(project, {"open.md": OPEN, "pay.md": SHUT}, now)
    name = next(name for name in published(project).files if "/data/" in name)
    path = database(project) / name
    data = path.read_bytes()
    path.write_bytes(data.replace(b"hr", b"hx", 1))
    assert [damage.path for damage in verify_index(project)] == [name]
    assert json.loads(pointer(project).read_text())["access"] == {"hr": 2, "public": 1}

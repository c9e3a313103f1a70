import tempfile
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flows.core.errors import IntegrityError
from flows.core.project import Project
from flows.index.kinds import Build
from flows.index.layout import table_folder, tables_on_disk
from flows.index.maintain import expired, optimise, retire, sweep
from flows.index.manifest import IndexManifest, database, kept_manifests, published
from flows.index.queries import Opened, Probing, nearest
from flows.index.recall import ASKED_TOGETHER, measure, sampled_queries
from flows.index.schema import matrix, rows_of
from flows.index.search import Reach, search
from flows.index.store import open_index, open_writer
from flows.index.verify import verify_index
from tests.conftest import NOW
from tests.index.corpus import FINGERPRINT, apply, chunks_of, publish, vector_of, vectors_of


def named(tag):
    return IndexManifest("chunks", 1, tag, 1, {}, 1.0, 1, "exact", 0, 1, "2026-01-01T00:00:00+00:00", {}, {})


def test_the_newest_the_live_and_the_pinned_versions_stay():
    manifests = [named(f"c-{number}") for number in range(6)]
    gone = expired(manifests, live="c-1", pinned={"c-2"}, keep=2)
    assert [manifest.tag for manifest in gone] == ["c-0", "c-3"]


def test_fewer_versions_than_are_kept_lose_none():
    assert expired([named("c-0")], live=None, pinned=(), keep=10) == []


def test_plain_maintenance_stops_at_an_old_tag_and_ours_does_not(project, some, now):
    publish(project, some, now)
    with open_writer(project, FINGERPRINT) as writer:
        apply(writer, some | {"delta.md": "a fourth document"})
        table = writer._table
        with pytest.raises(RuntimeError, match="tagged version"):
            table.optimize(cleanup_older_than=timedelta(milliseconds=1))  # as 7 days later, without arguments
        optimise(table)
        assert all(index.num_unindexed_rows == 0 for index in table.list_indices())


def test_expired_versions_go_and_the_kept_ones_open(project, some, now):
    kept = publish(project, some, now)
    others = [
        publish(project, some | {"more.md": f"text number {number}"}, now + timedelta(days=number + 1))
        for number in range(4)
    ]
    with open_writer(project, FINGERPRINT) as writer:
        retire(project, writer._connection, writer._table, pinned={kept.tag}, keep=1)
    assert {manifest.tag for manifest in kept_manifests(project)} == {kept.tag, others[-1].tag}
    assert len(open_index(project, kept.tag).rows()) == 5
    assert len(open_index(project).rows()) == 6
    assert verify_index(project) == []


def test_the_tables_of_expired_models_are_dropped(project, some, now):
    publish(project, some, now)
    other = FINGERPRINT | {"model": "stranger"}
    publish(project, some, now + timedelta(days=1), fingerprint=other)
    newest = publish(
        project, some | {"d.md": "x"}, now + timedelta(days=2), fingerprint=other, build=Build(keep_versions=1)
    )
    assert tables_on_disk(database(project)) == [newest.table]
    assert published(project) == newest


def size(folder):
    files = [path for path in folder.rglob("*") if path.is_file()]
    return len(files), sum(path.stat().st_size for path in files)


@pytest.mark.slow
def test_after_a_thousand_one_row_updates_files_and_bytes_stay_within_twice_a_fresh_build(project, tmp_path, now):
    documents = {f"doc{number}.md": f"document number {number}" for number in range(2_000)}
    publish(project, documents, now)
    build = Build(recall_queries=5, keep_versions=1)
    for step in range(1_000):
        documents[f"doc{step}.md"] = f"update number {step} "
        with open_writer(project, FINGERPRINT) as writer:
            rows = rows_of(chunks_of({f"doc{step}.md": documents[f"doc{step}.md"]}))
            hashes = writer.hashes()
            writer.upsert(rows, vectors_of(rows))
            assert len(writer.hashes()) == len(hashes) + 1
            if step % 25 == 24:
                apply(writer, documents)
                writer.publish(build, now=now + timedelta(minutes=step))
    with open_writer(project, FINGERPRINT) as writer:
        retire(project, writer._connection, writer._table, pinned=(), keep=1)
    (tmp_path / "fresh").mkdir()
    (tmp_path / "fresh" / "params.yaml").write_text("ingest: {}\n")
    rebuilt = Project.open(tmp_path / "fresh")
    publish(rebuilt, documents, now)
    grown_files, grown_bytes = size(table_folder(database(project), "chunks"))
    fresh_files, fresh_bytes = size(table_folder(database(rebuilt), "chunks"))
    assert grown_bytes <= 2 * fresh_bytes
    assert grown_files <= 2 * fresh_files
    assert len(open_index(project).rows()) == 2_000


def recall_for(index, queries, held):
    """Recall@10 for who holds these labels, against exact search over what they may read."""
    found = 0
    for query in queries:
        exact = search(Opened(index._table), "", query, k=10, mode="vector", reach=Reach(held))
        hits = index.search("", query, k=10, mode="vector", access=held)
        assert {hit.access for hit in hits} <= set(held)
        found += len({hit.chunk_id for hit in hits} & {hit.chunk_id for hit in exact})
    return found / (10 * len(queries))


@pytest.mark.slow
@pytest.mark.parametrize(("build", "kind"), [
    (Build(exact_rows_max=1_000), "IVF_SQ"),
    (Build(exact_rows_max=1_000, sq_rows_max=2_000), "IVF_HNSW_SQ"),
    (Build(exact_rows_max=1_000, sq_rows_max=2_000, hnsw_rows_max=2_000, refine_factor=60), "IVF_RQ"),
])  # fmt: skip
def test_a_quantised_index_reaches_the_guardrail_with_true_similarities(project, now, build, kind):
    labels = ["hr", *["finance"] * 5, *["public"] * 14]
    lines = {number: f"document {number}\nits line {number}" for number in range(3_000)}
    documents = {f"doc{number}.md": (text, labels[number % 20]) for number, text in lines.items()}
    manifest = publish(project, documents, now, build=build)
    assert manifest.index_kind == kind
    assert manifest.recall_queries in (*range(ASKED_TOGETHER, 200, ASKED_TOGETHER), 200)
    assert manifest.recall_at_10 >= 0.95
    index = open_index(project)
    queries = sampled_queries(index._table, index.rows()["chunk_id"].tolist(), 20, seed=3)
    (raw,) = index._opened.run(nearest(index._opened, queries[0], 10, None, ["vector"]))
    assert 1 - raw["_distance"].to_numpy() == pytest.approx(matrix(raw) @ queries[0], abs=1e-4)
    assert min(recall_for(index, queries, held) for held in (("public",), ("finance", "hr"), ("hr",))) >= 0.95
    more = publish(project, documents | {"new.md": "folded in"}, now, build=build)
    assert {item.name for item in index._table.list_indices()} >= {"access_idx", "document_id_idx"}
    assert more.recall_at_10 >= 0.95
    assert all(item.num_unindexed_rows == 0 for item in open_index(project)._table.list_indices())


def test_exact_search_has_a_recall_of_one_on_any_queries(project, some, now):
    publish(project, some, now)
    queries = np.eye(16, dtype=np.float32)
    assert measure(open_index(project)._table, queries, Probing()).value == 1.0


@pytest.mark.parametrize(("rows", "kind"), [
    (20_000, "exact"), (20_001, "IVF_SQ"), (50_000, "IVF_SQ"), (50_001, "IVF_HNSW_SQ"), (1_000_001, "IVF_RQ"),
])  # fmt: skip
def test_the_kind_follows_the_size(rows, kind):
    assert Build().kind(rows) == kind


def test_what_a_killed_writer_left_is_swept_and_nothing_else(project, some, now):
    live = publish(project, some, now)
    folder = table_folder(database(project), live.table)
    for place in ("data", "_indices/0a1b2c3d-0000-4000-8000-000000000000", "_versions"):
        (folder / place).mkdir(exist_ok=True)
        (folder / place / "left-behind.lance").write_bytes(b"half written")
    with open_writer(project, FINGERPRINT) as writer:
        retire(project, writer._connection, writer._table, pinned=(), keep=1)
    assert not [path for path in (folder / "data").iterdir() if path.name.startswith("left")]
    assert not (folder / "_indices" / "0a1b2c3d-0000-4000-8000-000000000000").exists()
    assert verify_index(project) == []


def test_nothing_is_swept_when_the_files_of_a_version_are_not_all_known(project, some, now):
    live = publish(project, some, now)
    folder = table_folder(database(project), live.table)
    with open_writer(project, FINGERPRINT) as writer:
        lost = next((folder / "data").iterdir())
        lost.rename(folder / "elsewhere")
        before = size(folder)
        with pytest.raises(IntegrityError, match="Nothing was removed"):
            sweep(writer._table, folder, kept=())
    assert size(folder) == before


@pytest.mark.slow
@settings(max_examples=15, deadline=None, derandomize=True)
@given(st.lists(st.sets(st.sampled_from("abcdef"), min_size=1), min_size=2, max_size=8), st.integers(1, 3), st.data())
def test_after_any_history_every_kept_version_still_has_its_rows(states, keep, data):
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "params.yaml").write_text("embed: {}\n")
        project = Project.open(folder)
        build = Build(recall_queries=2, keep_versions=keep, fragments_max=2)
        pinned = set()
        for number, state in enumerate(states):
            documents = {f"{name}.md": f"the text of {name}\nanother line {name}" for name in state}
            manifest = publish(project, documents, NOW + timedelta(days=number), build=build, pinned=pinned)
            if data.draw(st.booleans()):
                pinned.add(manifest.tag)
        assert pinned <= {manifest.tag for manifest in kept_manifests(project)}
        assert verify_index(project) == []
        for manifest in kept_manifests(project):
            index = open_index(project, manifest.tag)
            assert len(index.rows()) == manifest.rows
            assert len(index.search("line", vector_of("x"), access=["public"], k=99)) == manifest.rows

"""What LanceDB does by itself, each shown here, and what the index does about it.

The other measured pitfalls have their tests elsewhere: a cut manifest and a flipped bit in
`test_integrity.py`, text that outlives its deletion in `test_erase.py`, a hostile id in `test_search.py`,
a tag older than seven days in `test_maintenance.py`, a killed writer in `test_crash.py`.
"""

import os
from pathlib import Path
from types import SimpleNamespace

import lancedb
import numpy as np
import pytest

from flows.core.errors import IntegrityError
from flows.index.kinds import Build, require_indexed
from flows.index.manifest import database, pointer, published
from flows.index.queries import nearest
from flows.index.schema import matrix, rows_of, table_schema, to_arrow
from flows.index.store import open_index, open_writer
from flows.index.upsert import merge, row_hashes
from tests.index.corpus import FINGERPRINT, chunks_of, publish, vectors_of

pytestmark = pytest.mark.slow

LARGE = Build(exact_rows_max=100, recall_queries=5)
GRAPH = Build(exact_rows_max=100, sq_rows_max=100, recall_queries=5)
MANY = {f"doc{number}.md": f"document {number}\nits line {number}" for number in range(300)}


def table_of(project, manifest):
    return lancedb.connect(database(project)).open_table(manifest.table)


def batch_of(documents):
    rows = rows_of(chunks_of(documents))
    return to_arrow(rows, vectors_of(rows), table_schema(FINGERPRINT))


def test_adding_rows_ignores_the_key_and_the_check_after_each_change_sees_it(project, some, now):
    table = table_of(project, publish(project, some, now))
    table.add(batch_of(some))
    assert table.count_rows() == 10
    with pytest.raises(IntegrityError, match=r"5 chunk id\(s\) stand twice"):
        row_hashes(table)


@pytest.mark.parametrize("build", [Build(recall_queries=5), LARGE, GRAPH])
def test_the_key_never_gets_an_index_which_would_bring_duplicates_back(project, now, build):
    manifest = publish(project, MANY, now, build=build)
    indices = {index.name: index for index in table_of(project, manifest).list_indices()}
    assert not [name for name, index in indices.items() if "chunk_id" in index.columns]
    assert all(index.num_unindexed_rows == 0 for index in indices.values())


def test_new_rows_are_in_no_index_until_a_publication_and_none_is_published_so(project, some, now):
    table = table_of(project, publish(project, MANY, now, build=LARGE))
    merge(table, batch_of(some))
    with pytest.raises(IntegrityError, match=r"does not know 5 row\(s\)"):
        require_indexed(table)
    more = publish(project, MANY | some, now, build=LARGE)
    require_indexed(table_of(project, more))


def test_a_merge_that_silently_matched_nothing_is_repeated_without_its_index_and_then_refused(some):
    tried = []

    def builder(**changes):
        made = SimpleNamespace(execute=lambda batch: SimpleNamespace(num_updated_rows=0, num_inserted_rows=3))
        made.when_matched_update_all = made.when_not_matched_insert_all = lambda: made
        made.use_index = lambda used: tried.append(used) or made
        return made

    table = SimpleNamespace(name="chunks", merge_insert=lambda key: builder())
    with pytest.raises(IntegrityError, match=r"merge of 5 row\(s\).*changed 3"):
        merge(table, batch_of(some))
    assert tried == [True, False]


def test_nothing_in_the_table_may_be_null_because_a_null_vector_is_never_found(project, some):
    assert not [field.name for field in table_schema(FINGERPRINT) if field.nullable]
    with open_writer(project, FINGERPRINT) as writer:
        batch = batch_of(some)
        broken = batch.set_column(batch.schema.get_field_index("access"), "access", [[None] * batch.num_rows])
        with pytest.raises((RuntimeError, ValueError, OSError), match=r"(?i)null"):
            merge(writer._table, broken)
        assert writer.hashes().empty


@pytest.mark.parametrize("build", [LARGE, GRAPH])
def test_a_quantised_distance_is_none_and_ours_is_compared_again_by_exact_vectors(project, now, build):
    manifest = publish(project, MANY, now, build=build)
    index = open_index(project)
    query = matrix(index.everything(["vector"]))[0]
    raw = table_of(project, manifest).search(query).distance_type("cosine").select(["vector"]).limit(20).to_arrow()
    (ours,) = index._opened.run(nearest(index._opened, query, 20, None, ["vector"]))
    error = [np.abs(1 - found["_distance"].to_numpy() - matrix(found) @ query).max() for found in (raw, ours)]
    assert error[0] > 1e-4 > 1e-5 > error[1]


@pytest.mark.parametrize("build", [LARGE, GRAPH])
def test_the_index_is_used_because_its_metric_is_the_one_asked_for(project, now, build):
    """A query by another metric than the index's falls back to reading everything, and does not say so."""
    manifest = publish(project, MANY, now, build=build)
    table, query = table_of(project, manifest), vectors_of(rows_of(chunks_of({"a.md": "cat"})))[0]
    assert "ANN" in table.search(query).distance_type("cosine").limit(5).explain_plan(True)
    assert "ANN" not in table.search(query).distance_type("l2").limit(5).explain_plan(True)


def test_every_file_of_a_version_is_on_the_disk_before_the_pointer_names_it(project, some, now, monkeypatch):
    """Lance flushes nothing by itself (measured: no fsync at all)."""
    flushed, real = [], os.fsync

    def fsync(handle):
        flushed.append(str(Path(f"/proc/self/fd/{handle}").readlink()))
        real(handle)

    monkeypatch.setattr(os, "fsync", fsync)
    publish(project, some, now)
    before = flushed[: next(place for place, path in enumerate(flushed) if pointer(project).name in path)]
    assert {str(database(project) / name) for name in published(project).files} <= set(before)

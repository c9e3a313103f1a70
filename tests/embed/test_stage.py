from dataclasses import asdict
from datetime import timedelta

import pytest
import yaml

from flows.core.contracts import CHUNKS
from flows.core.errors import InputError, ParamsError
from flows.core.files import write_json
from flows.core.project import Project
from flows.core.tables import write_table
from flows.embed import stage
from flows.index.manifest import database, published
from flows.index.store import open_index
from flows.index.verify import verify_index
from tests.index.corpus import chunks_of

PARAMS = {"provider": {"embedding_model": "local-hash-384"}, "embed": {"recall_queries": 5, "recall_texts": 2}}


@pytest.fixture
def project(tmp_path):
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(PARAMS))
    return Project.open(tmp_path)


@pytest.fixture
def some():
    return {
        "alpha.md": "the cat sat on the mat\nevery invoice has a number",
        "beta.md": "a release is promoted by the gate\nevery invoice has a number",
    }


def embed(project, documents, now, **options):
    write_table(project.data("ingest", "chunks.parquet"), chunks_of(documents), CHUNKS)
    return stage.run(str(project.root), clock=lambda: now, **options)


def test_the_chunks_become_a_published_index(project, some, now):
    record = embed(project, some, now)
    assert record.counts["new"] == record.counts["rows"] == 4
    assert asdict(published(project))["fingerprint"]["model"] == "local-hash-384"
    assert {
        hit.source_uri for hit in open_index(project).search("invoice", None, access=["public"], k=9, mode="text")
    } == set(some)


def test_a_second_run_with_nothing_changed_does_nothing(project, some, now):
    first = embed(project, some, now)
    again = embed(project, some, now + timedelta(days=1))
    assert not again.did_work
    assert again.run_id == first.run_id


def test_only_texts_without_a_vector_are_embedded(project, some, now):
    assert embed(project, some, now).calls
    moved = {"omega.md": some["alpha.md"], "beta.md": some["beta.md"]}
    record = embed(project, some | {"delta.md": "every invoice has a number"}, now)
    assert (record.counts["new"], record.calls) == (1, 0)
    assert embed(project, moved, now).counts["removed"] == 3


def test_a_deleted_document_is_found_no_more(project, some, now):
    embed(project, some, now)
    embed(project, {"beta.md": some["beta.md"]}, now)
    assert open_index(project).search("cat mat", None, access=["public"], k=3, mode="text") == []


def write_params(project, **sections):
    merged = {name: values | sections.get(name, {}) for name, values in PARAMS.items()}
    project.params_file.write_text(yaml.safe_dump(merged))


def test_damage_is_mended_by_the_next_run(project, some, now):
    embed(project, some, now)
    name = next(name for name in published(project).files if "/data/" in name)
    path = project.data("embed", "lancedb", name)
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    record = embed(project, some, now)
    assert record.did_work
    assert len(open_index(project).rows()) == 4


def test_a_table_that_lacks_a_column_is_begun_anew_and_no_vector_is_paid_again(project, some, now):
    import lancedb

    embed(project, some, now)
    older = published(project)
    lancedb.connect(database(project)).open_table(older.table).drop_columns(["heading"])
    write_params(project, embed={"recall_queries": 6})
    record = embed(project, some, now + timedelta(days=1))
    assert (record.counts["new"], record.counts["rows"], record.calls) == (4, 4, 0)
    assert "heading" in open_index(project).rows()
    assert len(open_index(project, older.tag).rows()) == 4
    assert verify_index(project) == []


def test_a_version_that_a_release_names_is_kept(project, some, now):
    write_params(project, embed={"keep_versions": 1})
    embed(project, some, now)
    pinned = published(project)
    write_json(project.data("release", "releases", "r1.json"), {"index_tag": pinned.tag})
    for number in range(2):
        embed(project, some | {"more.md": f"text number {number}"}, now + timedelta(days=number + 1))
    assert len(open_index(project, pinned.tag).rows()) == 4


def test_no_chunks_are_an_error_that_names_the_quarantine(project, now):
    with pytest.raises(InputError, match="quarantine"):
        embed(project, {}, now)


def test_missing_chunks_name_the_stage_to_run(project):
    with pytest.raises(InputError, match="ingest"):
        stage.run(str(project.root))


def test_a_wrong_parameter_is_named(project, some, now):
    write_params(project, embed={"recall_minimum": 0.9})
    with pytest.raises(ParamsError, match="recall_min"):
        embed(project, some, now)

import numpy as np
import pytest

from flows.core.errors import ContractError, GateError, InputError, LockedError, ParamsError
from flows.index.kinds import Build
from flows.index.manifest import pointer, published, version_as_of
from flows.index.schema import rows_of
from flows.index.store import open_index, open_writer
from flows.index.swap import require_same_model
from flows.index.verify import verify_index
from tests.index.corpus import FINGERPRINT, apply, chunks_of, publish, vector_of, vectors_of


def test_nothing_can_be_opened_before_the_first_publication(project):
    with pytest.raises(InputError, match="llmops embed"):
        open_index(project)


def test_a_published_index_holds_every_chunk_with_its_place(project, some, now):
    publish(project, some, now)
    index = open_index(project)
    rows = index.rows()
    for row in rows.itertuples():
        assert some[row.source_uri][row.start : row.end] == row.text
    assert len(index) == len(rows) == 5


def test_equal_texts_in_two_documents_keep_their_own_ids_and_places(project, some, now):
    publish(project, some, now)
    hits = open_index(project).search("invoice number", None, access=["public"], k=5, mode="text")
    assert {hit.source_uri for hit in hits} == {"alpha.md", "beta.md"}
    assert len({hit.chunk_id for hit in hits}) == 2


def test_equal_texts_share_one_vector(some):
    rows = rows_of(chunks_of(some))
    keys = rows.groupby("text")["vector_key"].nunique()
    assert (keys == 1).all()


def test_a_reader_keeps_its_version_while_a_writer_publishes(project, some, now):
    old = publish(project, some, now)
    reader = open_index(project)
    new = publish(project, some | {"delta.md": "a fourth document"}, now)
    assert (len(reader.rows()), len(open_index(project).rows())) == (old.rows, new.rows) == (5, 6)
    assert reader.search("fourth", None, access=["public"], k=3, mode="text") == []


def test_an_old_version_opens_by_number_and_by_tag(project, some, now):
    old = publish(project, some, now)
    publish(project, {"alpha.md": "only this"}, now)
    assert len(open_index(project, old.version).rows()) == len(open_index(project, old.tag).rows()) == 5
    with pytest.raises(InputError, match="Did you mean"):
        open_index(project, old.tag[:-1] + "x")


def test_the_version_of_a_day_is_found(project, some, now):
    from datetime import timedelta

    old = publish(project, some, now)
    publish(project, {"alpha.md": "only this"}, now + timedelta(days=2))
    assert version_as_of(project, now + timedelta(days=1)) == old
    with pytest.raises(InputError, match="later time"):
        version_as_of(project, now - timedelta(days=1))


def test_equal_content_is_the_same_version_whatever_the_history(project, some, now):
    first = publish(project, some, now)
    publish(project, some | {"delta.md": "a fourth document"}, now)
    assert publish(project, some, now) == first


def test_every_row_is_indexed_when_published(project, some, now):
    publish(project, some, now)
    publish(project, some | {"delta.md": "a fourth document"}, now)
    table = open_index(project)._table
    assert [index.num_unindexed_rows for index in table.list_indices()] == [0]


def test_recall_below_the_guardrail_publishes_nothing(project, some, now):
    publish(project, some, now)
    before = pointer(project).read_bytes()
    with pytest.raises(GateError, match="previous version stays live"):
        publish(project, some | {"delta.md": "a fourth document"}, now, build=Build(recall_min=1.01))
    assert pointer(project).read_bytes() == before
    assert len(open_index(project).rows()) == 5


def test_a_model_of_the_same_dimension_is_refused_with_a_plan(project, some, now):
    publish(project, some, now)
    other = FINGERPRINT | {"model": "stranger"}
    with pytest.raises(ParamsError, match=r"'seeded' -> 'stranger'.*4 text\(s\) for 5 row\(s\)") as refused:
        require_same_model(project, other, plan=lambda: "4 text(s) for 5 row(s)")
    assert "embed.on_model_change" in str(refused.value)
    require_same_model(project, FINGERPRINT, plan=lambda: pytest.fail("asked for a plan though nothing changed"))


def test_two_models_never_share_a_table_and_the_switch_is_one_pointer(project, some, now):
    old = publish(project, some, now)
    other = FINGERPRINT | {"model": "stranger"}
    with open_writer(project, other) as writer:
        apply(writer, some)
        assert published(project) == old
        new = writer.publish(Build(recall_queries=5), now=now)
    assert new.table != old.table
    assert open_index(project).manifest.fingerprint["model"] == "stranger"
    assert open_index(project, old.tag).manifest.fingerprint["model"] == "seeded"


def test_there_is_one_writer(project):
    with (
        open_writer(project, FINGERPRINT),
        pytest.raises(LockedError, match="the index is already being written"),
        open_writer(project, FINGERPRINT),
    ):
        pass


def test_vectors_that_are_not_of_length_one_are_refused(project, some):
    rows = rows_of(chunks_of(some))
    with open_writer(project, FINGERPRINT) as writer:
        with pytest.raises(ContractError, match="length 1"):
            writer.upsert(rows, vectors_of(rows) * 2)
        with pytest.raises(ContractError, match="length 1"):
            writer.upsert(rows, vectors_of(rows) * np.nan)
        with pytest.raises(ContractError, match="shape"):
            writer.upsert(rows, vectors_of(rows)[:, :8])
        assert writer.hashes().empty


def test_a_batch_with_a_repeated_key_is_refused(project, some):
    import pandas as pd

    rows = rows_of(chunks_of(some))
    twice = pd.concat([rows, rows.head(1)])
    with open_writer(project, FINGERPRINT) as writer, pytest.raises(ContractError, match="repeat"):
        writer.upsert(twice, vectors_of(twice))


def test_stored_vectors_come_back_in_the_order_asked(project, some, now):
    publish(project, some, now)
    rows = rows_of(chunks_of(some)).sort_values("text", ascending=False)
    with open_writer(project, FINGERPRINT) as writer:
        np.testing.assert_array_equal(writer.vectors(rows["chunk_id"].tolist()), vectors_of(rows))


def test_a_fresh_index_verifies(project, some, now):
    publish(project, some, now)
    assert verify_index(project) == []


def test_the_nearest_chunk_has_a_similarity_of_one(project, some, now):
    publish(project, some, now)
    text = rows_of(chunks_of(some))["vector_text"][0]
    best = open_index(project).search("", vector_of(text), access=["public"], k=1, mode="vector")[0]
    assert best.vector_score == pytest.approx(1.0, abs=1e-6)

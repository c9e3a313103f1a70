import json

import pytest

from flows.core.contracts import DOCUMENTS, QUESTIONS
from flows.core.errors import InputError, ParamsError
from flows.core.ids import document_id
from flows.core.tables import read_table, write_table
from flows.testset import stage
from flows.testset.status import status


@pytest.fixture
def zoo_project(project, zoo_frame):
    write_table(project.data("ingest", "documents.parquet"), zoo_frame, DOCUMENTS)
    return project


def test_a_run_writes_questions_rejections_and_a_record(zoo_project):
    record = stage.run(str(zoo_project.root))
    table = read_table(zoo_project.data("testset", "questions.parquet"), QUESTIONS, remedy="-")
    assert record.counts["questions"] == len(table) > 0
    assert record.counts["rejected"] == sum(
        row["count"] for row in json.loads(zoo_project.data("testset", "rejections.json").read_text())["rejected"]
    )
    assert "questions about 2 documents" in record.summary
    assert record.calls == 0


def test_a_second_run_has_nothing_to_do_and_a_forced_one_gives_the_same_bytes(zoo_project):
    stage.run(str(zoo_project.root))
    path = zoo_project.data("testset", "questions.parquet")
    before = path.read_bytes()
    assert not stage.run(str(zoo_project.root)).did_work
    assert stage.run(str(zoo_project.root), force=True).did_work
    assert path.read_bytes() == before


def test_without_documents_the_error_names_the_earlier_stage(project):
    with pytest.raises(InputError, match="llmops run --stages ingest,testset"):
        stage.run(str(project.root))


def test_wrong_params_are_named(zoo_project):
    zoo_project.params_file.write_text("testset: {questions_per_type: {simpel: 3}}\n")
    with pytest.raises(ParamsError, match="Did you mean 'simple'"):
        stage.run(str(zoo_project.root))


@pytest.mark.slow
def test_a_model_may_propose_and_what_it_quotes_must_stand_in_the_text(zoo_project):
    zoo_project.params_file.write_text("testset: {generator: llm}\n")
    record = stage.run(str(zoo_project.root))
    table = read_table(zoo_project.data("testset", "questions.parquet"), QUESTIONS, remedy="-")
    assert record.calls > 0
    assert len(table) > 0


def test_status_tells_what_an_edit_does_before_it_is_done(zoo_project, zoo, framed):
    stage.run(str(zoo_project.root))
    before = zoo_project.data("testset", "questions.parquet").read_bytes()
    assert status(str(zoo_project.root)).stale == 0
    edited = framed(zoo | {"penguin.md": "# New\n\n" + zoo["penguin.md"].replace("400 litres", "500 litres")})
    write_table(zoo_project.data("ingest", "documents.parquet"), edited, DOCUMENTS)
    found = status(str(zoo_project.root))
    assert found.stale > 0
    assert found.to_move > 0
    assert found.to_retire == 0
    assert "are stale" in str(found)
    assert zoo_project.data("testset", "questions.parquet").read_bytes() == before


def test_nothing_is_asked_about_documents_that_the_release_may_not_read(zoo_project, zoo_frame):
    stage.run(str(zoo_project.root))
    closed = zoo_frame.assign(access=["public" if uri == "tortoise.md" else "vets" for uri in zoo_frame["source_uri"]])
    write_table(zoo_project.data("ingest", "documents.parquet"), closed, DOCUMENTS)
    record = stage.run(str(zoo_project.root))
    written = b"".join(path.read_bytes() for path in zoo_project.data("testset").iterdir())
    table = read_table(zoo_project.data("testset", "questions.parquet"), QUESTIONS, remedy="-")
    assert record.counts["retired"] > 0
    assert set(table["document_id"].dropna()) == {document_id("tortoise.md")}
    assert not table.astype(str).apply(lambda column: column.str.contains("enguin")).any().any()
    assert b"enguin" not in written
    assert status(str(zoo_project.root)).live == record.counts["questions"]


def test_the_labels_of_the_release_open_documents_and_make_a_new_test_set(zoo_project, zoo_frame):
    write_table(zoo_project.data("ingest", "documents.parquet"), zoo_frame.assign(access="vets"), DOCUMENTS)
    with pytest.raises(InputError, match=r"none of 2 document\(s\) may be read with rag.access \['public'\]"):
        stage.run(str(zoo_project.root))
    zoo_project.params_file.write_text("rag: {access: [public, vets]}\n")
    assert stage.run(str(zoo_project.root)).counts["documents"] == 2
    zoo_project.params_file.write_text("rag: {access: [vets]}\n")
    assert stage.run(str(zoo_project.root)).did_work

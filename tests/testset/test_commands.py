"""The verbs of `llmops testset`, as the command line calls them."""

import argparse
import csv
import json
import subprocess
import sys

import pandas as pd
import pytest

from flows.core.contracts import DOCUMENTS, QUESTIONS
from flows.core.errors import ContractError, InputError, UsageError
from flows.core.tables import read_table, write_table
from flows.testset import commands, stage

ANSWER = "Each tortoise needs at least 30 leaves a day."


@pytest.fixture
def zoo_project(project, zoo_frame):
    write_table(project.data("ingest", "documents.parquet"), zoo_frame, DOCUMENTS)
    return project


@pytest.fixture
def llmops(zoo_project):
    parser = argparse.ArgumentParser()
    commands.add_to(parser.add_subparsers())

    def llmops(*words):
        options = parser.parse_args([str(word) for word in words])
        options.project = str(zoo_project.root)
        return options.handler(options)

    return llmops


@pytest.fixture
def questions(zoo_project):
    return lambda: read_table(zoo_project.data("testset", "questions.parquet"), QUESTIONS, remedy="-")


@pytest.fixture
def put(tmp_path):
    def put(*rows, name="own.jsonl"):
        path = tmp_path / name
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        return path

    return put


def imported(table):
    return table[table["origin"].str.startswith("imported:")]


@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_own_formats_come_back_whole(llmops, zoo_project, questions, tmp_path, form):
    stage.run(str(zoo_project.root))
    before = questions()
    llmops("export", tmp_path / f"out.{form}")
    zoo_project.data("testset", "questions.parquet").unlink()
    llmops("import", tmp_path / f"out.{form}")
    pd.testing.assert_frame_equal(questions(), before)


@pytest.mark.slow
@pytest.mark.parametrize("form", ["raget", "ragas", "promptfoo"])
def test_formats_of_other_tools_keep_question_answer_type_and_gold(llmops, zoo_project, questions, tmp_path, form):
    stage.run(str(zoo_project.root))
    before = questions().query("question_type != 'challenge'")  # attacks mean nothing to another tool
    llmops("export", tmp_path / "out.jsonl", "--format", form)
    zoo_project.data("testset", "questions.parquet").unlink()
    llmops("import", tmp_path / "out.jsonl", "--format", form)
    after = imported(questions())
    keys = ["question", "question_type", "reference_answer"]
    assert sorted(map(tuple, before[keys].values)) == sorted(map(tuple, after[keys].values))
    homes = after[after["answerable"]].set_index(keys[:2])["document_id"]
    for row in before[before["answerable"]].to_dict("records"):
        assert homes[row["question"], row["question_type"]] == row["document_id"]
    assert not after["stale"].any()


@pytest.mark.slow
def test_other_tools_find_their_own_field_names(llmops, zoo_project, tmp_path):
    stage.run(str(zoo_project.root))
    fields = {
        "raget": {"id", "question", "reference_answer", "reference_context", "conversation_history", "metadata"},
        "ragas": {"user_input", "reference_contexts", "reference", "synthesizer_name"},
        "promptfoo": {"vars", "metadata", "description"},
    }
    for form, names in fields.items():
        llmops("export", tmp_path / "out.jsonl", "--format", form)
        for line in (tmp_path / "out.jsonl").read_text().splitlines():
            assert names == set(json.loads(line)) - {"assert"}


@pytest.mark.parametrize("form", ["jsonl", "raget", "ragas", "promptfoo"])
def test_json_lines_are_not_written_under_the_name_of_a_csv(llmops, zoo_project, tmp_path, form):
    with pytest.raises(UsageError, match=r"Name the file \.jsonl"):
        llmops("export", tmp_path / "q.csv", "--format", form)
    assert not (tmp_path / "q.csv").exists()


def test_an_imported_question_is_anchored_in_the_sentence_that_answers_it(llmops, questions, put):
    llmops("import", put({"question": "How hungry is a tortoise?", "reference": "at least 30 leaves"}))
    row = imported(questions()).iloc[0]
    assert [span["quote"] for span in json.loads(row["reference_spans"])] == [ANSWER]
    assert row["origin"] == "imported:own.jsonl"


def test_a_context_that_names_its_document_may_be_short(llmops, questions, put):
    rows = {"question": "How often is it, in litres?", "reference": "400 litres", "context_ids": ["penguin.md"]}
    llmops("import", put(rows))
    (span,) = json.loads(imported(questions())["reference_spans"].item())
    assert span["quote"] == "The filter\nneeds at least 400 litres an hour."


def test_a_number_is_not_found_inside_another_number(llmops, questions, put):
    llmops("import", put({"question": "How often is it, in litres?", "reference": "40", "context_ids": ["penguin.md"]}))
    assert imported(questions())["reference_spans"].item() == "[]"


def test_what_stands_nowhere_is_kept_without_gold_and_said(llmops, questions, put, capsys):
    llmops("import", put({"question": "Who feeds whom here?", "reference": "nobody whom the documents mention"}))
    assert imported(questions())["reference_spans"].item() == "[]"
    assert "1 without a place in the documents" in capsys.readouterr().out


@pytest.mark.slow
def test_a_reviewed_question_is_not_overwritten_and_an_unreviewed_one_is(llmops, questions, put, capsys):
    asked = {"question": "How hungry is a tortoise?"}
    llmops("import", put(asked | {"reference": "30 leaves"}))
    llmops("import", put(asked | {"reference": "31 leaves"}), "--reviewed-by", "ann")
    llmops("import", put(asked | {"reference": "32 leaves"}))
    row = imported(questions())
    assert (row["reference_answer"].item(), row["reviewed_by"].item()) == ("31 leaves", "ann")
    assert "1 left out: a reviewed question" in capsys.readouterr().out


def test_a_reviewed_question_outlives_every_later_run(llmops, zoo_project, questions, put):
    llmops("import", put({"question": "How hungry is a tortoise?", "reference": "30 leaves"}), "--reviewed-by", "ann")
    before = imported(questions())
    stage.run(str(zoo_project.root), force=True)
    pd.testing.assert_frame_equal(imported(questions()), before)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([{"question": "  ", "reference": "x"}], "line 1 has no question"),
        ([{"question": "Why is it so?"}], "line 1 has no reference answer"),
        ([{"id": 1, "question": "Why is it?", "reference": "x"}, {"id": 1, "question": "Who?", "reference": "y"}],
         "line 2 repeats the id of line 1"),
        ([{"question": "Why is it?", "reference": "x"}, {"question": "why  is it?", "reference": "X"}],
         "line 2 repeats the question of line 1"),
        ([{"question": "Why?", "reference": "x", "split": "train"}, {"question": "Why?", "reference": "x"}],
         "line 2 asks the training question of line 1"),
        (["no record"], "line 1 is no JSON object"),
        ([{"user_input": "Why?", "reference": "x"}, {"question": "Why?", "reference": "x"}], "line 2 is not ragas"),
    ],
)  # fmt: skip
def test_bad_rows_are_refused_by_line_and_nothing_is_imported(llmops, zoo_project, put, rows, message):
    form = "ragas" if "ragas" in message else "auto"
    with pytest.raises(ContractError, match=message):
        llmops("import", put(*rows), "--format", form)
    assert not zoo_project.data("testset", "questions.parquet").exists()


@pytest.mark.parametrize("text", ['{"question":', '{"question": "a", "question": "b"}', '{"x": NaN}', "[" * 100_000])
def test_lines_that_are_no_json_are_counted(llmops, tmp_path, text):
    (tmp_path / "bad.jsonl").write_text(f"{text}\n" * 5)
    with pytest.raises(ContractError, match=r"line 1 is no JSON .*; and 2 more"):
        llmops("import", tmp_path / "bad.jsonl")


def test_csv_lines_are_counted_as_an_editor_counts_them(llmops, tmp_path):
    with (tmp_path / "bad.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows([["question", "reference"], ["two\nlines", "x"], ["", "y"]])
    with pytest.raises(ContractError, match="line 4 has no question"):
        llmops("import", tmp_path / "bad.csv")
    (tmp_path / "bad.csv").write_text("question,reference\nonly one cell\n")
    with pytest.raises(ContractError, match="line 2 has not 2 cells"):
        llmops("import", tmp_path / "bad.csv")


def test_missing_empty_and_foreign_files_are_named(llmops, tmp_path):
    (tmp_path / "empty.jsonl").write_text("\n")
    (tmp_path / "latin.csv").write_bytes("question\ncafé\n".encode("latin-1"))
    for name, message in (("none.csv", "does not exist"), ("empty.jsonl", "no question"), ("latin.csv", "UTF-8")):
        with pytest.raises(InputError, match=message):
            llmops("import", tmp_path / name)


def test_export_before_the_first_run_says_what_to_run(llmops, tmp_path):
    with pytest.raises(InputError, match="llmops testset"):
        llmops("export", tmp_path / "out.csv")


@pytest.mark.slow
def test_doubtful_rows_are_marked_and_not_asked_until_repaired(llmops, questions, put, capsys):
    asked = {"question": "How hungry is a tortoise?"}
    llmops("import", put(asked | {"reference": "30 leaves"}, asked | {"reference": "40 leaves"}))
    assert imported(questions())["stale"].all()
    assert "2 not asked until repaired: the same question with two" in capsys.readouterr().out
    llmops("import", put(asked | {"reference": "30 leaves"}))
    assert list(imported(questions())["stale"]) == [False]


def test_status_prints_one_line(llmops, zoo_project, capsys):
    stage.run(str(zoo_project.root))
    assert llmops("status") == 0
    assert "questions hold" in capsys.readouterr().out


@pytest.mark.shared_data
@pytest.mark.slow
def test_a_corpus_of_bad_test_sets_is_judged_as_its_manifest_says(
    llmops, zoo_project, zoo, framed, questions, shared_data, tmp_path, capsys
):
    script = shared_data.parent / "faults" / "badinputs.py"
    subprocess.run([sys.executable, str(script), "--out", str(tmp_path / "bad")], check=True, capture_output=True)
    frame = framed(zoo | {"doc-1": "Returns are accepted within 30 days of delivery.\n"})
    write_table(zoo_project.data("ingest", "documents.parquet"), frame, DOCUMENTS)
    cases = [json.loads(line) for line in (tmp_path / "bad" / "manifest.jsonl").read_text().splitlines()]
    judged = [case for case in cases if case["path"].startswith("golden/")]
    for case in judged:
        zoo_project.data("testset", "questions.parquet").unlink(missing_ok=True)
        if case["expect"] == "reject":
            with pytest.raises((ContractError, InputError)):
                llmops("import", tmp_path / "bad" / case["path"])
        else:
            llmops("import", tmp_path / "bad" / case["path"])
            assert "not asked until repaired" in capsys.readouterr().out, case["path"]
            assert imported(questions())["stale"].any()
    assert len(judged) >= 8


@pytest.mark.slow
def test_training_questions_are_exported_and_never_stored(llmops, zoo_project, questions, tmp_path):
    zoo_project.params_file.write_text("testset: {train_share: 0.999}\n")
    stage.run(str(zoo_project.root))
    llmops("export", tmp_path / "train.jsonl", "--split", "train")
    exported = {json.loads(line)["question_id"] for line in (tmp_path / "train.jsonl").read_text().splitlines()}
    assert exported
    assert not exported & set(questions()["question_id"])

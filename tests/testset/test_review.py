"""Two people review the questions at a terminal; what they type is scripted."""

import argparse
import io
import json
import math

import pytest

from flows.core.contracts import DOCUMENTS, QUESTIONS
from flows.core.errors import InputError, IntegrityError, UsageError
from flows.core.tables import read_table, write_table
from flows.testset import commands, review, stage

SIZE = 6


@pytest.fixture
def zoo_project(project, zoo_frame):
    project.params_file.write_text(f"testset: {{review_questions: {SIZE}}}\n")
    write_table(project.data("ingest", "documents.parquet"), zoo_frame, DOCUMENTS)
    stage.run(str(project.root))
    return project


@pytest.fixture
def types(zoo_project, monkeypatch, capsys):
    """Let a person type lines into `llmops testset review`; return what was printed."""
    parser = argparse.ArgumentParser()
    commands.add_to(parser.add_subparsers())

    def types(name, lines, *more):
        options = parser.parse_args(["review", "--as", name, *more])
        options.project = str(zoo_project.root)
        monkeypatch.setattr("sys.stdin", io.StringIO("".join(f"{line}\n" for line in lines)))
        assert options.handler(options) == 0
        return capsys.readouterr().out

    return types


@pytest.fixture
def questions(zoo_project):
    return lambda: read_table(zoo_project.data("testset", "questions.parquet"), QUESTIONS, remedy="-")


def labels(project):
    return review.read_labels(review.labels_file(project))


def shown(said):
    return [line.removeprefix("Question:  ") for line in said.splitlines() if line.startswith("Question:  ")]


def test_two_people_who_agree_make_questions_reviewed(types, questions):
    assert "no second person" in types("ann", "g" * SIZE)
    assert questions()["reviewed_by"].isna().all()
    assert f"ann and bob: {SIZE} of {SIZE} labels equal" in types("bob", "g" * SIZE)
    assert list(questions()["reviewed_by"].dropna()) == ["ann, bob"] * SIZE


@pytest.mark.slow
def test_what_two_people_refuse_is_not_asked_and_does_not_come_back(types, questions, zoo_project):
    types("ann", "w" * SIZE)
    types("bob", "u" * SIZE)
    refused = questions()[questions()["stale"]]
    assert len(refused) == SIZE
    stage.run(str(zoo_project.root), force=True)
    assert set(questions().loc[questions()["stale"], "question_id"]) == set(refused["question_id"])


@pytest.mark.slow
def test_disagreement_is_left_to_talk_and_labelled_again(types, questions):
    types("ann", "g" * SIZE)
    said = types("bob", "w" * SIZE)
    assert f"{SIZE} to talk about" in said
    assert questions()["reviewed_by"].isna().all()
    types("bob", "g" * SIZE, "--again")
    assert questions()["reviewed_by"].notna().sum() == SIZE


def test_a_stopped_review_goes_on_where_it_stopped(types, zoo_project):
    first = types("ann", ["g", "?", "w", "q"])
    assert f"2 labelled now, {SIZE - 2} left" in first
    second = types("ann", "g" * SIZE)
    assert f"{SIZE - 2} labelled now, 0 left" in second
    assert not set(shown(first)[:2]) & set(shown(second))
    assert len(labels(zoo_project)) == SIZE
    assert "0 labelled now, 0 left" in types("ann", [])


@pytest.mark.slow
def test_all_people_see_the_same_questions_but_not_how_they_were_made_or_labelled(types, questions):
    ann, bob = types("ann", "w" * SIZE), types("bob", "g" * SIZE)
    assert sorted(shown(ann)) == sorted(shown(bob))
    frame = (
        bob.split(f"{SIZE} labelled now")[0]
        .replace(review.ASK, "")
        .replace("(none: the documents do not answer this)", "")
    )
    for row in questions().to_dict("records"):
        spans = [span["quote"] for span in json.loads(row["reference_spans"])]
        for text in sorted([row["question"], row["reference_answer"], *spans], key=len, reverse=True):
            frame = frame.replace(f"  {text}\n", "\n").replace(f" {text}\n", "\n")
    assert {word for word in frame.split() if not word.isdigit()} == {"of", "Question:", "Reference:", "Text:"}


def test_kappa_is_agreement_beyond_chance():
    said = {str(n): {"ann": "good" if n < 6 else "poor", "bob": "good" if n < 5 else "poor"} for n in range(10)}
    (pair,) = review.agreements(said)
    assert (pair.questions, pair.same) == (10, 9)
    assert pair.kappa == pytest.approx((0.9 - 0.5) / (1 - 0.5))
    assert math.isnan(review.agreements({"1": {"ann": "good", "bob": "good"}})[0].kappa)


def test_a_label_of_other_words_does_not_count(questions):
    table = questions()
    row = table.iloc[0]
    old = review.Label(row["question_id"], "0" * 32, "ann", "good")
    new = review.Label(row["question_id"], review.words_of(row), "bob", "good")
    assert review.current([old, new], table) == {row["question_id"]: {"bob": "good"}}


def test_a_damaged_file_a_blank_name_and_an_empty_set_are_named(types, zoo_project):
    with pytest.raises(UsageError, match="--as is blank"):
        types(" ", [])
    review.labels_file(zoo_project).write_text('{"question_id": "1"}\n')
    with pytest.raises(IntegrityError, match="line 1 is no label"):
        types("ann", [])
    zoo_project.data("testset", "questions.parquet").unlink()
    with pytest.raises(InputError, match="llmops testset"):
        types("ann", [])

import json
import re

import pandas as pd
import pytest

from flows.core.contracts import QUESTION_TYPES, QUESTIONS
from flows.core.errors import InputError
from flows.core.tables import check, empty
from flows.testset.build import build
from flows.testset.params import TestsetParams
from flows.testset.unanswerable import still_absent
from flows.testset.words import content

PARAMS = TestsetParams(questions_per_document_max=20)


def made(frame, stored=None, params=PARAMS):
    return build(frame, empty(QUESTIONS) if stored is None else stored, params)


def spans_of(row):
    return json.loads(row["reference_spans"])


def test_every_type_is_made_and_satisfies_the_contract(zoo_frame):
    table, _, _ = made(zoo_frame)
    check(table, QUESTIONS)
    assert set(table["question_type"]) == set(QUESTION_TYPES)


def test_every_span_is_the_text_it_quotes(zoo, zoo_frame):
    text_of = dict(zip(zoo_frame["document_id"], zoo_frame["text"], strict=True))
    table, _, _ = made(zoo_frame)
    for row in table.to_dict("records"):
        for span in spans_of(row):
            assert text_of[span["document_id"]][span["start"] : span["end"]] == span["quote"]
        assert bool(spans_of(row)) == row["answerable"] == bool(row["reference_answer"])


def test_the_same_documents_give_the_same_table_in_any_row_order(zoo_frame):
    one, _, _ = made(zoo_frame)
    other, _, _ = made(zoo_frame.iloc[::-1].reset_index(drop=True))
    pd.testing.assert_frame_equal(one, other)


def test_running_again_on_its_own_result_changes_nothing(zoo_frame):
    table, _, _ = made(zoo_frame)
    again, _, followed = made(zoo_frame, table)
    pd.testing.assert_frame_equal(table, again)
    assert followed.retired == 0


def test_another_seed_chooses_other_questions(zoo_frame):
    few = {"questions_per_type": {"simple": 3}}
    one, _, _ = made(zoo_frame, params=TestsetParams(seed=1, **few))
    sets = {tuple(made(zoo_frame, params=TestsetParams(seed=seed, **few))[0]["question"]) for seed in range(2, 9)}
    assert sets - {tuple(one["question"])}


def test_an_edit_makes_exactly_its_questions_stale(zoo, framed):
    before, _, _ = made(framed(zoo))
    edited = zoo | {"penguin.md": zoo["penguin.md"].replace("400 litres", "500 litres")}
    after, _, followed = made(framed(edited), before)
    lost = {row["question_id"] for row in before.to_dict("records") if "400 litres" in row["reference_answer"]}
    assert lost
    assert set(after.loc[after["stale"], "question_id"]) == lost
    assert followed.retired == 0


def test_a_text_that_moved_within_its_document_keeps_its_questions(zoo, framed):
    before, _, _ = made(framed(zoo))
    after, _, followed = made(framed(zoo | {"penguin.md": "# New top\n\nNew words.\n\n" + zoo["penguin.md"]}), before)
    assert set(before["question_id"]) <= set(after.loc[~after["stale"], "question_id"])
    assert any(item.moved for item in followed.questions)


def test_a_stale_question_whose_text_returns_is_live_again(zoo, framed):
    first, _, _ = made(framed(zoo))
    second, _, _ = made(framed(zoo | {"penguin.md": "# The penguin pool\n\nAll is gone.\n"}), first)
    third, _, _ = made(framed(zoo), second)
    assert second["stale"].any()
    assert not third["stale"].any()


def test_a_deleted_document_retires_its_questions_but_not_a_reviewed_one(zoo, framed):
    before, _, _ = made(framed(zoo))
    penguin = framed(zoo).query("source_uri == 'penguin.md'")["document_id"].item()
    mine = before[before["document_id"] == penguin].query("answerable").index[0]
    before.loc[mine, "reviewed_by"] = "ann"
    after, _, followed = made(framed({"tortoise.md": zoo["tortoise.md"]}), before)
    left = after[after["document_id"] == penguin]
    assert list(left["question_id"]) == [before.loc[mine, "question_id"]]
    assert left["stale"].all()
    assert followed.retired == (before["document_id"] == penguin).sum() - 1


def test_a_reviewed_question_keeps_its_words(zoo_frame):
    before, _, _ = made(zoo_frame)
    row = before.query("answerable").index[0]
    before.loc[row, ["question", "reviewed_by"]] = ["What did Ann ask about the zoo?", "ann"]
    after, _, _ = made(zoo_frame, before)
    kept = after.set_index("question_id").loc[before.loc[row, "question_id"]]
    assert (kept["question"], kept["reviewed_by"]) == ("What did Ann ask about the zoo?", "ann")


def test_a_new_document_gets_a_question_even_when_the_number_is_reached(zoo, framed):
    params = TestsetParams(questions_per_type={"simple": 2})
    before, _, _ = made(framed({"tortoise.md": zoo["tortoise.md"]}), params=params)
    after, _, _ = made(framed(zoo), before, params)
    assert set(before["question_id"]) < set(after["question_id"])
    assert after["document_id"].nunique() == 2


def test_a_large_corpus_keeps_to_the_number_that_is_wanted_and_one_per_topic_beyond(framed):
    many = {f"{n}.md": f"# Thing {n}\n\nA gadget{n} is the tool that turns iron into number {n}.\n" for n in range(30)}
    table, _, _ = made(framed(many), params=TestsetParams(questions_per_type={"simple": 10}, topics=5))
    simple = table[table["question_type"] == "simple"]
    assert 10 <= len(simple) <= 10 + 5
    assert simple["topic"].nunique() == 5


def test_no_document_gets_more_than_its_share(zoo_frame):
    table, _, _ = made(zoo_frame, params=TestsetParams(questions_per_document_max=3))
    assert table.query("question_type != 'challenge'")["document_id"].value_counts().max() <= 3


def test_a_small_corpus_leaves_room_for_every_type(zoo_frame):
    table, _, _ = made(zoo_frame, params=TestsetParams(questions_per_document_max=10))
    assert set(table["question_type"]) == set(QUESTION_TYPES)
    again, _, _ = made(zoo_frame, table, TestsetParams(questions_per_document_max=10))
    pd.testing.assert_frame_equal(table, again)


def test_unanswerable_questions_ask_for_what_no_document_says(zoo_frame):
    vocabulary = content(" ".join(zoo_frame["text"]))
    table, _, _ = made(zoo_frame)
    origins = table.query("question_type == 'unanswerable'")["origin"]
    assert len(origins)
    assert all(still_absent(origin, vocabulary) for origin in origins)
    assert all(content(question) - vocabulary for question in table.query("not answerable")["question"])


def test_an_unanswerable_question_is_stale_once_the_corpus_speaks_of_it(zoo, framed):
    before, _, _ = made(framed(zoo))
    row = before.query("question_type == 'unanswerable'").iloc[0]
    key = row["origin"].split(":")[1]
    after, _, _ = made(framed(zoo | {"new.md": f"# News\n\nThe {key} is the new thing in town.\n"}), before)
    assert after.set_index("question_id").loc[row["question_id"], "stale"]


def test_a_distracting_question_begins_with_words_of_another_document(zoo, zoo_frame):
    table, _, _ = made(zoo_frame)
    text_of = dict(zip(zoo_frame["document_id"], zoo_frame["text"], strict=True))
    for row in table.query("question_type == 'distracting'").to_dict("records"):
        fact = re.search(r"“(.*)”", row["question"]) or re.match(r"(.*?)  ?Leaving that alone", row["question"])
        elsewhere = " ".join(text for name, text in text_of.items() if name != row["document_id"])
        assert fact[1] in " ".join(elsewhere.split())


def test_documents_in_a_language_the_templates_do_not_speak_are_left_alone(zoo_frame):
    zoo_frame["language"] = "de"
    table, _, _ = made(zoo_frame)
    assert table.empty


def test_a_document_without_a_sentence_asks_nothing_and_stops_nothing(zoo, framed):
    table, _, _ = made(framed(zoo | {"rule.md": "# ---\n", "table.md": "| a |\n|---|\n"}))
    assert table["document_id"].nunique() == 2


def test_an_empty_corpus_is_an_error_that_says_where_to_look(zoo_frame):
    with pytest.raises(InputError, match="'documents' is empty"):
        made(zoo_frame.iloc[:0])

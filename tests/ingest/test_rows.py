"""Rows become documents one by one; a bad row never takes its neighbours along."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.ingest.drafts import Rejected
from flows.ingest.params import Columns
from flows.ingest.rows import parse_csv, parse_json, parse_jsonl, strict_json

CELLS = 1000


def jsonl(*rows):
    text = "\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows)
    return parse_jsonl(text + "\n", Columns(), cell_chars_max=CELLS)


def reasons(rows):
    return [(item.code, item.rule, item.row) for item in rows.rejections]


def test_one_bad_line_is_rejected_with_its_number():
    rows = jsonl({"id": 1, "text": "first"}, '{"id": 2, "te', {"id": "3", "text": "third"})
    assert [item.row for item in rows.texts] == ["1", "3"]
    assert reasons(rows) == [("malformed_rows", "json_syntax", "line-2")]
    assert rows.inputs == 3


def test_a_torn_last_line_is_named_as_such():
    rows = parse_jsonl('{"id":"a","text":"whole"}\n{"id":"b","te', Columns(), cell_chars_max=CELLS)
    assert reasons(rows) == [("malformed_rows", "torn_last_line", "line-2")]


def test_the_newer_version_of_an_id_wins_and_a_contradiction_is_rejected():
    rows = jsonl(
        {"id": "a", "version": 1, "text": "old"},
        {"id": "a", "version": 10, "text": "new"},
        {"id": "a", "version": 9, "text": "between"},
        {"id": "a", "version": 10, "text": "other"},
        {"id": "a", "version": 10, "text": "new"},
        {"id": "A", "text": "case matters"},
    )
    assert [item.text for item in rows.texts] == ["new", "case matters"]
    assert (rows.superseded, rows.repeated) == (2, 1)
    assert reasons(rows) == [("duplicate_id", "same_id_other_text", "line-4")]


def test_rows_without_a_usable_id_or_text_are_rejected_by_reason():
    bad_ids = [{"id": key, "text": "x"} for key in ("", " ", True)]
    bad_texts = [{"id": "a", "text": 3}, {"id": "b", "text": " "}, {"id": "c", "text": "y" * 1001}]
    rows = jsonl(*bad_ids, *bad_texts, "[]", {"id": "d", "text": "ok"})
    assert [code for code, _, _ in reasons(rows)] == ["malformed_rows", *["schema"] * 4, "empty", "malformed_rows"]
    assert len(rows.texts) == 1
    assert rows.inputs == 8


@given(
    st.lists(
        st.one_of(st.text(max_size=20), st.fixed_dictionaries({"id": st.text(max_size=3), "text": st.text(max_size=5)}))
    )
)
def test_every_line_is_accounted_for(items):
    lines = [item.replace("\n", " ") if isinstance(item, str) else json.dumps(item) for item in items]
    rows = parse_jsonl("\n".join([*lines, '{"id": "last", "text": "sound"}']), Columns(), cell_chars_max=CELLS)
    assert rows.inputs == len(rows.texts) + len(rows.rejections) + rows.superseded + rows.repeated


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("[" * 100_000 + "]" * 100_000, "json_nesting"),
        ('{"a": 1, "a": 2}', "json_duplicate_key"),
        ('{"a": NaN}', "json_nan"),
        ('{"a": ' + "9" * 5000 + "}", "json_number"),
        ('{"a": ', "json_syntax"),
    ],
)
def test_json_that_parsers_disagree_about_is_corrupt(text, rule):
    with pytest.raises(Rejected) as caught:
        strict_json(text)
    assert (caught.value.code, caught.value.rule) == ("corrupt", rule)


def test_json_may_be_a_notebook_an_array_or_one_document():
    cells = [{"cell_type": "markdown", "source": ["# T\n", "text"]},
             {"cell_type": "code", "source": "x = 1", "outputs": [{"data": {"image/png": "AAAA"}}]}]  # fmt: skip
    assert parse_json(json.dumps({"nbformat": 4, "cells": cells}), Columns(), cell_chars_max=CELLS).texts[0].text == (
        "# T\ntext\n\n```\nx = 1\n```"
    )
    array = parse_json('[{"id": 1, "title": "Why?", "text": "Because."}, 7]', Columns(), cell_chars_max=CELLS)
    assert array.texts[0].text == "# Why?\n\nBecause."
    assert reasons(array) == [("malformed_rows", "not_an_object", "line-2")]
    assert parse_json('{"text": "alone"}', Columns(), cell_chars_max=CELLS).texts[0].text == "alone"
    with pytest.raises(Rejected, match="no_text_column"):
        parse_json('{"text": {}}', Columns(), cell_chars_max=CELLS)


def test_a_table_without_mapping_is_one_document_whose_lines_explain_themselves():
    rows = parse_csv("id;cost\n1;1,50\n2;NA\n", None, cell_chars_max=CELLS)
    assert rows.texts[0].text == "id: 1; cost: 1,50\nid: 2; cost: NA"


def test_a_table_with_mapping_is_a_document_per_row():
    rows = parse_csv('id,text\n007,"a, b"\n8,c,d\n', Columns(), cell_chars_max=CELLS)
    assert [(item.row, item.text) for item in rows.texts] == [("007", "a, b")]
    assert reasons(rows) == [("malformed_rows", "field_count", "line-3")]


@pytest.mark.parametrize(
    ("text", "code", "rule"),
    [
        ("id,a,a\n1,2,3\n", "schema", "duplicate_header"),
        ("1,2\n3,4\n", "schema", "no_header"),
        ('id,text\n1,"open\n', "malformed_rows", "csv_syntax"),
        ("id,text\n1,a\x00b\n", "malformed_rows", "nul_character"),
        ("\n\n", "empty", "no_rows"),
    ],
)
def test_a_table_that_cannot_be_read_is_rejected_as_a_whole(text, code, rule):
    with pytest.raises(Rejected) as caught:
        parse_csv(text, None, cell_chars_max=CELLS)
    assert (caught.value.code, caught.value.rule) == (code, rule)


def test_a_mapping_to_columns_that_are_not_there_is_a_schema_error():
    with pytest.raises(Rejected, match="no_column"):
        parse_csv("key,body\n1,x\n", Columns(), cell_chars_max=CELLS)

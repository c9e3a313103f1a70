"""Files of scores: three formats say the same, and what cannot be read in one way only is named."""

import csv
import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.core.errors import ContractError, UsageError
from flows.evaluate.gatefile import COLUMNS, read_scores

ROWS = [("q1", "d1", 0, "m", 0.5), ("q1", "d1", 1, "m", None), ("q2", "", 0, "m", 1.0), ("q1", "d1", 0, "n", 3.0)]


def write_csv(path, rows, header=COLUMNS):
    with path.open("w", newline="") as stream:
        csv.writer(stream).writerows([header, *rows])
    return path


def write_jsonl(path, rows, header=COLUMNS):
    path.write_text("".join(json.dumps(dict(zip(header, row, strict=True))) + "\n" for row in rows))
    return path


def write_parquet(path, rows, header=COLUMNS):
    pq.write_table(pa.table({name: [row[i] for row in rows] for i, name in enumerate(header)}), path)
    return path


WRITERS = [("a.csv", write_csv), ("a.jsonl", write_jsonl), ("a.parquet", write_parquet)]


@pytest.mark.parametrize(("name", "write"), WRITERS)
def test_the_three_formats_say_the_same(tmp_path, name, write):
    file = read_scores(write(tmp_path / name, ROWS))

    assert file.metrics == ["m", "n"]
    assert file.question_id.tolist() == ["q1", "q1", "q2", "q1"]
    assert file.document_id.tolist() == ["d1", "d1", "", "d1"]
    assert file.sample.tolist() == [0, 1, 0, 0]
    np.testing.assert_array_equal(file.score, [0.5, np.nan, 1.0, 3.0])
    assert len(file.scores("m").score) == 3


@given(st.lists(st.floats(allow_infinity=False), min_size=1, max_size=20))
def test_scores_survive_csv_to_the_last_digit(tmp_path_factory, values):
    path = tmp_path_factory.mktemp("scores") / "a.csv"
    file = read_scores(write_csv(path, [(f"q{i}", "d", 0, "m", repr(v)) for i, v in enumerate(values)]))

    np.testing.assert_array_equal(file.score, values)


def test_ids_are_text_exactly_as_written(tmp_path):
    file = read_scores(write_csv(tmp_path / "a.csv", [("007", "NA", 0, "m", 1), ("1.0", "null", 0, "m", 1)]))

    assert file.question_id.tolist() == ["007", "1.0"]
    assert file.document_id.tolist() == ["NA", "null"]


def test_true_and_false_are_scores_and_nan_is_missing(tmp_path):
    rows = [(f"q{i}", "d", 0, "m", text) for i, text in enumerate(("true", "False", "NaN", "", " "))]

    np.testing.assert_array_equal(
        read_scores(write_csv(tmp_path / "a.csv", rows)).score, [1.0, 0.0, np.nan, np.nan, np.nan]
    )


def test_a_byte_order_mark_blank_lines_and_other_columns_do_not_matter(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text('\ufeffquestion_id,document_id,sample,metric,score,answer\n\nq,d,0,m,1,"one,\ntwo"\n')

    file = read_scores(path)

    assert file.texts["answer"] == {"q": "one,\ntwo"}


def refusal(path, rows=ROWS, header=COLUMNS, **kwargs):
    with pytest.raises(ContractError) as caught:
        file = read_scores(write_csv(path, rows, header), **kwargs)
        for metric in file.metrics:
            file.scores(metric)
    return str(caught.value)


def test_a_wrong_column_is_named_with_the_likely_one(tmp_path):
    said = refusal(tmp_path / "a.csv", header=("question_id", "doc_id", "sample", "metric", "score"))

    assert "a.csv lacks column(s) 'document_id'" in said
    assert "Did you mean 'doc_id'?" in said


@pytest.mark.parametrize("lacking", COLUMNS)
def test_every_column_is_needed(tmp_path, lacking):
    header = tuple("other" if name == lacking else name for name in COLUMNS)

    assert f"{lacking!r}" in refusal(tmp_path / "a.csv", header=header)


def test_a_pair_that_stands_twice_is_named(tmp_path):
    said = refusal(tmp_path / "a.csv", [("q", "d", 0, "m", 1), ("q", "d", 0, "m", 0)])

    assert "a.csv, metric 'm'" in said
    assert "stand twice" in said
    assert "Number the repeats" in said


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (("q", "d", 0, "m", "good"), "column 'score' is no number in data row(s) 2. Leave it empty"),
        (("q", "d", "first", "m", 1), "column 'sample' is no whole number in data row(s) 2"),
        (("q", "d", 0.5, "m", 1), "column 'sample' is no whole number"),
        (("q", "d", -1, "m", 1), "Count from 0"),
        (("q", "d", 10**30, "m", 1), "column 'sample' is no whole number"),
        (("", "d", 0, "m", 1), "column 'question_id' is empty in data row(s) 2"),
        (("q", "d", 0, "", 1), "column 'metric' is empty"),
        (("q", "d", 0, "m", "inf"), "infinite score"),
        (("q", "d", 0, "m", 1, "more"), "line 3: 6 fields under 5 columns"),
        (("q", "d", 0, "m"), "line 3: 4 fields under 5 columns"),
    ],
)
def test_a_row_that_makes_no_sense_is_named(tmp_path, row, expected):
    assert expected in refusal(tmp_path / "a.csv", [("q0", "d", 0, "m", 1), row])


def test_two_releases_in_one_file_are_refused(tmp_path):
    rows = [("q1", "d", 0, "m", 1, "r1"), ("q2", "d", 0, "m", 1, "r2")]

    assert "mixes 2 releases: 'r1', 'r2'" in refusal(tmp_path / "a.csv", rows, (*COLUMNS, "release_id"))


@pytest.mark.parametrize("text", ["", "question_id,document_id,sample,metric,score\n"])
def test_an_empty_file_was_not_evaluated(tmp_path, text):
    path = tmp_path / "a.csv"
    path.write_text(text)

    with pytest.raises(ContractError, match="Nothing was evaluated"):
        read_scores(path)


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("a.jsonl", b'{"question_id": "q"', "line 1 is no JSON"),
        ("a.jsonl", b"[1]\n", "line 1 is no object"),
        ("a.jsonl", b"[" * 100_000, "line 1 is no JSON"),
        (
            "a.jsonl",
            b'{"question_id": "q", "document_id": "d", "sample": 0, "metric": "m", "score": 1' + b"0" * 400 + b"}",
            "'score' is no number",
        ),
        ("a.jsonl", b"\n", "is empty"),
        ("a.csv", b"\xff\xfe\x00", "not readable"),
        ("a.csv", b'question_id,score\n"q,1', "not readable"),
        ("a.csv", b"score,score\n1,2\n", "names a column twice"),
        ("a.parquet", b"no parquet", "no readable Parquet"),
    ],
)
def test_a_damaged_file_is_named(tmp_path, name, content, expected):
    (tmp_path / name).write_bytes(content)

    with pytest.raises(ContractError, match=expected):
        read_scores(tmp_path / name)


def test_an_id_that_cannot_be_printed_is_made_printable(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text('{"question_id": "\\ud800", "document_id": "d", "sample": 0, "metric": "m", "score": 1}')

    assert read_scores(path).question_id.tolist() == ["?"]


def test_a_path_that_leads_nowhere_or_to_another_format_is_wrong_usage(tmp_path):
    with pytest.raises(UsageError, match="does not exist"):
        read_scores(tmp_path / "a.csv")
    with pytest.raises(UsageError, match=r"neither \.csv nor"):
        read_scores(tmp_path / "a.xlsx")


def test_nights_are_read_and_may_be_of_several_releases(tmp_path):
    rows = [("q", "d", 0, "m", 1, -1, "r1"), ("q", "d", 0, "m", 1, 0, "r2")]
    path = write_csv(tmp_path / "a.csv", rows, (*COLUMNS, "night", "release_id"))

    assert read_scores(path, with_night=True).night.tolist() == [-1, 0]


def test_a_file_without_nights_cannot_be_followed(tmp_path):
    assert "lacks column(s) 'night'" in refusal(tmp_path / "a.csv", with_night=True)

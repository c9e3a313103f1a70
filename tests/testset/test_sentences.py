from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from flows.testset.sentences import clean, outline, split

MARKDOWN = st.lists(
    st.sampled_from(
        ["# A heading", "", "One sentence. Another one!", "- an item. With two parts.", "| a | b |", "|---|---|",
         "| 1 | 2 |", "```", "wrapped prose that\ngoes on. Then ends", "1. first", "é ünïcode 漢字. Next", "   "]
    ),
    max_size=20,
).map("\n".join)  # fmt: skip


@given(st.one_of(MARKDOWN, st.text(max_size=300)))
def test_every_sentence_is_the_exact_slice_it_names(text):
    for sentence in outline(text).sentences:
        assert clean(text[sentence.start : sentence.end]) == sentence.text


@given(MARKDOWN)
def test_sentences_come_in_order_and_do_not_overlap(text):
    spans = [(sentence.start, sentence.end) for sentence in outline(text).sentences]
    assert all(before[1] <= after[0] for before, after in pairwise(spans))


@given(st.text(max_size=200))
def test_split_loses_nothing_but_white_space(text):
    covered = "".join(text[a:b] for a, b in split(text))
    assert "".join(covered.split()) == "".join(text.split())


def test_headings_form_a_path_and_the_first_sentence_below_one_is_known():
    sentences = outline("# A\n\nOne here.\n\n## B\n\nTwo here. Three here.\n\n# C\n\nFour here.\n").sentences
    assert [(s.text, s.headings, s.first) for s in sentences] == [
        ("One here.", ("A",), True),
        ("Two here.", ("A", "B"), True),
        ("Three here.", ("A", "B"), False),
        ("Four here.", ("C",), True),
    ]


def test_a_sentence_may_run_over_lines_and_lose_its_markup():
    (sentence,) = outline("The **gate** reads\n`scores.parquet` and [the docs](http://x.y/z).").sentences
    assert sentence.text == "The gate reads scores.parquet and the docs."


def test_abbreviations_do_not_end_a_sentence():
    assert [s.text for s in outline("Use a file, e.g. Params. Then stop.").sentences] == [
        "Use a file, e.g. Params.",
        "Then stop.",
    ]


def test_code_and_front_matter_hold_no_sentences():
    text = "---\ntitle: No sentence. Here.\n---\nProse here.\n\n```\ncode. Here.\n```\n"
    assert [s.text for s in outline(text).sentences] == ["Prose here."]


def test_table_rows_know_their_columns_and_their_characters():
    text = "# T\n\n| plant | effect |\n|---|---|\n| clover | strong shell |\n| a \\| b | two |\n| short |\n"
    rows = outline(text).rows
    assert [(row.columns, row.cells) for row in rows] == [
        (("plant", "effect"), ("clover", "strong shell")),
        (("plant", "effect"), ("a | b", "two")),
    ]
    assert text[rows[0].start : rows[0].end] == "| clover | strong shell |"

import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from flows.embed.changes import diff

TABLES = st.dictionaries(st.sampled_from("abcdef"), st.tuples(st.sampled_from("pqr"), st.sampled_from("xyz")))


def table(rows):
    """Rows as {chunk id: (row key, vector key)}."""
    records = [(chunk, row, vector) for chunk, (row, vector) in rows.items()]
    return pd.DataFrame(records, columns=["chunk_id", "row_key", "vector_key"])


def test_equal_tables_have_nothing_to_do():
    changes = diff(table({"a": ("1", "x")}), table({"a": ("1", "x")}))
    assert (changes.written, changes.removed) == ((), ())


def test_a_text_that_goes_and_comes_elsewhere_has_moved():
    changes = diff(table({"a": ("1", "x")}), table({"b": ("2", "x")}))
    assert (changes.new, changes.moved, changes.removed) == ((), ("b",), ("a",))
    assert changes.reusable == {"x": "a"}


def test_a_text_that_stays_and_comes_elsewhere_too_is_new_and_needs_no_embedding():
    changes = diff(table({"a": ("1", "x")}), table({"a": ("1", "x"), "b": ("2", "x")}))
    assert (changes.new, changes.moved, changes.reusable) == (("b",), (), {"x": "a"})


def test_a_row_with_another_title_has_changed():
    changes = diff(table({"a": ("1", "x")}), table({"a": ("2", "x")}))
    assert (changes.changed, changes.new, changes.removed) == (("a",), (), ())


@given(TABLES, TABLES)
def test_applying_the_changes_gives_exactly_what_is_wanted(have, want):
    changes = diff(table(have), table(want))
    result = {chunk: row for chunk, row in have.items() if chunk not in changes.removed}
    result |= {chunk: want[chunk] for chunk in changes.written}
    assert {chunk: row for chunk, (row, _) in result.items()} == {chunk: row for chunk, (row, _) in want.items()}


@given(TABLES, TABLES)
def test_every_id_is_in_one_list_at_most(have, want):
    changes = diff(table(have), table(want))
    ids = [*changes.new, *changes.changed, *changes.moved, *changes.removed]
    assert len(ids) == len(set(ids))

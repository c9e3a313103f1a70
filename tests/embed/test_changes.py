import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from flows.embed.changes import diff

TABLES = st.dictionaries(st.sampled_from("abcdef"), st.tuples(st.sampled_from("pqr"), st.sampled_from("xyz")))


def table(rows):
    """Rows as {chunk id: (row key, vector key)}."""
    records = [(chunk, row, vector) for chunk, (row, vector) in rows.items()]
    return pd.DataFrame(records, columns=["chunk_id", "row_key", "vector_key"], dtype="str")


def named(want, places):
    return [list(want)[place] for place in places]


def test_equal_tables_have_nothing_to_do():
    changes = diff(table({"a": ("1", "x")}), table({"a": ("1", "x")}))
    assert (changes.written.size, changes.removed, changes.reusable) == (0, [], {})


def test_a_text_that_goes_and_comes_elsewhere_has_moved():
    changes = diff(table({"a": ("1", "x")}), table({"b": ("2", "x")}))
    assert (changes.new.tolist(), changes.moved.tolist(), changes.removed) == ([], [0], ["a"])
    assert changes.reusable == {"x": "a"}


def test_a_text_that_stays_and_comes_elsewhere_too_is_new_and_needs_no_embedding():
    changes = diff(table({"a": ("1", "x")}), table({"a": ("1", "x"), "b": ("2", "x")}))
    assert (changes.new.tolist(), changes.moved.tolist(), changes.reusable) == ([1], [], {"x": "a"})


def test_a_row_with_another_title_has_changed():
    changes = diff(table({"a": ("1", "x")}), table({"a": ("2", "x")}))
    assert (changes.changed.tolist(), changes.new.tolist(), changes.removed) == ([0], [], [])


@given(TABLES, TABLES)
def test_applying_the_changes_gives_exactly_what_is_wanted(have, want):
    changes = diff(table(have), table(want))
    result = {chunk: row for chunk, row in have.items() if chunk not in changes.removed}
    result |= {chunk: want[chunk] for chunk in named(want, changes.written)}
    assert {chunk: row for chunk, (row, _) in result.items()} == {chunk: row for chunk, (row, _) in want.items()}


@given(TABLES, TABLES)
def test_every_row_is_named_once_at_most_and_moved_only_if_its_text_is_gone_elsewhere(have, want):
    changes = diff(table(have), table(want))
    places = [*changes.new, *changes.changed, *changes.moved]
    assert len(places) == len(set(places))
    assert not set(named(want, places)) & set(changes.removed)
    left = {have[chunk][1] for chunk in changes.removed}
    assert {chunk for chunk in set(want) - set(have) if want[chunk][1] in left} == set(named(want, changes.moved))


@given(TABLES, TABLES)
def test_a_text_that_the_index_has_is_reused_from_a_chunk_that_has_it(have, want):
    changes = diff(table(have), table(want))
    needed = {want[chunk][1] for chunk in named(want, changes.written)}
    assert set(changes.reusable) == needed & {vector for _, vector in have.values()}
    assert all(have[chunk][1] == key for key, chunk in changes.reusable.items())

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.core.access import ACCESS, joined, may_read, read_labels, readable

LABELS = st.sampled_from(["public", "finance", "hr", "legal"])
SETS = st.lists(LABELS, min_size=1, max_size=4)


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        ("finance", ("finance",)),
        ("Finance, hr", ("finance", "hr")),
        ("[hr-only]", ("hr-only",)),
        ("[hr, \"legal\", 'hr']  # who may read", ("hr", "legal")),
        ("\n  - HR\n  - eu/legal", ("hr", "eu/legal")),
        ("public", ("public",)),
    ],
)
def test_labels_are_read_from_a_word_or_a_list(text, labels):
    assert read_labels(text) == labels


@pytest.mark.parametrize(
    "text", ["", " ", "[]", "~", ">", "hr only", "x' OR '1'='1", "\n  read: [hr]", "a" * 65, "hr;"]
)
def test_what_is_no_label_is_refused_and_not_repeated(text):
    with pytest.raises(ValueError, match="a label is a word") as refused:
        read_labels(text)
    assert "OR" not in str(refused.value)


@given(st.text())
def test_whatever_is_read_as_labels_fits_the_contract_and_cannot_leave_a_filter(text):
    try:
        labels = read_labels(text)
    except ValueError:
        return
    assert re.match(ACCESS, joined(*labels))
    assert not set("'\"\\ ;()") & set(joined(*labels))


@given(SETS, SETS)
def test_joining_labels_forgets_none_but_public(first, second):
    assert set(joined(*first, *second).split(",")) - {"public"} == set(first + second) - {"public"}
    assert joined(joined(*first), joined(*second)) == joined(*second, *first)


@given(SETS, LABELS, st.sets(LABELS))
def test_a_further_label_never_opens_anything(labels, more, held):
    if more != "public" and may_read(held, joined(*labels, more)):
        assert may_read({*held, "public"}, joined(*labels))


def test_a_reader_needs_every_label():
    assert may_read(("public",), "public")
    assert not may_read(("finance",), "public")
    assert not may_read(("public", "finance"), "finance,hr")
    assert readable(("hr", "finance"), ["public", "finance,hr", "hr", "legal", "hr"]) == ["finance,hr", "hr"]
    assert readable((), ["public"]) == []

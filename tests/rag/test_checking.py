"""Checking answers: citations, refusals and quotations."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.rag.checking import check_answer, marks

CHUNKS = ("Seeds stay in the dry store for eighteen months.", "The gate opens at nine.")


def check(answer, citations=(), refused=False, chunks=CHUNKS):
    return check_answer({"answer": answer, "citations": list(citations), "refused": refused}, chunks, quote_words_min=3)


def test_a_cited_answer_is_valid_and_its_chunks_come_in_the_order_of_mention():
    found = check("The gate opens at nine [2], seeds stay [1].", [1, 2])
    assert (found.cited, found.flags, found.format_valid) == ((1, 0), (), True)


def test_citations_may_stand_in_the_text_or_in_the_list():
    assert check("Nine [2].").cited == check("Nine.", [2]).cited == (1,)


@pytest.mark.parametrize("number", [0, 3, -1, 99])
def test_a_citation_of_a_chunk_that_was_not_given_breaks_the_format(number):
    found = check("Nine.", [2, number])
    assert found.flags == ("citation_out_of_range",)
    assert not found.format_valid
    assert found.cited == (1,)


def test_an_answer_without_citation_is_flagged_and_a_refusal_is_not():
    assert check("Nine.").flags == ("no_citation",)
    assert check("The context does not say.", refused=True).flags == ()


def test_an_invented_quotation_is_flagged():
    assert check('It says "the gate opens at ten" [2].').flags == ("quote_not_found",)
    assert check("It says “The gate  opens, at nine” [2].").flags == ()


def test_a_short_quotation_is_emphasis():
    assert check('The "golden gate" [2].').flags == ()


def test_words_are_compared_whole():
    assert check('"he gate opens at" [2].').flags == ("quote_not_found",)


def test_marks_are_read_alone_and_in_groups():
    assert marks("a [1] b [2, 3] c [x] [4") == [1, 2, 3]


@given(st.text(), st.lists(st.integers(-3, 9)), st.booleans())
def test_every_cited_position_exists_and_stands_once(text, citations, refused):
    cited = check(text, citations, refused).cited
    assert all(0 <= place < len(CHUNKS) for place in cited)
    assert len(set(cited)) == len(cited)

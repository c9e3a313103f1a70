import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.core.errors import ContractError
from flows.testset.spans import Span, Version, anchor, anchor_all

WORDS = st.lists(st.text("abcdef ", min_size=1, max_size=12), min_size=1, max_size=8).map(" ".join)


def span_in(text, quote, version="v1"):
    start = text.index(quote)
    return Span("d", version, start, start + len(quote), quote)


@given(before=WORDS, after=WORDS, new_before=WORDS, new_after=WORDS)
def test_an_edit_around_the_quote_moves_the_span_and_keeps_its_text(before, after, new_before, new_after):
    quote = "The gate has four verdicts."
    span = span_in(f"{before}{quote}{after}", quote)
    moved = anchor(span, {"d": Version("v2", f"{new_before} {quote} {new_after}")})
    assert moved is not None
    assert moved.quote == quote
    assert moved.document_version == "v2"
    assert f"{new_before} {quote} {new_after}"[moved.start : moved.end] == quote


@given(before=WORDS, after=WORDS)
def test_a_changed_quote_is_gone(before, after):
    span = span_in("The gate has four verdicts.", "The gate has four verdicts.")
    assert anchor(span, {"d": Version("v2", f"{before} The gate has five verdicts. {after}")}) is None


def test_an_unchanged_document_keeps_the_very_span():
    span = span_in("One. Two. Three.", "Two.")
    assert anchor(span, {"d": Version("v1", "One. Two. Three.")}) is span


def test_of_several_places_the_nearest_is_taken():
    span = Span("d", "v1", 40, 44, "Two.")
    assert anchor(span, {"d": Version("v2", "Two." + " " * 33 + "Two." + " " * 50 + "Two.")}).start == 37


def test_a_paragraph_wrapped_anew_is_found_again():
    span = span_in("the gate has\nfour verdicts", "gate has\nfour")
    assert anchor(span, {"d": Version("v2", "the gate  has four verdicts")}).quote == "gate  has four"


def test_text_that_moved_to_another_document_does_not_count():
    assert anchor(span_in("One. Two.", "Two."), {"e": Version("v1", "One. Two.")}) is None


def test_a_question_with_two_spans_needs_both():
    spans = (span_in("One. Two.", "One."), span_in("One. Two.", "Two."))
    assert anchor_all(spans, {"d": Version("v2", "Zero. One. Two.")}) is not None
    assert anchor_all(spans, {"d": Version("v2", "Zero. One.")}) is None


@pytest.mark.parametrize(("start", "end"), [(-1, 3), (2, 2), (3, 99)])
def test_a_span_outside_its_document_is_refused(start, end):
    with pytest.raises(ContractError, match="lies outside document 'd'"):
        Span.of("d", Version("v", "short"), start, end)

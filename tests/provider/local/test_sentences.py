"""Sentences are cut where a reader would cut them, and nothing of them is lost."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.provider.local.ask import Chunk
from flows.provider.local.sentences import (
    MAX_SENTENCE_CHARS,
    asked,
    content_words,
    coverage,
    cut,
    split,
    word_weights,
)


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("It works. It is fast.", ["It works.", "It is fast."]),
        ("Use e.g. Paris. Done.", ["Use e.g. Paris.", "Done."]),
        ("# Limits\nThe limit is 3.5 GB.", ["The limit is 3.5 GB."]),
        ("- first item\n- second item", ["first item", "second item"]),
        ("1. open\n2. close", ["open", "close"]),
        ("one\nwrapped line", ["one wrapped line"]),
        ('He said "Stop." Then he left.', ['He said "Stop."', "Then he left."]),
        ("...", []),
        ("", []),
    ],
)
def test_a_text_is_cut_where_a_reader_would(text: str, sentences: list[str]) -> None:
    assert split(text) == sentences


@given(st.text(alphabet="aB .\"')\n", max_size=300))
def test_no_letter_is_lost(text: str) -> None:
    assert re.sub(r"\W", "", "".join(split(text))) == re.sub(r"\W", "", text)


@given(st.text(max_size=2000))
def test_no_sentence_is_longer_than_the_limit(text: str) -> None:
    assert all(0 < len(sentence) <= MAX_SENTENCE_CHARS for sentence in split(text))


def test_inflected_words_meet() -> None:
    assert content_words("Promoted releases") == content_words("promote release")


def test_a_word_that_no_sentence_has_weighs_most_and_is_not_covered() -> None:
    sentences = cut([Chunk(1, "The gate compares releases. The gate is strict.")])
    weights = word_weights(content_words("gate unicorn"), sentences)
    assert weights["unicorn"] > weights["gat"]
    assert coverage(weights, ["gat"]) < 0.5


def test_what_is_asked_is_the_last_question_whatever_is_said_before():
    said = "I have read that deletions are compacted. My question is about something else. When does embedding stop?"

    assert asked(said) == "When does embedding stop?"
    assert asked("limits of the gate") == "limits of the gate"

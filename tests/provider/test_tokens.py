"""Tokens are counted offline, exactly for OpenAI's vocabularies."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flows.provider.requests import Message
from flows.provider.tokens import PART_CHARS, count, count_messages, encoding_name, truncate


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("gpt-4.1-mini", "o200k_base"),
        ("gpt-4o-2024-08-06", "o200k_base"),
        ("gpt-4-turbo", "cl100k_base"),
        ("gpt-3.5-turbo", "cl100k_base"),
        ("ft:gpt-3.5-turbo:me::1", "cl100k_base"),
        ("openai/gpt-4", "cl100k_base"),
        ("text-embedding-3-small", "cl100k_base"),
        ("some-new-model", "o200k_base"),
    ],
)
def test_a_model_has_its_vocabulary(model, name):
    assert encoding_name(model) == name


def test_counts_are_those_of_the_published_vocabularies():
    assert count("tiktoken is great!", "gpt-3.5-turbo") == 6  # OpenAI's cookbook
    assert count("", "gpt-4o") == 0


def test_special_tokens_in_a_text_are_text():
    assert count("<|endoftext|>", "gpt-4o") > 1


def test_messages_carry_frames_and_the_schema():
    one = count_messages([Message("user", "hello")], "gpt-4o")
    assert one > count("hello", "gpt-4o")
    assert count_messages([Message("user", "hello")], "gpt-4o", {"type": "object"}) > one


def test_a_text_of_millions_of_characters_is_counted():
    text = "word " * (PART_CHARS // 2)
    assert count(text, "gpt-4o") == pytest.approx(PART_CHARS // 2, rel=0.01)


@settings(max_examples=50)
@given(text=st.text(max_size=200), limit=st.integers(0, 40))
def test_a_truncated_text_is_a_beginning_within_the_limit(text, limit):
    cut = truncate(text, limit, "gpt-4o")
    assert text.startswith(cut)
    assert count(cut, "gpt-4o") <= max(limit, 0) or cut == text

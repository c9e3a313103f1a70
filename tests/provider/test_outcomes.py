"""Answers are checked before anything uses them."""

import base64
import json
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.provider.outcomes import (
    BrokenBodyError,
    Tokens,
    UnusableAnswerError,
    clean,
    parse_output,
    read_chat,
    read_tokens,
    read_vectors,
    redact,
)

SCHEMA = {
    "type": "object",
    "properties": {"answer": {"type": "string"}, "citations": {"type": "array", "items": {"type": "integer"}}},
    "required": ["answer"],
    "additionalProperties": False,
}


def chat(reason="stop", content="fine", refusal=None, usage=(10, 5)):
    message = {"role": "assistant", "content": content, "refusal": refusal}
    counts = {"prompt_tokens": usage[0], "completion_tokens": usage[1]} if usage else None
    return json.dumps(
        {"model": "m-1", "choices": [{"finish_reason": reason, "message": message}], "usage": counts}
    ).encode()


def vectors(*rows, order=None):
    data = [{"index": i, "embedding": row} for i, row in enumerate(rows)]
    return json.dumps({"model": "e", "data": [data[i] for i in order] if order else data}).encode()


def test_a_good_answer_is_read_with_its_tokens():
    answer = read_chat(chat())
    assert (answer.text, answer.model, answer.tokens) == ("fine", "m-1", Tokens(10, 5))


@pytest.mark.parametrize(
    ("body", "error_class"),
    [
        (chat("length", '{"answer": "cut in the mid'), "truncated"),
        (chat("content_filter", ""), "content_filter"),
        (chat("stop", None, refusal="I will not"), "refusal"),
        (chat("brand_new"), "unknown_finish_reason"),
        (chat("stop", ""), "empty_answer"),
        (chat("stop", None), "empty_answer"),
        (chat("stop", " \n"), "empty_answer"),
    ],
)
def test_every_way_of_not_answering_has_a_name_and_keeps_its_cost(body, error_class):
    with pytest.raises(UnusableAnswerError) as caught:
        read_chat(body)
    assert caught.value.error_class == error_class
    assert caught.value.usage == Tokens(10, 5)


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"<html>", b"[]", b'"text"', b'{"choices": []}', b'{"choices": [{}]}', b'{"a": NaN}', b"\xff\xfe"],
)
def test_a_body_that_breaks_the_wire_is_broken_whatever_it_is(body):
    with pytest.raises(BrokenBodyError):
        read_chat(body)


@given(st.binary(max_size=200))
def test_no_body_leaks_another_kind_of_error(body):
    with pytest.raises(BrokenBodyError):
        read_chat(body)


def test_deep_nesting_is_a_broken_body():
    with pytest.raises(BrokenBodyError):
        read_chat(b"[" * 200_000)


@pytest.mark.parametrize(
    "usage",
    [
        None,
        {},
        {"prompt_tokens": -1, "completion_tokens": 2},
        {"prompt_tokens": 1.5, "completion_tokens": 2},
        {"prompt_tokens": True, "completion_tokens": 2},
        {"prompt_tokens": 1, "completion_tokens": 10**30},
        {"prompt_tokens": 1, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 5}},
    ],
)
def test_impossible_usage_is_no_usage(usage):
    assert read_tokens(usage) is None


def test_details_of_usage_are_read():
    usage = {
        "prompt_tokens": 10,
        "completion_tokens": 8,
        "prompt_tokens_details": {"cached_tokens": 4},
        "completion_tokens_details": {"reasoning_tokens": 6},
    }
    assert read_tokens(usage) == Tokens(10, 8, cached=4, reasoning=6)


def test_output_that_satisfies_its_schema_is_parsed():
    assert parse_output('{"answer": "yes", "citations": [1]}', SCHEMA) == {"answer": "yes", "citations": [1]}


@pytest.mark.parametrize(
    "text",
    [
        "yes",
        "[1]",
        '{"answer": 1}',
        '{"answer": "a", "more": 1}',
        '{"answer": "a", "citations": ["1"]}',
        '{"answer": NaN}',
    ],
)
def test_output_that_breaks_its_schema_is_named_without_its_content(text):
    with pytest.raises(UnusableAnswerError) as caught:
        parse_output(text, SCHEMA)
    assert caught.value.error_class == "schema_mismatch"
    assert "more" not in str(caught.value)


def test_vectors_are_placed_by_index_and_have_length_one():
    matrix, model, _ = read_vectors(vectors([3.0, 4.0], [0.0, 2.0], order=[1, 0]), count=2)
    assert np.allclose(matrix, [[0.6, 0.8], [0.0, 1.0]])
    assert (matrix.dtype, model) == (np.float32, "e")


def test_base64_vectors_are_the_same_as_lists():
    packed = base64.b64encode(struct.pack("<2f", 3.0, 4.0)).decode()
    assert np.array_equal(read_vectors(vectors(packed), count=1)[0], read_vectors(vectors([3.0, 4.0]), count=1)[0])


@pytest.mark.parametrize(
    "body",
    [
        vectors([1.0, 0.0]),
        vectors([1.0, 0.0], [0.0, 1.0], order=[0, 0]),
        vectors([1.0, 0.0], [0.0, 0.0]),
        vectors([1.0, 0.0], [1.0]),
        vectors([1.0, 0.0], base64.b64encode(struct.pack("<2f", float("nan"), 1)).decode()),
        vectors([1.0, 0.0], [1e39, 0.0]),
        vectors([], []),
    ],
)
def test_unusable_vectors_are_refused(body):
    with pytest.raises(UnusableAnswerError, match="vectors"):
        read_vectors(body, count=2)


@pytest.mark.parametrize("row", ["not base64!", None, {"a": 1}, "YWJj"])
def test_unreadable_vectors_are_a_broken_body(row):
    with pytest.raises(BrokenBodyError):
        read_vectors(vectors(row), count=1)


def test_keys_are_cut_out_of_messages():
    key = "sk-proj-abcdefgh12345678"
    said = redact(f"Incorrect API key provided: {key}, also ...{key[-8:]} and Bearer sk-other-99999999", key)
    assert key not in said
    assert key[-8:] not in said
    assert "99999999" not in said
    assert said.startswith("Incorrect API key provided")


@given(st.text(alphabet=st.characters(categories=("Ll", "Cs", "So")), max_size=30))
def test_cleaned_text_can_always_be_stored(text):
    clean(text).encode()
    if not any("\ud800" <= char <= "\udfff" for char in text):
        assert clean(text) == text

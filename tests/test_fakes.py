"""The stand-ins behave like what they stand in for."""

import dataclasses
import inspect

import numpy as np
import pytest

from flows.index.store import Index
from flows.provider.requests import CallTags, ChatRequest, ChatResult, Message, ProviderFailure
from tests.fakes import MemoryIndex, ScriptedProvider

SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"], "additionalProperties": False}


def request(schema=None):
    return ChatRequest((Message("user", "hello"),), CallTags("test"), response_schema=schema)


def test_a_scripted_provider_answers_in_order_and_remembers_the_requests():
    provider = ScriptedProvider({"a": 1}, "text", lambda asked: {"a": len(asked.messages)})
    first, second, third = provider.chat([request(SCHEMA), request(), request(SCHEMA)])
    assert (first.parsed, second.text, third.parsed) == ({"a": 1}, "text", {"a": 1})
    assert len(provider.requests) == 3
    assert len({first.call_id, second.call_id, third.call_id}) == 3


def test_a_scripted_answer_that_breaks_its_schema_is_a_failure_as_with_the_real_provider():
    failed, prose = ScriptedProvider({"b": 1}, "no json").chat([request(SCHEMA), request(SCHEMA)])
    assert isinstance(failed, ProviderFailure)
    assert isinstance(prose, ProviderFailure)
    assert failed.error_class == prose.error_class == "schema_mismatch"


def test_a_request_without_a_scripted_answer_fails_the_test():
    with pytest.raises(AssertionError, match="no scripted answer"):
        ScriptedProvider().chat([request()])


def test_vectors_have_length_one_and_equal_texts_have_equal_vectors():
    vectors = ScriptedProvider().embed(["red fox", "red fox", "", "blue whale"], mode="query")
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1)
    assert np.array_equal(vectors[0], vectors[1])
    assert ScriptedProvider().embed([]).shape[0] == 0


def test_the_memory_index_finds_the_nearest_text_first_in_every_mode():
    index = MemoryIndex(["the red fox sleeps", "the blue whale swims", "nothing alike"])
    vector = ScriptedProvider().embed(["blue whale"], mode="query")[0]
    for mode in ("hybrid", "vector", "text"):
        hits = index.search("blue whale", vector, access=["public"], k=2, mode=mode)
        assert hits[0].text == "the blue whale swims"
        assert [hit.rank for hit in hits] == list(range(1, len(hits) + 1))


def test_the_memory_index_takes_the_arguments_of_the_real_search():
    real = set(inspect.signature(Index.search).parameters)
    assert set(inspect.signature(MemoryIndex.search).parameters) - {"self"} <= real


def test_two_memory_indexes_of_equal_texts_have_the_same_tag():
    assert MemoryIndex(["a", "b"]).manifest.tag == MemoryIndex(["b", "a"][::-1]).manifest.tag
    assert MemoryIndex(["a"]).manifest.tag != MemoryIndex(["b"]).manifest.tag


def test_a_result_has_every_field_of_the_contract():
    result = ScriptedProvider("x").chat([request()])[0]
    assert isinstance(result, ChatResult)
    assert all(hasattr(result, field.name) for field in dataclasses.fields(ChatResult))

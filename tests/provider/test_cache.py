"""The cache gives back what was stored, or nothing."""

import sqlite3
from dataclasses import replace

import numpy as np
import pytest

from flows.provider.cache import Cache, chat_key, vector_keys
from flows.provider.outcomes import UnusableAnswerError
from flows.provider.requests import ChatResult

RESULT = ChatResult("text", {"a": 1}, "stop", "0" * 32, "m", "m-1", "fp", 10, 5, 2, 12.5, 0.25)


@pytest.fixture
def cache(project):
    made = Cache(project)
    yield made
    made.close()


def damage(project, table, expression) -> None:
    with sqlite3.connect(project.state("cache", "provider.sqlite")) as base:
        base.execute(f"UPDATE {table} SET value = {expression}")


def test_an_answer_comes_back_with_its_first_usage_and_cost(cache):
    cache.put_chat(b"key", RESULT)
    assert cache.get_chat(b"key") == replace(RESULT, from_cache=True)
    assert cache.get_chat(b"other") is None


def test_a_poisoned_answer_is_a_miss(project, cache):
    cache.put_chat(b"key", RESULT)
    damage(project, "completions", "CAST(replace(CAST(value AS TEXT), 'text', 'evil') AS BLOB)")
    assert cache.get_chat(b"key") is None


def test_a_row_moved_under_another_key_is_a_miss(project, cache):
    cache.put_chat(b"key", RESULT)
    with sqlite3.connect(project.state("cache", "provider.sqlite")) as base:
        base.execute("UPDATE completions SET key = CAST('stolen' AS BLOB)")
    assert cache.get_chat(b"stolen") is None


def test_thousands_of_vectors_go_in_and_out_at_once(cache):
    matrix = np.random.default_rng(0).normal(size=(3000, 16)).astype(np.float32)
    matrix /= np.linalg.norm(matrix, axis=1, keepdims=True)
    keys = vector_keys("space", "document", [f"text {i}" for i in range(3000)])
    cache.put_vectors(keys, matrix)
    found = cache.get_vectors([*keys, b"absent"])
    assert len(found) == 3000
    assert np.allclose([found[key] for key in keys], matrix, atol=1e-6)


def test_a_poisoned_vector_is_a_miss(project, cache):
    keys = vector_keys("space", "document", ["a"])
    cache.put_vectors(keys, np.ones((1, 4), np.float32))
    damage(project, "embeddings", "zeroblob(16)")
    assert cache.get_vectors(keys) == {}


@pytest.mark.parametrize("row", [[0.0, 0.0], [np.nan, 1.0], [np.inf, 1.0]])
def test_an_unusable_vector_is_never_stored(cache, row):
    with pytest.raises(UnusableAnswerError):
        cache.put_vectors([b"key"], np.array([row], np.float32))
    assert cache.get_vectors([b"key"]) == {}


def test_documents_queries_spaces_and_texts_never_share_a_vector():
    keys = [
        *vector_keys("space", "document", ["a", "b"]),
        *vector_keys("space", "query", ["a"]),
        *vector_keys("other", "document", ["a"]),
    ]
    assert len(set(keys)) == 4
    assert vector_keys("space", "document", ["\ud800"])


@pytest.mark.parametrize(
    "change",
    [
        {"temperature": 0.5},
        {"max_output_tokens": 5},
        {"seed": 1},
        {"sample": 1},
        {"response_schema": {"type": "object"}},
    ],
)
def test_whatever_can_change_an_answer_changes_its_key(ask, change):
    assert chat_key("s", "m", ask()) != chat_key("s", "m", ask(**change))


def test_source_model_and_text_are_in_the_key_and_tags_are_not(ask):
    keys = {
        chat_key("s", "m", ask()),
        chat_key("t", "m", ask()),
        chat_key("s", "n", ask()),
        chat_key("s", "m", ask("x")),
    }
    assert len(keys) == 4
    assert chat_key("s", "m", ask()) == chat_key("s", "m", replace(ask(), tags=replace(ask().tags, step="judge")))


def test_two_processes_may_use_one_cache(project, cache):
    second = Cache(project)
    cache.put_chat(b"key", RESULT)
    assert second.get_chat(b"key") is not None
    second.close()


def test_a_file_that_is_no_database_is_set_aside_and_made_anew(project):
    path = project.state("cache", "provider.sqlite")
    path.parent.mkdir(parents=True)
    path.write_bytes(b"not a database" * 100)
    made = Cache(project)
    made.put_chat(b"key", RESULT)
    assert made.get_chat(b"key") is not None
    assert len(list(path.parent.glob("provider.damaged-*"))) == 1
    made.close()


def test_notes_are_small_values_beside_the_answers(cache):
    assert cache.get_note("probe") is None
    cache.put_note("probe", [[0.5, 1.0]])
    assert cache.get_note("probe") == [[0.5, 1.0]]

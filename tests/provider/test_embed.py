"""Vectors: one per text, checked, cached per mode, and all of one model."""

import json

import numpy as np
import pytest
from fake_openai import DIMS, Reply, vector

from flows.core.calls import read_calls
from flows.core.errors import BudgetError, ContractError, ProviderDownError, ProviderRefusedError
from flows.provider.fingerprints import PROBES, probe_sha256
from flows.provider.outcomes import normalised


def unit(text):
    values = np.array(vector(text))
    return values / np.linalg.norm(values)


def inputs(world):
    return [text for _, request, *_ in world.fake.requests for text in request["input"]]


def test_every_text_gets_its_own_unit_vector_in_order(world):
    world.params(embed_batch=7)
    texts = [f"text {i % 40} {'long ' * (i % 5)}" for i in range(100)]
    with world.open() as provider:
        matrix = provider.embed(texts, mode="document")
    assert (matrix.shape, matrix.dtype) == ((100, DIMS), np.float32)
    assert np.allclose(matrix, [unit(text) for text in texts], atol=1e-6)
    assert len(inputs(world)) == len(set(texts))
    assert max(len(request["input"]) for _, request, *_ in world.fake.requests) == 7


def test_vectors_are_kept_and_modes_are_kept_apart(world):
    with world.open() as provider:
        first = provider.embed(["a", "b"], mode="document")
    with world.open() as provider:
        again = provider.embed(["b", "a"], mode="document")
        assert len(world.fake.requests) == 1
        provider.embed(["a"], mode="query")
        assert (len(world.fake.requests), provider.usage.cached) == (2, 2)
    assert np.array_equal(first, again[::-1])


def test_a_kept_vector_is_the_first_one_to_the_last_bit():
    matrix = np.random.default_rng(0).normal(size=(2_000, 384)).astype(np.float32)
    once = normalised(matrix)
    assert np.array_equal(normalised(once), once)
    assert np.allclose(np.linalg.norm(once.astype(np.float64), axis=1), 1.0, atol=1e-6)


def test_vectors_in_another_order_are_put_right(world):
    good = [{"index": i, "embedding": vector(text)} for i, text in enumerate(["a", "b"])]
    world.fake.script(Reply(change={"data": good[::-1]}))
    with world.open() as provider:
        assert np.allclose(provider.embed(["a", "b"], mode="document"), [unit("a"), unit("b")], atol=1e-6)


@pytest.mark.parametrize(
    "data",
    [
        [{"index": 0, "embedding": vector("a")}],
        [{"index": 0, "embedding": vector("a")}, {"index": 1, "embedding": [0.0] * DIMS}],
        [{"index": 0, "embedding": vector("a")}, {"index": 1, "embedding": vector("b")[:4]}],
    ],
)
def test_unusable_vectors_store_nothing(world, data):
    world.fake.script(Reply(change={"data": data}))
    with world.open() as provider:
        with pytest.raises(ProviderRefusedError, match="stored"):
            provider.embed(["a", "b"], mode="document")
        provider.embed(["a", "b"], mode="document")
    assert len(world.fake.requests) == 2


@pytest.mark.parametrize("change", [{"model": "swapped"}, {"data": [{"index": 0, "embedding": [1.0, 2.0]}]}])
def test_another_model_under_the_same_name_stops_the_index(world, change):
    with world.open() as provider:
        provider.embed(["a"], mode="document")
        world.fake.script(Reply(change=change))
        with pytest.raises(ProviderRefusedError, match="share an index"):
            provider.embed(["b"], mode="document")


def test_a_provider_that_went_away_is_down_and_finished_batches_are_kept(world):
    world.params(embed_batch=1, concurrency=1, attempts_max=2)
    world.fake.script(Reply(), Reply(500), Reply(500))
    with world.open() as provider:
        with pytest.raises(ProviderDownError, match="resume"):
            provider.embed(["a", "bb", "ccc"], mode="document")
        provider.embed(["a", "bb", "ccc"], mode="document")
    assert inputs(world).count("a") == 1


def test_blank_texts_are_refused_before_anything_is_sent(world):
    with world.open() as provider, pytest.raises(ContractError, match="2 of 3"):
        provider.embed(["a", "", "  "], mode="document")
    assert world.fake.requests == []


def test_embeddings_stay_within_the_budget(world):
    world.price(1000.0)
    with world.open(max_usd=0.001) as provider, pytest.raises(BudgetError):
        provider.embed(["word " * 100], mode="document")
    assert world.fake.requests == []


def test_a_batch_is_one_line_of_the_log_without_its_texts(world):
    world.price(1.0)
    with world.open() as provider:
        provider.embed(["a secret text"], mode="query")
    (call,) = read_calls(world.project).to_dict("records")
    assert (call["operation"], call["step"], call["input_tokens"]) == ("embeddings", "embed", 2)
    assert json.loads(call["metadata"]) == {"mode": "query", "texts": 1}
    assert "secret" not in str(call)


def test_no_texts_give_an_empty_matrix_of_the_right_width(world):
    with world.open() as provider:
        assert provider.embed([], mode="document").shape == (0, DIMS)


def test_a_hosted_model_is_identified_by_what_it_does(world):
    with world.open() as provider:
        first, again = provider.fingerprint(), provider.fingerprint()
    assert first == again
    assert (first.model, first.revision, first.dims, first.normalised) == ("fake-embed", "unknown", DIMS, True)
    assert first.probe_sha256 == probe_sha256(np.array([unit(text) for text in PROBES], np.float32))


@pytest.mark.parametrize(("noise", "same"), [(1e-3, True), (60.0, False)])
def test_noise_keeps_a_fingerprint_and_another_model_changes_it(world, noise, same):
    moved = [[value + noise * (-1) ** i for i, value in enumerate(vector(text))] for text in PROBES]
    with world.open() as provider:
        first = provider.fingerprint()
        world.fake.script(
            Reply(change={"data": [{"index": i, "embedding": row} for i, row in enumerate(_by_length(moved))]})
        )
        assert (provider.fingerprint() == first) is same


def _by_length(rows):
    """The probes travel sorted by length."""
    return [row for _, row in sorted(zip(map(len, PROBES), rows, strict=True), key=lambda pair: pair[0])]

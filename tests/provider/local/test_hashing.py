"""The hash embedder keeps the embedder contract and is a different space from MiniLM's."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.core import memo
from flows.provider.local.hashing import DIMS, HashEmbedder, distinct

SHORT_TEXTS = st.lists(st.text(max_size=40), max_size=8)


@given(SHORT_TEXTS)
def test_every_text_gets_one_finite_vector_of_length_one(texts: list[str]) -> None:
    vectors = HashEmbedder().embed(texts)
    assert vectors.shape == (len(texts), DIMS)
    assert vectors.dtype == np.float32
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-6)


@given(SHORT_TEXTS)
def test_a_vector_depends_on_its_text_alone(texts: list[str]) -> None:
    together = HashEmbedder().embed(texts)
    apart = [HashEmbedder().embed([text])[0] for text in texts]
    assert all(np.array_equal(a, b) for a, b in zip(together, apart, strict=True))


def test_shared_words_bring_texts_closer() -> None:
    base, near, far = HashEmbedder().embed(
        ["the gate compares two releases", "the gate compares many releases", "rain falls on hills"]
    )
    assert base @ near > 0.5
    assert abs(base @ far) < 0.3


def test_another_seed_is_another_space_and_says_so() -> None:
    one, two = HashEmbedder(seed=1), HashEmbedder(seed=2)
    assert one.fingerprint != two.fingerprint
    assert abs(float(one.embed(["some text here"])[0] @ two.embed(["some text here"])[0])) < 0.9


def test_a_text_without_words_still_has_a_vector() -> None:
    assert np.linalg.norm(HashEmbedder().embed(["", "!?"]), axis=1).tolist() == [1.0, 1.0]


def test_a_repeated_feature_of_a_text_is_counted_once_with_its_number() -> None:
    rows, hashes = np.array([0, 0, 0, 1]), np.array([7, 3, 7, 7], dtype=np.uint64)
    found = distinct(rows, hashes)
    assert [column.tolist() for column in found] == [[0, 0, 1], [3, 7, 7], [1, 2, 1]]


@given(st.lists(st.tuples(st.integers(0, 255), st.sampled_from([0, 1, 2**63, 2**64 - 1])), max_size=60))
def test_features_come_by_row_and_hash_whatever_their_order(pairs: list[tuple[int, int]]) -> None:
    rows, hashes = np.array([row for row, _ in pairs], dtype=np.intp), np.array([h for _, h in pairs], dtype=np.uint64)
    found = zip(*(column.tolist() for column in distinct(rows, hashes)), strict=True)
    assert list(found) == [(*pair, count) for pair, count in sorted(Counter(pairs).items())]


def test_words_beyond_those_that_are_remembered_have_the_same_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [" ".join(f"word{number % 37}" for number in range(start, start + 30)) for start in range(40)]
    remembered = HashEmbedder().embed(texts)
    monkeypatch.setattr(memo, "_WORDS_MAX", 3)
    assert np.array_equal(HashEmbedder().embed(texts), remembered)


def test_repeats_are_damped() -> None:
    rare, often = HashEmbedder().embed(["go stop", "go " * 100 + "stop"])
    assert 0 < rare @ often < 1


def test_word_order_matters() -> None:
    one, other = HashEmbedder().embed(["releases compare the gate", "the gate compare releases"])
    assert 0.5 < one @ other < 0.999


def test_the_tokens_of_this_model_are_words() -> None:
    assert HashEmbedder().embed_and_count(["two words", "", "a-b c!"])[1] == [2, 0, 3]

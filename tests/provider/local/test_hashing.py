"""The hash embedder keeps the embedder contract and is a different space from MiniLM's."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from flows.provider.local.hashing import DIMS, HashEmbedder, features

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


def test_repeats_are_damped() -> None:
    assert features("go go go go")["go"] == 2.0

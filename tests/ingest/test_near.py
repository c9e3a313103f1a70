"""Near-duplicates are found among those texts that share a probe, and the first earlier one is named."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.ingest.near import near_duplicates, overlap, sketch

SKETCHES = st.lists(st.sets(st.integers(0, 30), max_size=12).map(sorted), max_size=12)
TEXT = " ".join(f"Sentence {number} is about the matter of returns." for number in range(40))


def arrays(sketches):
    return [np.array(hashes, dtype=np.uint32) for hashes in sketches]


@given(SKETCHES, st.sampled_from([0.3, 0.6, 0.99]))
def test_they_are_those_that_comparing_every_pair_finds(sketches, threshold):
    expected = {}
    for index, hashes in enumerate(sketches):
        alike = (
            other
            for other, before in enumerate(sketches[:index])
            if {*hashes[:8]} & {*before[:8]} and overlap(hashes, before) >= threshold
        )
        if (first := next(alike, None)) is not None:
            expected[index] = first
    assert near_duplicates(arrays(sketches), threshold) == expected


@pytest.mark.parametrize(("threshold", "found"), [(0.85, {1: 0, 3: 0}), (1.0, {})])
def test_a_text_with_a_word_more_resembles_the_first_one(threshold, found):
    texts = [TEXT, f"{TEXT} More.", "The gate opens at nine.", TEXT]
    assert near_duplicates(arrays(map(sketch, texts)), threshold) == found

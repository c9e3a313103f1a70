"""Find near-duplicate documents: texts that share most of their runs of five words.

Method: bottom-k sketches (Cohen & Kaplan 2007): the 64 smallest hashes of a text's runs estimate
the Jaccard overlap of two texts with a standard error below .06. Only texts that share one of
their eight smallest hashes are compared. Finding a near-duplicate flags it and removes nothing.
"""

import zlib
from collections import defaultdict
from collections.abc import Sequence

_RUN_WORDS = 5
_SKETCH_SIZE = 64
_SLICE_RUNS = 10_000
_PROBES = 8
_BUCKET_MAX = 50  # a hash shared by more documents is boilerplate


def sketch(text: str) -> tuple[int, ...]:
    """Return the smallest hashes of the runs of five words of a text, ascending."""
    words = text.casefold().split()
    smallest: set[int] = set()
    for start in range(0, max(len(words) - _RUN_WORDS + 1, 1), _SLICE_RUNS):  # a long text is never hashed as a whole
        last = min(start + _SLICE_RUNS, max(len(words) - _RUN_WORDS + 1, 1))
        runs = {" ".join(words[at : at + _RUN_WORDS]) for at in range(start, last)}
        smallest = set(sorted(smallest | {zlib.crc32(run.encode(errors="replace")) for run in runs})[:_SKETCH_SIZE])
    return tuple(sorted(smallest))


def overlap(one: Sequence[int], other: Sequence[int]) -> float:
    """Return the estimated Jaccard overlap of two sketched texts, from 0 to 1."""
    smallest = sorted({*one, *other})[:_SKETCH_SIZE]
    return len(set(smallest) & set(one) & set(other)) / len(smallest) if smallest else 0.0


def near_duplicates(sketches: Sequence[Sequence[int]], threshold: float) -> dict[int, int]:
    """Return for each near-duplicate (by position) the first earlier text it resembles."""
    buckets: dict[int, list[int]] = defaultdict(list)
    found: dict[int, int] = {}
    for index, hashes in enumerate(sketches):
        candidates = sorted({other for probe in hashes[:_PROBES] for other in buckets[probe]})
        match = next((other for other in candidates if overlap(hashes, sketches[other]) >= threshold), None)
        if match is not None and threshold < 1:
            found[index] = match
        for probe in hashes[:_PROBES]:
            if len(buckets[probe]) < _BUCKET_MAX:
                buckets[probe].append(index)
    return found

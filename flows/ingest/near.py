"""Find near-duplicate documents: texts that share most of their runs of five words.

Method: bottom-k sketches (Cohen & Kaplan 2007): the 64 smallest hashes of a text's runs estimate
the Jaccard overlap of two texts with a standard error below .06. Only texts that share one of
their eight smallest hashes are compared. Finding a near-duplicate flags it and removes nothing.
"""

import zlib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import groupby
from operator import itemgetter

import numpy as np
from numpy.typing import NDArray

_RUN_WORDS = 5
_SKETCH_SIZE = 64
_PROBES = 8
_MIX = np.uint64(0x9E3779B97F4A7C15)
_BUCKET_MAX = 50  # a hash shared by more documents is boilerplate


def sketch(text: str) -> tuple[int, ...]:
    """Return the smallest hashes of the runs of five words of a text, ascending; 32 bits each."""
    words = np.fromiter(map(zlib.crc32, text.casefold().encode(errors="replace").split()), dtype=np.uint64)
    size = min(_RUN_WORDS, len(words))
    runs = np.zeros(len(words) - size + 1, dtype=np.uint64)
    for offset in range(size):
        runs = (runs + words[offset : offset + len(runs)]) * _MIX
        runs ^= runs >> np.uint64(29)
    hashes = np.sort(runs >> np.uint64(32))
    first = np.append(True, hashes[1:] != hashes[:-1])
    return tuple(hashes[first][:_SKETCH_SIZE].tolist())


def overlap(one: Sequence[int], other: Sequence[int]) -> float:
    """Return the estimated Jaccard overlap of two sketched texts, from 0 to 1."""
    smallest = sorted({*one, *other})[:_SKETCH_SIZE]
    return len(set(smallest) & set(one) & set(other)) / len(smallest) if smallest else 0.0


def near_duplicates(sketches: Sequence[NDArray[np.uint32]], threshold: float) -> dict[int, int]:
    """Return for each near-duplicate (by position) the first earlier text it resembles."""
    buckets: dict[int, list[int]] = defaultdict(list)
    found: dict[int, int] = {}
    for index, probes in _shared_probes(sketches):
        candidates = sorted({other for probe in probes for other in buckets[probe]})
        own = sketches[index].tolist()
        match = next((other for other in candidates if overlap(own, sketches[other].tolist()) >= threshold), None)
        if match is not None and threshold < 1:
            found[index] = match
        for probe in probes:
            if len(buckets[probe]) < _BUCKET_MAX:
                buckets[probe].append(index)
    return found


def _shared_probes(sketches: Sequence[NDArray[np.uint32]]) -> Iterator[tuple[int, list[int]]]:
    """Yield texts by position with those of their probes that others have too; most resemble no other."""
    heads = [sketch[:_PROBES] for sketch in sketches]
    probes = np.concatenate([*heads, np.zeros(0, dtype=np.uint32)])
    owners = np.repeat(np.arange(len(heads)), [len(head) for head in heads])
    _, kinds, times = np.unique(probes, return_inverse=True, return_counts=True)
    shared = times[kinds] > 1
    pairs = zip(owners[shared].tolist(), probes[shared].tolist(), strict=True)
    for index, group in groupby(pairs, key=itemgetter(0)):
        yield index, [probe for _, probe in group]

"""Embed text by seeded feature hashing: a deliberately different, near-free second embedder.

Each word, word pair and word triple is hashed to one of 384 places with a sign (Weinberger et al.
2009, "Feature Hashing for Large Scale Multitask Learning"); counts are damped by a square root.
It knows spelling, not meaning. It exists for tests, for benchmarks that must not measure a neural
network, and to rehearse a change of embedder: same dimension, other space.

A word's hash is BLAKE2b and remembered; a pair's or triple's is mixed from those of its words
(the finaliser of SplitMix64), for all texts of a block at once.
"""

import hashlib
import re
from collections.abc import Sequence
from functools import partial
from itertools import chain

import numpy as np
import numpy.typing as npt

from flows.core.memo import Memo
from flows.provider.local.embedder import Fingerprint, Vectors

MODEL = "local-hash-384"
DIMS = 384
NGRAM_WEIGHTS = {1: 1.0, 2: 0.5, 3: 0.25}
EMPTY = "\x00"  # stands for a text without words, so that it too has a vector of length 1

_WORD = re.compile(r"\w+")
_BLOCK_TEXTS = 256  # bounds memory, and a row's number in a block to one byte
_MIX = (np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))
Hashes = npt.NDArray[np.uint64]
Rows = npt.NDArray[np.intp]


class HashEmbedder:
    """Feature hashing with a seed; another seed is another space.

    Args:
        seed: Part of every hash, 0 to 2**32 - 1.
    """

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed
        self._hashes = Memo(partial(_word_hash, seed.to_bytes(4, "little")))

    @property
    def fingerprint(self) -> Fingerprint:
        """Identity of the vectors."""
        return Fingerprint(MODEL, f"mixed-seed-{self.seed}", DIMS, True, "hash", "fp32")

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Return one float32 row of length 1 per text: shape (len(texts), 384)."""
        return self.embed_and_count(texts)[0]

    def embed_and_count(self, texts: Sequence[str]) -> tuple[Vectors, list[int]]:
        """Return the vectors and the number of words of each text, the tokens of this model."""
        blocks = [self._block(texts[start : start + _BLOCK_TEXTS]) for start in range(0, len(texts), _BLOCK_TEXTS)]
        vectors = np.vstack([np.zeros((0, DIMS), dtype=np.float32), *(vectors for vectors, _ in blocks)])
        return vectors, [count for _, counts in blocks for count in counts]

    def _block(self, texts: Sequence[str]) -> tuple[Vectors, list[int]]:
        listed = [_WORD.findall(text.lower()) for text in texts]
        counts = [len(words) for words in listed]
        words = np.fromiter(map(self._hashes.__getitem__, chain.from_iterable(listed)), np.uint64, sum(counts))
        rows = np.repeat(np.arange(len(texts)), counts)
        sums = np.zeros(len(texts) * DIMS)
        for size, weight in NGRAM_WEIGHTS.items():
            of, hashes, found = distinct(*_grams(rows, words, size))
            places = ((hashes >> np.uint64(1)) % np.uint64(DIMS)).astype(np.intp)
            signed = np.where(hashes & np.uint64(1), weight, -weight) * np.sqrt(found)
            sums += np.bincount(of * DIMS + places, weights=signed, minlength=len(sums))
        vectors = sums.reshape(-1, DIMS)
        bare = ~vectors.any(axis=1)  # no words, or features that cancelled out exactly
        vectors[bare, (self._hashes[EMPTY] >> 1) % DIMS] = 1.0
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        return vectors.astype(np.float32), counts


def _word_hash(key: bytes, word: str) -> int:
    digest = hashlib.blake2b(word.encode(errors="surrogatepass"), digest_size=8, key=key)
    return int.from_bytes(digest.digest(), "little")


def _grams(rows: Rows, words: Hashes, size: int) -> tuple[Rows, Hashes]:
    """Return row and hash of every run of `size` words that lies within one text."""
    runs = max(len(words) - size + 1, 0)
    hashes = words[:runs]
    for offset in range(1, size):
        hashes = _mixed(hashes * _MIX[0] + words[offset : offset + runs])
    within = rows[:runs] == rows[len(rows) - runs :]
    return rows[:runs][within], hashes[within]


def _mixed(hashes: Hashes) -> Hashes:
    hashes = (hashes ^ (hashes >> np.uint64(30))) * _MIX[1]
    hashes = (hashes ^ (hashes >> np.uint64(27))) * _MIX[2]
    return hashes ^ (hashes >> np.uint64(31))


def distinct(rows: Rows, hashes: Hashes) -> tuple[Rows, Hashes, npt.NDArray[np.intp]]:
    """Return every distinct (row, hash), by row and hash, with how often it stands there; rows are below 256."""
    order = np.argsort(hashes)  # vectorised, and a stable sort of bytes is linear: a tenth of a lexsort's time
    order = order[np.argsort(rows[order].astype(np.uint8), kind="stable")]
    rows, hashes = rows[order], hashes[order]
    new = np.ones(len(rows), dtype=bool)
    new[1:] = (rows[1:] != rows[:-1]) | (hashes[1:] != hashes[:-1])
    starts = np.flatnonzero(new)
    return rows[starts], hashes[starts], np.diff(np.append(starts, len(rows)))

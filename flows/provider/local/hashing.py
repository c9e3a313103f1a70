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
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from flows.provider.local.embedder import Fingerprint, Vectors

MODEL = "local-hash-384"
DIMS = 384
NGRAM_WEIGHTS = {1: 1.0, 2: 0.5, 3: 0.25}
EMPTY = "\x00"  # stands for a text without words, so that it too has a vector of length 1

_WORD = re.compile(r"\w+")
_BLOCK_TEXTS = 256  # bounds memory
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

    @property
    def fingerprint(self) -> Fingerprint:
        """Identity of the vectors."""
        return Fingerprint(MODEL, f"mixed-seed-{self.seed}", DIMS, True, "hash", "fp32")

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Return one float32 row of length 1 per text: shape (len(texts), 384)."""
        blocks = [texts[start : start + _BLOCK_TEXTS] for start in range(0, len(texts), _BLOCK_TEXTS)]
        return np.vstack([np.zeros((0, DIMS), dtype=np.float32), *map(self._block, blocks)])

    def count(self, texts: Sequence[str]) -> list[int]:
        """Return the number of words of each text: the tokens of this model."""
        return [len(_words(text)) for text in texts]

    def _block(self, texts: Sequence[str]) -> Vectors:
        listed = [[_word_hash(word, self.seed) for word in _words(text)] for text in texts]
        words = np.array([word for row in listed for word in row], dtype=np.uint64)
        rows = np.repeat(np.arange(len(texts)), [len(row) for row in listed])
        sums = np.zeros(len(texts) * DIMS)
        for size, weight in NGRAM_WEIGHTS.items():
            of, hashes, counts = distinct(*_grams(rows, words, size))
            places = ((hashes >> np.uint64(1)) % np.uint64(DIMS)).astype(np.intp)
            signed = np.where(hashes & np.uint64(1), weight, -weight) * np.sqrt(counts)
            sums += np.bincount(of * DIMS + places, weights=signed, minlength=len(sums))
        vectors = sums.reshape(-1, DIMS)
        bare = ~vectors.any(axis=1)  # no words, or features that cancelled out exactly
        vectors[bare, (_word_hash(EMPTY, self.seed) >> 1) % DIMS] = 1.0
        return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), dtype=np.float32)


def _words(text: str) -> list[str]:
    return _WORD.findall(text.lower())


@lru_cache(maxsize=100_000)
def _word_hash(word: str, seed: int) -> int:
    digest = hashlib.blake2b(word.encode(errors="surrogatepass"), digest_size=8, key=seed.to_bytes(4, "little"))
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
    """Return every distinct (row, hash), by row and hash, with how often it stands there."""
    order = np.lexsort((hashes, rows))
    rows, hashes = rows[order], hashes[order]
    new = np.ones(len(rows), dtype=bool)
    new[1:] = (rows[1:] != rows[:-1]) | (hashes[1:] != hashes[:-1])
    starts = np.flatnonzero(new)
    return rows[starts], hashes[starts], np.diff(np.append(starts, len(rows)))

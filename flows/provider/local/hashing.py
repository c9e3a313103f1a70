"""Embed text by seeded feature hashing: a deliberately different, near-free second embedder.

Each word, word pair and word triple is hashed to one of 384 places with a sign (Weinberger et al.
2009, "Feature Hashing for Large Scale Multitask Learning"); counts are damped by a square root.
It knows spelling, not meaning. It exists for tests, for benchmarks that must not measure a neural
network, and to rehearse a change of embedder: same dimension, other space.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Sequence

import numpy as np

from flows.provider.local.embedder import Fingerprint, Vectors

MODEL = "local-hash-384"
DIMS = 384
NGRAM_WEIGHTS = {1: 1.0, 2: 0.5, 3: 0.25}
EMPTY = "\x00"  # stands for a text without words, so that it too has a vector of length 1

_WORD = re.compile(r"\w+")


class HashEmbedder:
    """Feature hashing with a seed; another seed is another space.

    Args:
        seed: Part of every hash, 0 to 2**32 - 1.
    """

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed
        self._key = seed.to_bytes(4, "little")

    @property
    def fingerprint(self) -> Fingerprint:
        """Identity of the vectors."""
        return Fingerprint(MODEL, f"seed-{self.seed}", DIMS, True, "hash", "fp32")

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Return one float32 row of length 1 per text: shape (len(texts), 384)."""
        vectors = np.zeros((len(texts), DIMS), dtype=np.float32)
        for row, text in enumerate(texts):
            for feature, weight in features(text).items():
                place, sign = self._place(feature)
                vectors[row, place] += sign * weight
            if not vectors[row].any():  # no words, or features that cancelled out exactly
                vectors[row, self._place(EMPTY)[0]] = 1.0
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        return vectors

    def _place(self, feature: str) -> tuple[int, float]:
        digest = hashlib.blake2b(feature.encode(), digest_size=8, key=self._key).digest()
        value = int.from_bytes(digest, "little")
        return (value >> 1) % DIMS, 1.0 if value & 1 else -1.0


def features(text: str) -> dict[str, float]:
    """Return the text's word n-grams with their damped, weighted counts."""
    words = _WORD.findall(text.lower())
    damped: dict[str, float] = {}
    for size, weight in NGRAM_WEIGHTS.items():
        grams = Counter(" ".join(words[at : at + size]) for at in range(len(words) - size + 1))
        damped.update({gram: weight * count**0.5 for gram, count in grams.items()})
    return damped

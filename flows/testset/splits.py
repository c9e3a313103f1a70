"""Divide the documents: questions about some are for training and never judge a release.

The place of a document decides, by its hash, so that a document stays on its side when others come
and go, and no question of one side touches a document of the other. Near-duplicates of different
addresses may fall on different sides.
"""

from typing import Literal

from flows.core.ids import sha256
from flows.testset.drafts import Corpus

Split = Literal["gate", "train"]
DIGITS = 8  # of the hash, enough for any share a person would write


def in_training(document_id: str, train_share: float) -> bool:
    """Return whether a document's questions are for training."""
    return int(sha256(f"split:{document_id}")[:DIGITS], 16) / 16.0**DIGITS < train_share


def part_of(corpus: Corpus, split: Split, train_share: float) -> Corpus:
    """Return the documents of one side."""
    wanted = split == "train"
    chosen = (source for source in corpus.sources if in_training(source.document_id, train_share) == wanted)
    return Corpus(tuple(chosen))

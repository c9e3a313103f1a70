"""Get the vector of every row that is to be written, embedding no text that has one already."""

from collections.abc import Callable, Mapping, Sequence
from heapq import nsmallest
from typing import TYPE_CHECKING

import numpy as np

from flows.core.ids import ID_CHARS, sha256
from flows.index.schema import Vectors

if TYPE_CHECKING:
    import pandas as pd

QUERY_WORDS = 12  # about the length of a question


def vectors_for(
    rows: "pd.DataFrame", known: Mapping[str, Vectors], embed: Callable[[Sequence[str]], Vectors]
) -> Vectors:
    """Return one vector per row, shape (rows, dims).

    Args:
        rows: Columns `vector_key` and `vector_text`; equal keys have equal texts. At least one row.
        known: Vectors by key.
        embed: Embeds distinct texts; called at most once, and not at all when all are known.
    """
    missing = rows[~rows["vector_key"].isin(known.keys())].drop_duplicates("vector_key")
    found = dict(known)
    if len(missing):
        found.update(zip(missing["vector_key"], embed(missing["vector_text"].tolist()), strict=True))
    return np.stack([found[key] for key in rows["vector_key"]])


def query_texts(rows: "pd.DataFrame", size: int, seed: int) -> list[str]:
    """Return the first words of up to `size` texts, as stand-ins for questions.

    The texts whose keys, which are hashes, lie nearest to a seeded one are taken, so that a small
    change of the corpus changes few of them and costs few new embeddings.
    """
    keys, seeded = rows["vector_key"].tolist(), int(sha256(str(seed))[:ID_CHARS], 16)
    place_of = {key: place for place, key in enumerate(keys)}
    near = nsmallest(size, place_of, key=lambda key: int(key, 16) ^ seeded)
    words = (rows["text"].iloc[place_of[key]].split()[:QUERY_WORDS] for key in near)
    return [" ".join(start) for start in words if start]

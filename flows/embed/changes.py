"""Find what differs between the index and the chunks, so that only that is embedded and written."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Changes:
    """Chunk ids by what is to be done with them, sorted; each id is in exactly one tuple or untouched.

    Attributes:
        new: Not in the index, and their text was not either (or still stands elsewhere too).
        changed: In the index, with other content.
        moved: Not in the index, but their text belonged to a chunk that is now gone: its place changed.
        removed: In the index and no longer wanted.
        reusable: For every `vector_key` in the index, a chunk id that has its vector.
    """

    new: tuple[str, ...]
    changed: tuple[str, ...]
    moved: tuple[str, ...]
    removed: tuple[str, ...]
    reusable: Mapping[str, str]

    @property
    def written(self) -> tuple[str, ...]:
        """Ids of the rows to write."""
        return tuple(sorted((*self.new, *self.changed, *self.moved)))


def diff(have: "pd.DataFrame", want: "pd.DataFrame") -> Changes:
    """Compare the index with what it should hold.

    Args:
        have: `chunk_id`, `row_key`, `vector_key` of the rows in the index.
        want: The same columns of the rows that should be there.
    """
    old, wanted, key_of = _pairs(have, "row_key"), _pairs(want, "row_key"), _pairs(want, "vector_key")
    gone = set(old) - set(wanted)
    left = set(have["vector_key"][have["chunk_id"].isin(gone)])
    fresh = sorted(set(wanted) - set(old))
    return Changes(
        new=tuple(chunk for chunk in fresh if key_of[chunk] not in left),
        changed=tuple(sorted(chunk for chunk in set(old) & set(wanted) if old[chunk] != wanted[chunk])),
        moved=tuple(chunk for chunk in fresh if key_of[chunk] in left),
        removed=tuple(sorted(gone)),
        reusable={key: chunk for chunk, key in _pairs(have, "vector_key").items()},
    )


def _pairs(frame: "pd.DataFrame", column: str) -> dict[str, str]:
    return dict(zip(frame["chunk_id"].tolist(), frame[column].tolist(), strict=True))

"""Find what differs between the index and the chunks, so that only that is embedded and written."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as arrow

Places = npt.NDArray[np.intp]


@dataclass(frozen=True)
class Changes:
    """What is to be done: rows wanted, by their places, and chunk ids of the index; each is named once or untouched.

    Attributes:
        new: Not in the index, and their text was not either (or still stands elsewhere too).
        changed: In the index, with other content.
        moved: Not in the index, but their text belonged to a chunk that is now gone: its place changed.
        removed: Chunk ids in the index that are no longer wanted, sorted.
        reusable: For the `vector_key` of rows to be written, where the index has it, a chunk id with its vector.
    """

    new: Places
    changed: Places
    moved: Places
    removed: list[str]
    reusable: Mapping[str, str]

    @property
    def written(self) -> Places:
        """Places of the rows to write, in order."""
        return np.sort(np.concatenate([self.new, self.changed, self.moved]))


def diff(have: "pd.DataFrame", want: "pd.DataFrame") -> Changes:
    """Compare the index with what it should hold.

    Args:
        have: `chunk_id`, `row_key`, `vector_key` of the rows in the index.
        want: The same columns of the rows that should be there.
    """
    from pyarrow import compute

    old, wanted = _columns(have), _columns(want)
    places: Any = compute.index_in(wanted["chunk_id"], value_set=old["chunk_id"])
    fresh = places.is_null()
    changed: Any = compute.not_equal(wanted["row_key"], old["row_key"].take(places)).fill_null(False)
    gone = old.filter(compute.invert(compute.is_in(old["chunk_id"], value_set=wanted["chunk_id"])))
    left = compute.is_in(wanted["vector_key"], value_set=gone["vector_key"])
    written: Any = compute.or_(fresh, changed)
    return Changes(
        new=_places(compute.and_not(fresh, left)),
        changed=_places(changed),
        moved=_places(compute.and_(fresh, left)),
        removed=sorted(map(str, gone["chunk_id"].to_pylist())),
        reusable=_holders(wanted["vector_key"].filter(written), old),
    )


def _holders(vector_keys: Any, old: "arrow.Table") -> dict[str, str]:
    """Return a chunk of the index for each key that it has."""
    from pyarrow import compute

    keys = vector_keys.unique()
    places: Any = compute.index_in(keys, value_set=old["vector_key"])
    chunks = old["chunk_id"].take(places.drop_null())
    return dict(zip(keys.filter(places.is_valid()).to_pylist(), map(str, chunks.to_pylist()), strict=True))


def _columns(frame: "pd.DataFrame") -> "arrow.Table":
    import pyarrow as arrow

    columns = ("chunk_id", "row_key", "vector_key")
    return arrow.table({name: arrow.array(frame[name], arrow.large_string()) for name in columns})


def _places(mask: Any) -> Places:
    return np.flatnonzero(mask.to_numpy())

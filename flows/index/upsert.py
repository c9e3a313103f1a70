"""Change rows of the table, and prove after each change that it happened.

`merge_insert` keyed by chunk id, never `add`, which ignores the key. Its counts are compared with
the batch, because a merge that silently matched nothing is a known defect (lancedb#3177, #3515).
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from flows.core.errors import IntegrityError, first_three
from flows.index.filters import ids_in
from flows.index.schema import HASHES, KEY

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as arrow

IDS_PER_FILTER = 2_000  # keeps a filter expression well below Lance's limits


def merge(table: Any, batch: "arrow.Table") -> None:
    """Insert or replace the rows of `batch` (keys are unique in it) in one commit.

    Raises:
        IntegrityError: Lance changed another number of rows than it was given.
    """
    for use_index in (True, False):  # the known defect goes through the index; repeating a merge is harmless
        result = (
            table.merge_insert(KEY)
            .when_matched_update_all()
            .when_not_matched_insert_all()
            .use_index(use_index)
            .execute(batch)
        )
        changed = result.num_updated_rows + result.num_inserted_rows
        if changed == batch.num_rows:
            return
    raise IntegrityError(
        f"a merge of {batch.num_rows} row(s) into table {table.name!r} changed {changed}. "
        "Nothing was published; run `llmops embed --force` to build the table anew."
    )


def remove(table: Any, ids: Iterable[str]) -> int:
    """Delete the rows with these chunk ids and return how many there were.

    Raises:
        UsageError: An id is not a hash.
    """
    listed = sorted(ids)
    deleted = 0
    for start in range(0, len(listed), IDS_PER_FILTER):
        deleted += table.delete(ids_in(KEY, listed[start : start + IDS_PER_FILTER])).num_deleted_rows
    return deleted


def access_counts(table: Any) -> dict[str, int]:
    """Return the number of rows by their access labels, by label."""
    counted = table.search().select(["access"]).to_arrow()["access"].value_counts()
    return dict(sorted((item["values"], item["counts"]) for item in counted.to_pylist()))


def row_hashes(table: Any) -> "pd.DataFrame":
    """Return `chunk_id`, `row_key` and `vector_key` of every row.

    Raises:
        IntegrityError: A key stands twice; every change is followed by this check.
    """
    found: pd.DataFrame = table.search().select(list(HASHES)).to_arrow().to_pandas()
    twice = found[KEY][found[KEY].duplicated()].tolist()
    if twice:
        raise IntegrityError(
            f"{len(twice)} chunk id(s) stand twice in table {table.name!r}: {first_three(twice)}. "
            "Run `llmops embed --force` to build the table anew."
        )
    return found

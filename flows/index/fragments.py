"""Write rows from many processes at once: each writes whole fragments, one commit makes them visible.

Ray Data brings the batches to the processes and runs a lost one again; lance-ray writes what they
return as files of the table that no reader sees, and commits all of them in one version. Vectors
never travel through the driver. Searching stays with LanceDB: lance-ray's own search mixes scores
of indexed and other rows (lance-ray#5286).
"""

import logging
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from flows.core.errors import IntegrityError, LlmopsError

if TYPE_CHECKING:
    import pyarrow as arrow

    Finish = Callable[["arrow.Table"], "arrow.Table"]


def append(table: Any, batches: "Sequence[arrow.Table]", finish: "Finish") -> None:
    """Add the rows that `finish` makes of each batch, in one commit; Ray is connected already.

    Args:
        table: The LanceDB table, at its newest version.
        batches: Rows without their vectors, and with keys that the table does not have.
        finish: Runs in the processes of the cluster, once a batch: returns the rows in the table's schema.

    Raises:
        LlmopsError: What `finish` raised; nothing was committed.
        IntegrityError: The table has another number of rows than it should.
    """
    import ray.data
    import ray.exceptions
    from lance_ray import LanceFragmentCommitter, LanceFragmentWriter

    ray.data.DataContext.get_current().enable_progress_bars = False
    logging.getLogger("ray.data").setLevel(logging.WARNING)
    wanted = table.count_rows() + sum(batch.num_rows for batch in batches)
    writer = LanceFragmentWriter(table.uri, transform=finish, schema=table.schema)
    rows = ray.data.from_arrow(list(batches))
    fragments = rows.map_batches(writer, batch_size=None, batch_format="pyarrow")
    try:
        fragments.write_datasink(LanceFragmentCommitter(table.uri, mode="append"))
    except ray.exceptions.RayError as error:
        raise _cause(error) from None
    table.checkout_latest()
    if (found := table.count_rows()) != wanted:
        raise IntegrityError(
            f"table {table.name!r} has {found:,} rows after a parallel write that should make it {wanted:,}. "
            "Nothing was published; run `llmops embed --force` to build the table anew."
        )


def _cause(error: BaseException) -> BaseException:
    """Return the error of ours that Ray wrapped, or the error itself."""
    inner: BaseException | None = error
    while inner is not None:
        if isinstance(inner, LlmopsError):
            return inner
        inner = getattr(inner, "cause", None) or inner.__cause__
    return error

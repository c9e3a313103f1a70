"""Parse Parquet: one document per row, by the columns that the source names.

The footer tells columns and sizes, so a table that is too large or lacks a column is refused before
anything is decompressed, and other columns are never read. Runs in a confined process only.
"""

import io
import json

from flows.core.ids import sha256
from flows.ingest.archive import MEGABYTE
from flows.ingest.drafts import Rejected
from flows.ingest.params import Columns
from flows.ingest.rows import Row, Rows, row_documents


def parse_parquet(data: bytes, columns: Columns, *, cell_chars_max: int, unpacked_max_mb: float) -> Rows:
    """Parse a table.

    Raises:
        Rejected: `corrupt`, `schema` or `archive_bomb`, for the file as a whole.
    """
    import pyarrow as arrow
    from pyarrow import parquet

    try:
        table = parquet.ParquetFile(io.BytesIO(data))
        names = _wanted(table.schema_arrow.names, columns)
        _check_size(table.metadata, names, unpacked_max_mb)
        records = table.read(columns=names, use_threads=False).to_pylist()
    except (arrow.ArrowException, OSError) as error:
        raise Rejected("corrupt", "parquet", type(error).__name__) from None
    rows = [Row(number, _digest(record), record) for number, record in enumerate(records, start=1)]
    return row_documents(rows, [], columns, cell_chars_max)


def _wanted(present: list[str], columns: Columns) -> list[str]:
    missing = [name for name in (columns.id, columns.text) if name not in present]
    if missing:
        raise Rejected("schema", "no_column", f"columns {missing} are not in the table")
    return [name for name in dict.fromkeys(columns.model_dump().values()) if name in present]


def _check_size(metadata: object, names: list[str], unpacked_max_mb: float) -> None:
    """Refuse a table whose wanted columns would unpack to too much, by what its footer says."""
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]  # type: ignore[attr-defined]
    parts = [group.column(number) for group in groups for number in range(group.num_columns)]
    unpacked = sum(part.total_uncompressed_size for part in parts if part.path_in_schema in names)
    if unpacked > unpacked_max_mb * MEGABYTE:
        raise Rejected("archive_bomb", "unpacked_max_mb", f"unpacks to {unpacked / MEGABYTE:.0f} MB")


def _digest(record: dict[str, object]) -> str:
    return sha256(json.dumps(record, sort_keys=True, default=str).encode(errors="surrogatepass"))

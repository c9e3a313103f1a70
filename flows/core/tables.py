"""Read and write contract tables as Parquet; a frame that breaks its contract goes nowhere."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from flows.core.errors import ContractError, InputError, IntegrityError
from flows.core.files import replacing

if TYPE_CHECKING:
    import pandas as pd
    import pandera.pandas as pa


def empty(contract: "pa.DataFrameSchema") -> "pd.DataFrame":
    """Return a frame of no rows that satisfies the contract."""
    import pandas as pd

    return check(pd.DataFrame({name: [] for name in contract.columns}), contract)


def check(frame: "pd.DataFrame", contract: "pa.DataFrameSchema") -> "pd.DataFrame":
    """Return the frame in the contract's column order and types.

    Raises:
        ContractError: Names each broken rule with the number of rows that break it, never values.
    """
    import pandera.errors

    younger = [name for name, column in contract.columns.items() if not column.required and name not in frame.columns]
    frame = frame.assign(**dict.fromkeys(younger)) if younger else frame  # a table from before the column came
    ordered = frame[[name for name in contract.columns if name in frame.columns]].reset_index(drop=True)
    extra = [name for name in frame.columns if name not in contract.columns]
    missing = [name for name in contract.columns if name not in frame.columns]
    if missing:
        raise ContractError(f"table {contract.name!r} lacks column(s) {missing}. Run the stage that writes it again.")
    if extra:
        raise ContractError(f"table {contract.name!r} has unknown column(s) {extra}. Drop or rename them.")
    try:
        return contract.validate(ordered, lazy=True)
    except pandera.errors.SchemaErrors as error:
        raise ContractError(_explain(contract.name, error.failure_cases, len(frame))) from None


def _explain(name: str | None, cases: Any, rows: int) -> str:
    counts = cases.groupby(["column", "check"], dropna=False).size()
    rules = [f"{column}: {rule} ({count} of {rows} rows)" for (column, rule), count in counts.items()]
    return (
        f"table {name!r} breaks its contract in {len(rules)} place(s):\n  " + "\n  ".join(rules)
        + "\nRun the stage that writes it again; docs/artifacts.md describes the table."
    )  # fmt: skip


def write_table(path: Path, frame: "pd.DataFrame", contract: "pa.DataFrameSchema") -> None:
    """Check the frame and replace the Parquet file (zstd) by it, atomically."""
    write_checked(path, check(frame, contract))


def write_checked(path: Path, frame: "pd.DataFrame") -> None:
    """Replace the Parquet file (zstd) by a frame that `check` has returned, atomically."""
    with replacing(path) as temporary:
        frame.to_parquet(temporary, compression="zstd", index=False)


def read_table(path: Path, contract: "pa.DataFrameSchema", *, remedy: str) -> "pd.DataFrame":
    """Read and check a Parquet table.

    Raises:
        InputError: The file is missing; `remedy` says what to run.
        IntegrityError: The file is not Parquet.
        ContractError: The content breaks the contract.
    """
    import pandas as pd
    import pyarrow as arrow

    try:
        frame = pd.read_parquet(path)
    except FileNotFoundError:
        raise InputError(f"{path.name!r} is missing in {str(path.parent)!r}. {remedy}.") from None
    except (arrow.ArrowInvalid, OSError) as error:
        raise IntegrityError(f"{str(path)!r} is not readable Parquet ({type(error).__name__}). {remedy}.") from None
    return check(frame, contract)

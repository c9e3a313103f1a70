"""What the calls log refused: one row per rejected line or contradicted version, by reason, without its content."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from flows.core.files import replacing
from flows.core.project import Project

if TYPE_CHECKING:
    import pandas as pd

FILE = "_rejected.parquet"
CONFLICT = "id_conflict"


@dataclass(frozen=True)
class Rejected:
    """One refusal; `call_id` and `row` (the version's hash) are set for contradictions only."""

    reject_id: str
    source: str  # the file's name; empty for a row that was in the log already
    line: int
    reason_code: str
    rule: str
    call_id: str | None = None
    row: str | None = None


def path_of(project: Project) -> Path:
    """Return where refusals are kept; readers of Parquet folders pass over the underscore."""
    return project.data("calls", FILE)


def read(project: Project) -> "pd.DataFrame":
    """Return all refusals so far, in the order of `Rejected`."""
    import pandas as pd

    names = list(Rejected.__dataclass_fields__)
    path = path_of(project)
    return pd.read_parquet(path) if path.is_file() else pd.DataFrame({name: [] for name in names}, dtype="str")


def write(project: Project, known: "pd.DataFrame", found: Sequence[Rejected]) -> None:
    """Add refusals; one that is known already is not counted again."""
    import pandas as pd

    if not found:
        return
    fresh = pd.DataFrame([asdict(item) for item in found])
    table = pd.concat([known, fresh], ignore_index=True) if len(known) else fresh
    table = table.drop_duplicates("reject_id").sort_values(["source", "line", "reject_id"])
    table = table.astype({name: "str" for name in table.columns if name != "line"} | {"line": "int64"})
    with replacing(path_of(project)) as temporary:
        table.to_parquet(temporary, compression="zstd", index=False)


def by_reason(project: Project) -> dict[str, int]:
    """Return how many refusals there are of each reason."""
    return {str(code): int(count) for code, count in read(project)["reason_code"].value_counts().sort_index().items()}


def contradicted(known: "pd.DataFrame") -> "pd.DataFrame":
    """Return call_id and row of all versions of calls that contradict each other."""
    return known.loc[known["reason_code"] == CONFLICT, ["call_id", "row"]]

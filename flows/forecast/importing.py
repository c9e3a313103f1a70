"""Import outside call records into the calls log: exact, whatever the order, however often, wherever it was killed.

What was ever seen is a set of (call, version of its record), and the log is a function of that set: a call with one
version is kept, all versions of a call with several are set aside, because nothing tells which one is true. Adding
to a set neither depends on the order nor on repetition, so a killed import is finished by running it again.
Rejected lines are kept by reason, file and line (never their content) in `data/calls/_rejected.parquet`; readers of
Parquet folders pass over names with an underscore.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from flows.core.calls import drop_calls, write_calls, writing
from flows.core.contracts import CALLS
from flows.core.ids import content_id, sha256
from flows.core.progress import Progress, silent
from flows.core.project import Project
from flows.forecast import rejected
from flows.forecast.callfiles import Line, form_of, lines
from flows.forecast.callrow import Reader, RejectedError
from flows.forecast.mappings import Found
from flows.forecast.rejected import CONFLICT, Rejected
from flows.forecast.series import BoolArray

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as arrow

BATCH_ROWS = 20_000  # held as Python values at once
FLUSH_ROWS = 500_000  # held in memory and published at once


@dataclass
class Report:
    """What became of every record: `records` is the sum of the other counts but `demoted`."""

    records: int = 0
    kept: int = 0
    copies: int = 0
    blank: int = 0
    not_calls: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    demoted: int = 0  # older rows taken back out of the log, because another version of them came
    fresh: list[npt.NDArray[np.uint64]] = field(default_factory=list, repr=False)  # what this import has kept

    def keep(self, call_ids: "pd.Series[str]") -> None:
        """Count rows that are in the log now."""
        self.kept += len(call_ids)
        self.fresh.append(_short(call_ids))

    def demote(self, call_ids: "pd.Series[str]") -> None:
        """Count rows that leave the log: those of this import change their fate, the others had theirs."""
        own = sum(int(np.isin(_short(call_ids), kept).sum()) for kept in self.fresh)
        self.kept -= own
        self.rejected[CONFLICT] += own
        self.demoted += len(call_ids) - own

    def check(self) -> None:
        """Hold the conservation law: every record has exactly one fate."""
        fates = self.kept + self.copies + self.blank + self.not_calls + sum(self.rejected.values())
        assert fates == self.records, f"{self.records} records have {fates} fates"


def _short(call_ids: "pd.Series[str]") -> npt.NDArray[np.uint64]:
    return np.array([int(call_id[:16], 16) for call_id in call_ids], dtype=np.uint64)


def import_files(
    project: Project, paths: Sequence[Path], reader: Reader, *, form: str = "auto",
    mapping: Mapping[str, Any] | None = None, progress: Progress = silent,
) -> Report:  # fmt: skip
    """Import files into the log.

    Args:
        project: The project.
        paths: Files, in any order.
        reader: Time, prices and privacy.
        form: One of `callfiles.FORMATS`.
        mapping: Of the generic form; see `mappings.read_mapping`.
        progress: Told about every file.

    Raises:
        InputError: A file cannot be read. Files before it are imported.
        UsageError: There is no such format.
    """
    report, batch = Report(), _Batch()
    for done, path in enumerate(paths, start=1):
        for item in _records(path, reader, form, mapping, report):
            batch.add(item)
            if batch.rows >= FLUSH_ROWS:
                _publish(project, batch, report)
                batch = _Batch()
        progress("files", done, len(paths))
    _publish(project, batch, report)
    report.check()
    return report


def _records(
    path: Path, reader: Reader, form: str, mapping: Mapping[str, Any] | None, report: Report
) -> Iterator[dict[str, Any] | Rejected]:
    read = None
    reader = replace(reader, text_numbers=path.suffix.lower() == ".csv")
    for line in lines(path):
        if isinstance(line.value, dict):
            read = read or form_of(form, line.value, mapping)
            yield from _rows(path, line, read(line.value), reader, report)
            continue
        report.records += 1
        report.blank += line.value is None
        if isinstance(line.value, RejectedError):
            yield _rejected(path, line, line.value, 0)


def _rows(path: Path, line: Line, found: Found, reader: Reader, report: Report) -> Iterator[dict[str, Any] | Rejected]:
    """Yield what one record holds: usually a call, in a trace or an export many, or none."""
    count = 0
    try:
        for count, (fields, extra) in enumerate(found, start=1):
            report.records += 1
            try:
                yield reader.row(fields, extra) | {"source": path.name, "line": line.number}
            except RejectedError as error:
                yield _rejected(path, line, error, count)
    except (RejectedError, AttributeError, TypeError, KeyError, ValueError) as error:
        report.records += 1
        known = error if isinstance(error, RejectedError) else RejectedError("malformed", "not of this format")
        yield _rejected(path, line, known, count + 1)
        return
    report.records += not count
    report.not_calls += not count


def _rejected(path: Path, line: Line, error: RejectedError, place: int) -> Rejected:
    digest = line.digest or sha256(repr(line.value).encode("utf-8", "surrogatepass"))
    reject_id = content_id(path.name, line.number, place, digest)
    return Rejected(reject_id, path.name, line.number, error.code, error.rule)


class _Batch:
    """Rows and rejected lines, rows as compact Arrow tables."""

    def __init__(self) -> None:
        self.rows = 0
        self.rejected: list[Rejected] = []
        self._pending: list[dict[str, Any]] = []
        self._tables: list[arrow.Table] = []

    def add(self, item: dict[str, Any] | Rejected) -> None:
        if isinstance(item, Rejected):
            self.rejected.append(item)
            return
        self.rows += 1
        self._pending.append(item)
        if len(self._pending) >= BATCH_ROWS:
            self._settle()

    def table(self) -> "arrow.Table":
        """Return all rows; the columns of the contract, `row`, `source` and `line`."""
        import pyarrow as arrow

        self._settle()
        return arrow.concat_tables(self._tables) if self._tables else _schema().empty_table()

    def _settle(self) -> None:
        import pyarrow as arrow

        if self._pending:
            self._tables.append(arrow.Table.from_pylist(self._pending, schema=_schema()))
            self._pending = []


def _schema() -> "arrow.Schema":
    import pyarrow as arrow

    kinds: dict[str, Any] = {"started_at": arrow.timestamp("us", "UTC"), "line": arrow.int64()}
    kinds |= dict.fromkeys(("latency_ms", "time_to_first_token_ms", "cost_usd"), arrow.float64())
    names = [*CALLS.columns, "row", "source", "line"]
    return arrow.schema(
        [(name, kinds.get(name, arrow.int64() if name.endswith("_tokens") else arrow.string())) for name in names]
    )


def _publish(project: Project, batch: _Batch, report: Report) -> None:
    """Merge a batch with what is known; refusals are written before the log changes, so that a kill forgets none."""
    with writing(project):
        known = rejected.read(project)
        table = batch.table()
        keep, conflicts = _split(project, table, rejected.contradicted(known), report)
        rejected.write(project, known, [*batch.rejected, *conflicts])
        report.rejected.update(item.reason_code for item in batch.rejected)
        wrong = {*rejected.contradicted(known)["call_id"], *(item.call_id for item in conflicts)}
        if wrong:
            drop_calls(project, wrong)
        _write(project, table, keep)
    report.keep(table["call_id"].to_pandas()[keep])


def _split(
    project: Project, table: "arrow.Table", contradicted: "pd.DataFrame", report: Report
) -> tuple[BoolArray, list[Rejected]]:
    """Return which rows to keep, and every version of calls that now have several."""
    import pandas as pd

    new = table.select(["call_id", "row", "source", "line"]).to_pandas()
    stored = _stored(project, new["call_id"])
    seen = pd.concat([stored, contradicted]) if len(stored) or len(contradicted) else stored
    erased = new["call_id"].isin(stored.loc[stored["row"] == "", "call_id"])  # there, and no longer to be compared
    copy = (
        new.duplicated(["call_id", "row"]) | (new["call_id"] + new["row"]).isin(seen["call_id"] + seen["row"]) | erased
    )
    every = pd.concat([new.loc[~copy, ["call_id", "row"]], seen])
    several = set(every.loc[every.duplicated("call_id", keep=False), "call_id"])
    conflict = ~copy & new["call_id"].isin(several)
    keep = ~copy & ~conflict
    demoted = stored[stored["call_id"].isin(several)]
    report.copies += int(copy.sum())
    report.demote(demoted["call_id"])
    report.rejected[CONFLICT] += int(conflict.sum())
    rows = [*new[conflict].itertuples(index=False, name=None), *((*row, "", 0) for row in demoted.to_numpy().tolist())]
    found = [
        Rejected(content_id(CONFLICT, call, row), source, line, CONFLICT, "one id, several versions", call, row)
        for call, row, source, line in rows
    ]
    return keep.to_numpy(bool), found


def _stored(project: Project, call_ids: "pd.Series[str]") -> "pd.DataFrame":
    """Return call_id and row (the hash in `metadata`; empty where it was erased) of known calls."""
    import pandas as pd

    paths = sorted(project.data("calls").glob("date=*/part-*.parquet"))
    parts = [pd.read_parquet(path, columns=["call_id"])["call_id"] for path in paths]
    found = [pd.DataFrame({"call_id": [], "row": []}, dtype="str")]
    if not parts:
        return found[0]
    ours = pd.concat(parts, keys=range(len(parts))).isin(call_ids)  # one look-up table for all parts
    for number in ours[ours].index.unique(level=0):
        rows = pd.read_parquet(paths[number], columns=["call_id", "metadata"])[ours[number].to_numpy()]
        row = rows["metadata"].str.extract(r'"row":"([0-9a-f]{16})"', expand=False).fillna("")
        found.append(pd.DataFrame({"call_id": rows["call_id"], "row": row}))
    return pd.concat(found, ignore_index=True).drop_duplicates()


def _write(project: Project, table: "arrow.Table", keep: BoolArray) -> None:
    """Add the rows day by day, so that no more than a day is held as a frame."""
    import pyarrow as arrow
    import pyarrow.compute as compute

    days = compute.floor_temporal(table["started_at"], unit="day").cast(arrow.int64()).to_numpy()
    for day in np.unique(days[keep]):
        frame = table.filter(arrow.array(keep & (days == day))).drop_columns(["row", "source", "line"]).to_pandas()
        frame = frame.sort_values("call_id", ignore_index=True)
        write_calls(project, frame, part=f"import{sha256(''.join(frame['call_id']))[:16]}")

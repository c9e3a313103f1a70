"""The calls log: one record per model request, in daily Parquet partitions, without a server.

Each process appends to a journal of its own (`.llmops/calls/*.jsonl`), twice per call: once
before the request leaves, with status `unknown_outcome`, and once when its outcome is known. A
process killed in between therefore leaves a record that says so. `compact` moves the journals
of finished processes into `data/calls/date=YYYY-MM-DD/`, keeping the last record of each call;
a part is named by the hash of its journal, so repeating a killed compaction changes nothing.
Column names map one to one to OpenTelemetry `gen_ai.*` (docs/artifacts.md).
"""

import fcntl
import json
import os
import uuid
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from flows.core.files import replacing
from flows.core.ids import sha256
from flows.core.locks import writer_lock
from flows.core.project import Project

if TYPE_CHECKING:
    import pandas as pd

Privacy = Literal["full", "hashed", "none"]
PARTS_MAX = 16  # a day with more parts is rewritten as one


@dataclass(frozen=True)
class Call:
    """One request; the columns of the `calls` contract."""

    call_id: str
    started_at: datetime
    step: str
    use_case: str
    operation: str
    provider: str
    request_model: str
    status: str = "unknown_outcome"
    conversation_id: str | None = None
    release_id: str | None = None
    response_model: str | None = None
    system_fingerprint: str | None = None
    prompt_id: str | None = None
    prompt: str | None = None
    completion: str | None = None
    input_tokens: int | None = None
    cached_input_tokens: int | None = None
    output_tokens: int | None = None
    reasoning_tokens: int | None = None
    latency_ms: float | None = None
    time_to_first_token_ms: float | None = None
    finish_reason: str | None = None
    error_class: str | None = None
    cost_usd: float | None = None
    metadata: str = "{}"


class Journal:
    """This process's own journal; safe to use from one event loop or under the caller's lock."""

    def __init__(self, project: Project, privacy: Privacy) -> None:
        self._privacy = privacy
        folder = project.state("calls")
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / f"{os.getpid()}-{uuid.uuid4().hex[:12]}.jsonl"
        self._handle = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        fcntl.flock(self._handle, fcntl.LOCK_EX)

    def append(self, call: Call) -> None:
        """Write one record with a single system call, after applying the privacy setting."""
        veiled = {"prompt": self._veil(call.prompt), "completion": self._veil(call.completion)}
        record = vars(call) | veiled | {"started_at": call.started_at.isoformat()}
        os.write(self._handle, (json.dumps(record, ensure_ascii=True) + "\n").encode())

    def close(self) -> None:
        """Release the journal so that `compact` may take it."""
        os.close(self._handle)

    def _veil(self, text: str | None) -> str | None:
        if text is None or self._privacy == "none":
            return None
        return text if self._privacy == "full" else f"sha256:{sha256(text)}"


@contextmanager
def journal(project: Project, privacy: Privacy) -> Iterator[Journal]:
    """Open a journal for the block and move it into the log when the block ends."""
    log = Journal(project, privacy)
    try:
        yield log
    finally:
        log.close()
        compact(project)


def writing(project: Project) -> AbstractContextManager[None]:
    """Hold the lock under which the log's partitions change."""
    return writer_lock(project.state("locks", "calls.lock"), what="the calls log", wait=True)


def compact(project: Project) -> int:
    """Move the journals of finished processes into the daily partitions.

    Returns:
        Number of lines that could not be read (torn by a kill); their calls are in the log as
        `unknown_outcome`, because the record before the request was whole.
    """
    torn = 0
    with writing(project):
        for path in sorted(project.state("calls").glob("*.jsonl")):
            with path.open("rb") as stream:
                try:
                    fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    continue  # its process still writes
                data = stream.read()
                records, bad = _parse(data)
                torn += bad
                _write_parts(project, records, part=sha256(data)[:16])
                path.unlink()
    return torn


def _parse(data: bytes) -> tuple[list[dict[str, Any]], int]:
    latest: dict[str, dict[str, Any]] = {}
    bad = 0
    for line in data.splitlines():
        try:
            record = json.loads(line)
            latest[record["call_id"]] = record
        except (ValueError, KeyError, TypeError):
            bad += 1
    return list(latest.values()), bad


def _write_parts(project: Project, records: list[dict[str, Any]], *, part: str) -> None:
    if not records:
        return
    import pandas as pd

    frame = pd.DataFrame.from_records(records)
    frame["started_at"] = pd.to_datetime(frame["started_at"], utc=True, format="ISO8601")
    write_calls(project, frame, part=part)


def write_calls(project: Project, frame: "pd.DataFrame", *, part: str) -> None:
    """Add calls to the log's daily partitions as the part `part` (letters and digits).

    Writing the same part again replaces it, so an import is idempotent.
    """
    from flows.core.contracts import CALLS
    from flows.core.tables import check

    checked = check(frame, CALLS)
    for day, rows in checked.groupby(checked["started_at"].dt.date, sort=True):
        folder = project.data("calls", f"date={day}")
        with replacing(folder / f"part-{part}.parquet") as temporary:
            rows.to_parquet(temporary, compression="zstd", index=False)
        parts = sorted(folder.glob("part-*.parquet"))
        if len(parts) > PARTS_MAX:
            _merge(parts)


def drop_calls(project: Project, call_ids: Collection[str]) -> None:
    """Take calls out of the log's partitions; the caller holds the log's lock."""
    import pandas as pd

    for path in sorted(project.data("calls").glob("date=*/part-*.parquet")):
        if not pd.read_parquet(path, columns=["call_id"])["call_id"].isin(call_ids).any():
            continue
        rows = pd.read_parquet(path)
        kept = rows[~rows["call_id"].isin(call_ids)]
        if kept.empty:
            path.unlink()
            continue
        with replacing(path) as temporary:
            kept.to_parquet(temporary, compression="zstd", index=False)


def _merge(parts: list[Path]) -> None:
    names = sha256("".join(path.name for path in parts))[:16]
    merged = parts[0].with_name(f"part-{names}.parquet")
    with replacing(merged) as temporary:
        _load(parts).to_parquet(temporary, compression="zstd", index=False)
    for path in parts:
        path.unlink()


def _load(parts: Iterable[Path], columns: list[str] | None = None) -> "pd.DataFrame":
    import pandas as pd

    frames = [pd.read_parquet(path, columns=columns) for path in parts]
    return pd.concat(frames, ignore_index=True).drop_duplicates("call_id", keep="last")


def read_calls(
    project: Project, *, since: date | None = None, until: date | None = None, columns: Sequence[str] | None = None
) -> "pd.DataFrame":
    """Read the log, one row per call, oldest first.

    Args:
        project: The project.
        since: First UTC day to read; None = from the beginning.
        until: First UTC day not to read; None = to the end.
        columns: Only these (`call_id` and `started_at` always), for a log too large to hold whole; None = all.
    """
    from flows.core.contracts import CALLS  # imports pandera: most commands never read the log
    from flows.core.tables import check, empty

    chosen = None if columns is None else list(dict.fromkeys(["call_id", "started_at", *columns]))
    parts = [
        path
        for folder in sorted(project.data("calls").glob("date=*"))
        if _within(date.fromisoformat(folder.name.removeprefix("date=")), since, until)
        for path in sorted(folder.glob("part-*.parquet"))
    ]
    if not parts:
        return empty(CALLS) if chosen is None else empty(CALLS)[chosen]
    rows = _load(parts, chosen).sort_values(["started_at", "call_id"], ignore_index=True)
    return check(rows, CALLS) if chosen is None else rows


def _within(day: date, since: date | None, until: date | None) -> bool:
    return (since is None or day >= since) and (until is None or day < until)


def log_sha256(project: Project) -> str:
    """Return one hash over the log's partitions, by names and sizes of immutable parts."""
    parts = sorted(project.data("calls").glob("date=*/part-*.parquet"))
    return sha256("".join(f"{path.parent.name}/{path.name}:{path.stat().st_size}\n" for path in parts))

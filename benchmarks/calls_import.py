"""How long the import of a million calls takes and how much memory, on a log whose totals are known.

python benchmarks/calls_import.py [ROWS]
"""

import json
import resource
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from flows.core.calls import read_calls
from flows.core.project import Project
from flows.forecast.callrow import Reader
from flows.forecast.importing import import_files

DAYS = 60
FILES = 10


def write_log(folder: Path, rows: int) -> list[Path]:
    """A log of so many calls over 60 days; call i has i % 1000 + 1 input tokens."""
    start, step = datetime(2026, 1, 1, tzinfo=UTC), timedelta(days=DAYS) / rows
    paths = [folder / f"part-{number}.jsonl" for number in range(FILES)]
    for number, path in enumerate(paths):
        with path.open("w") as stream:
            for i in range(number * rows // FILES, (number + 1) * rows // FILES):
                record = {
                    "event_id": f"ev-{i:09d}", "ts": (start + i * step).isoformat(), "model": "gpt-4.1-mini",
                    "conversation_id": f"c{i // 4}", "step": "answer", "prompt_tokens": i % 1000 + 1,
                    "completion_tokens": i % 97, "latency_ms": 100.0 + i % 50, "status": "ok", "user": f"u{i % 200}",
                }  # fmt: skip
                stream.write(json.dumps(record) + "\n")
    return paths


def main() -> None:
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "params.yaml").write_text("ingest: {}\n")
        project, paths = Project.open(folder), write_log(folder, rows)
        start, busy = time.perf_counter(), time.process_time()
        report = import_files(project, paths, Reader(datetime(2026, 6, 1, tzinfo=UTC)))
        seconds, busy = time.perf_counter() - start, time.process_time() - busy
        peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
        tokens = int(read_calls(project, columns=["input_tokens"])["input_tokens"].sum())
        assert tokens == sum(i % 1000 + 1 for i in range(rows))
    print(f"{report.kept:,} calls in {seconds:.0f} s ({busy:.0f} s of processor), peak memory {peak_mb:.0f} MB")


if __name__ == "__main__":
    main()

"""The calls log is plain Parquet: DuckDB, pandas, Arrow and LanceDB read the same rows; kill -9 costs one at most."""

import re
import subprocess
import sys
import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import duckdb
import pandas as pd
import pyarrow.dataset as dataset
import pytest

from flows.core.calls import Call, compact, journal, read_calls
from flows.core.ids import content_id

ARTIFACTS = Path(__file__).resolve().parents[2] / "docs" / "artifacts.md"
WRITER = """
import os, sys
from datetime import UTC, datetime
from uuid import uuid4
from flows.core.calls import Call, Journal
from flows.core.project import Project
log = Journal(Project.open(sys.argv[1]), "full")
when = datetime(2026, 11, 1, tzinfo=UTC)
while True:
    name = uuid4().hex
    log.append(Call(name, when, "answer", "answer", "chat", "p", "m", prompt="x" * 5000))
    log.append(Call(name, when, "answer", "answer", "chat", "p", "m", status="ok", prompt="x" * 5000))
    os.write(1, (name + "\\n").encode())
"""


@pytest.fixture
def logged(project, now, monkeypatch):
    """Six calls on three days, in a project that is the working folder."""
    first = Call(content_id("c"), now, "answer", "answer", "chat", "openai", "gpt-4.1-mini", status="ok")
    with journal(project, "full") as log:
        for number in range(6):
            cost = 0.25 if number % 2 else None
            when = now + timedelta(days=number // 2)
            log.append(replace(first, call_id=content_id(number), started_at=when, input_tokens=10, cost_usd=cost))
    monkeypatch.chdir(project.root)
    return read_calls(project)


def test_duckdb_reads_the_log_and_prunes_by_day(logged):
    query = "FROM read_parquet('data/calls/date=*/*.parquet', hive_partitioning = true)"
    assert duckdb.sql(f"SELECT count(*), sum(cost_usd), count(cost_usd) {query}").fetchall() == [(6, 0.75, 3)]
    (day,) = duckdb.sql(f"SELECT call_id, started_at {query} WHERE date = '2026-11-02' ORDER BY 1 LIMIT 1").fetchall()
    assert day[0] in set(logged["call_id"])
    assert str(day[1]).startswith("2026-11-02")


def test_pandas_and_arrow_read_the_same_rows(logged):
    frame = pd.read_parquet("data/calls")
    arrow = dataset.dataset("data/calls", partitioning="hive").to_table(columns=["call_id", "cost_usd"])
    assert set(frame["call_id"]) == set(arrow["call_id"].to_pylist()) == set(logged["call_id"])
    assert frame["cost_usd"].sum() == 0.75


@pytest.mark.slow
def test_lancedb_takes_the_log_as_a_table(logged, tmp_path):
    import lancedb

    source = dataset.dataset("data/calls", partitioning="hive").to_table()
    table = lancedb.connect(tmp_path / "db").create_table("calls", source)
    assert table.count_rows("cost_usd IS NOT NULL AND step = 'answer'") == 3


@pytest.mark.slow
@pytest.mark.parametrize("number", range(4))
def test_every_documented_one_liner_runs(logged, tmp_path, monkeypatch, number, capsys):
    part = re.search(r"^## calls\n(.*?)^## ", ARTIFACTS.read_text(), re.M | re.S).group(1)
    lines = [line for line in re.search(r"```python\n(.*?)```", part, re.S).group(1).splitlines() if line]
    reads = [line for line in lines if not line.startswith("import")]
    if number >= len(reads):
        pytest.fail("docs/artifacts.md shows fewer ways to read the log than it should")
    exec("\n".join([*(line for line in lines if line.startswith("import")), *reads[: number + 1]]), {})


@pytest.mark.slow
def test_writers_that_are_killed_lose_at_most_the_record_in_flight_and_it_is_counted(project):
    command = [sys.executable, "-c", WRITER, str(project.root)]
    writers = [subprocess.Popen(command, stdout=subprocess.PIPE) for _ in range(3)]
    for writer in writers:
        writer.stdout.readline()
    time.sleep(0.2)
    for writer in writers:
        writer.kill()
    acknowledged = [writer.communicate()[0].decode().split() for writer in writers]

    torn = compact(project)

    calls = read_calls(project).set_index("call_id")
    done = {name for names in acknowledged for name in names if len(name) == 32}
    assert len(done) > 20
    assert set(calls.loc[sorted(done), "status"]) == {"ok"}
    under_way = calls.drop(index=sorted(done))
    assert len(under_way) <= 2 * len(writers)  # the first of each was read above; the last one was being written
    assert torn <= len(writers)

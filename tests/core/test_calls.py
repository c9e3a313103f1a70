"""The calls log: nothing is lost, nothing counts twice."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta

import pytest

from flows.core.calls import Call, Journal, compact, journal, read_calls
from flows.core.ids import content_id

KILLED = """
import os, sys
from datetime import UTC, datetime
from flows.core.calls import Call, Journal
from flows.core.project import Project
log = Journal(Project.open(sys.argv[1]), "full")
log.append(Call("a" * 32, datetime(2026, 11, 1, tzinfo=UTC), "answer", "answer", "chat", "p", "m", status="ok"))
log.append(Call("b" * 32, datetime(2026, 11, 1, tzinfo=UTC), "answer", "answer", "chat", "p", "m"))
os.kill(os.getpid(), 9)
"""


@pytest.fixture
def call(now):
    return Call(content_id("call"), now, "answer", "answer", "chat", "local", "local-extract-1", prompt="hello")


def test_the_last_record_of_a_call_counts(project, call):
    with journal(project, "full") as log:
        log.append(call)
        log.append(replace(call, status="ok", input_tokens=3))

    rows = read_calls(project)

    assert rows["status"].tolist() == ["ok"]
    assert rows["input_tokens"].tolist() == [3]


@pytest.mark.parametrize(("privacy", "stored"), [("full", "hello"), ("none", None)])
def test_privacy_decides_what_is_stored(project, call, privacy, stored):
    with journal(project, privacy) as log:
        log.append(call)

    assert read_calls(project)["prompt"].astype(object).replace({float("nan"): None}).tolist() == [stored]


def test_hashed_privacy_stores_no_text(project, call):
    with journal(project, "hashed") as log:
        log.append(call)

    assert read_calls(project)["prompt"].str.match(r"sha256:[0-9a-f]{64}$").all()


def test_a_killed_process_loses_nothing_and_its_call_in_flight_is_counted(project):
    done = subprocess.run([sys.executable, "-c", KILLED, str(project.root)], capture_output=True)
    assert done.returncode == -9

    compact(project)

    assert read_calls(project)["status"].tolist() == ["ok", "unknown_outcome"]


def test_a_torn_line_is_counted_and_the_rest_kept(project, call):
    log = Journal(project, "full")
    log.append(call)
    os.write(log._handle, b'{"call_id": "' + b"c" * 10)
    log.close()

    assert compact(project) == 1
    assert len(read_calls(project)) == 1


def test_a_live_journal_is_left_alone(project, call):
    log = Journal(project, "full")
    log.append(call)

    compact(project)

    assert log.path.exists()
    assert read_calls(project).empty
    log.close()


def test_a_compaction_killed_before_its_journal_was_removed_changes_nothing(project, call):
    log = Journal(project, "full")
    log.append(call)
    log.close()
    content = log.path.read_bytes()
    compact(project)
    log.path.write_bytes(content)

    compact(project)

    assert len(read_calls(project)) == 1
    assert len(list(project.data("calls").glob("date=*/*.parquet"))) == 1


def test_days_are_utc_days_and_many_parts_become_one(project, call):
    for number in range(20):
        moved = replace(call, call_id=content_id(number), started_at=call.started_at + timedelta(minutes=number))
        with journal(project, "full") as log:
            log.append(moved)

    assert len(read_calls(project)) == 20
    assert len(list(project.data("calls").glob("date=2026-11-01/*.parquet"))) <= 17


def test_a_window_reads_only_its_days(project, call, now):
    with journal(project, "full") as log:
        for days in range(5):
            log.append(replace(call, call_id=content_id(days), started_at=now - timedelta(days=days)))

    rows = read_calls(project, since=(now - timedelta(days=2)).date(), until=now.date())

    assert len(rows) == 2


def test_metadata_is_json(project, call):
    with journal(project, "full") as log:
        log.append(replace(call, metadata=json.dumps({"user": "u1"})))

    assert json.loads(read_calls(project)["metadata"][0]) == {"user": "u1"}

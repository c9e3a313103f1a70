"""Run records: work is done once, again when something changed, and never recorded when it failed."""

import subprocess
import sys

import pytest

from flows.core import fingerprints, runs
from flows.core.errors import InputError, LockedError
from flows.core.files import read_json, write_text
from flows.core.locks import writer_lock
from flows.core.runs import Job


@pytest.fixture
def chunks(project):
    write_text(project.data("ingest", "chunks.parquet"), "rows")
    return project.data("ingest", "chunks.parquet")


def job(project, chunks, now, **params):
    return Job(project, "embed", params=params, inputs=[chunks], clock=lambda: now)


def do(work):
    with work.running() as record:
        output = work.project.data("embed", "out.txt")
        write_text(output, "result")
        work.add_outputs(record, output)
        record.summary = "done"
    return record


def test_a_finished_run_has_nothing_to_do_again(project, chunks, now):
    do(job(project, chunks, now, k=1))

    again = job(project, chunks, now, k=1).unchanged()

    assert again is not None
    assert (again.summary, again.did_work) == ("done", False)


@pytest.mark.parametrize("change", ["params", "input", "output", "record"])
def test_any_change_means_work(project, chunks, now, change):
    do(job(project, chunks, now, k=1))
    if change == "input":
        write_text(chunks, "other rows")
    if change == "output":
        write_text(project.data("embed", "out.txt"), "tampered")
    if change == "record":
        write_text(project.data("embed", "run.json"), "{torn")

    assert job(project, chunks, now, k=2 if change == "params" else 1).unchanged() is None


def test_a_failed_run_leaves_the_previous_record(project, chunks, now):
    do(job(project, chunks, now, k=1))

    with pytest.raises(RuntimeError), job(project, chunks, now, k=2).running():
        raise RuntimeError

    assert read_json(project.data("embed", "run.json"), remedy="")["params"] == {"k": 1}


def test_a_missing_input_names_the_stage_to_run(project, now):
    with pytest.raises(InputError, match="llmops run --stages ingest,embed"):
        job(project, project.data("ingest", "chunks.parquet"), now)


def test_two_runs_of_one_stage_exclude_each_other(project, chunks, now):
    with job(project, chunks, now).running(), pytest.raises(LockedError, match="already being written by process"):
        do(job(project, chunks, now))


def test_a_lock_dies_with_its_process(tmp_path):
    code = (
        "import os, sys, pathlib; from flows.core.locks import writer_lock\n"
        "with writer_lock(pathlib.Path(sys.argv[1]), what='x'): os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "lock")], capture_output=True)

    with writer_lock(tmp_path / "lock", what="x"):
        assert (tmp_path / "lock").read_text().startswith('{"pid"')


def test_the_code_fingerprint_follows_imports(monkeypatch, tmp_path):
    """`stage` imports `used` inside a function; `unused` is nobody's business."""
    for name, text in {
        "stage": "def f():\n    from flows.room import used\n",
        "used": "A = 1\n",
        "unused": "B = 1\n",
    }.items():
        write_text(tmp_path / "room" / f"{name}.py", text)
    monkeypatch.setattr("flows.core.fingerprints.PACKAGE", tmp_path)

    def fingerprint():
        for remembered in (fingerprints.code_sha256, fingerprints._file_of, fingerprints._read):
            remembered.cache_clear()
        return runs.code_sha256("flows.room.stage")

    first = fingerprint()
    write_text(tmp_path / "room" / "unused.py", "B = 2\n")
    same = fingerprint()
    write_text(tmp_path / "room" / "used.py", "A = 2\n")

    assert first == same != fingerprint()
    monkeypatch.undo()
    fingerprints.code_sha256.cache_clear()

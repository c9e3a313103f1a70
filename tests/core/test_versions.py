"""Prefect runs, DVC records: after `record`, DVC sees exactly what `dvc repro` would have left."""

import subprocess
import sys

import pytest

from flows.core import versions
from flows.core.errors import IntegrityError
from flows.core.files import write_text
from flows.core.runs import Job

DVC_YAML = """
stages:
  ingest:
    cmd: {python} work.py
    deps: [data/sources/a.txt]
    outs: [data/ingest/out.txt, data/ingest/run.json]
"""

pytestmark = pytest.mark.slow


def dvc(project, *args):
    done = subprocess.run([sys.executable, "-m", "dvc", *args], cwd=project.root, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def versioned(project):
    """A git and DVC repository with one stage that has not run."""
    subprocess.run(["git", "init", "-q", str(project.root)], check=True)
    dvc(project, "init", "-q")
    write_text(project.data("sources", "a.txt"), "source")
    write_text(project.root / "dvc.yaml", DVC_YAML.format(python=sys.executable))
    return project


def run_stage(project, now, text="result"):
    job = Job(project, "ingest", params={}, inputs=[project.data("sources", "a.txt")], clock=lambda: now)
    with job.running() as record:
        write_text(project.data("ingest", "out.txt"), text)
        job.add_outputs(record, project.data("ingest", "out.txt"))


def test_a_recorded_stage_is_clean_and_restorable(versioned, now):
    run_stage(versioned, now)

    assert versions.changed(str(versioned.root)) != {}
    assert versions.record(str(versioned.root), "ingest")
    assert versions.changed(str(versioned.root)) == {}
    versioned.data("ingest", "out.txt").unlink()
    dvc(versioned, "checkout")
    assert versioned.data("ingest", "out.txt").read_text() == "result"


def test_the_same_run_is_recorded_once(versioned, now):
    run_stage(versioned, now)
    versions.record(str(versioned.root), "ingest")

    assert not versions.record(str(versioned.root), "ingest")


def test_an_input_edited_while_the_stage_ran_is_not_recorded_as_its_origin(versioned, now):
    run_stage(versioned, now)
    write_text(versioned.data("sources", "a.txt"), "edited meanwhile")

    with pytest.raises(IntegrityError, match="changed after it read them"):
        versions.record(str(versioned.root), "ingest")


def test_a_lock_table_torn_by_a_kill_is_healed(versioned, now):
    run_stage(versioned, now)
    write_text(versioned.root / ".dvc" / "tmp" / "rwlock", "")

    assert versions.record(str(versioned.root), "ingest")


def test_a_stage_that_is_no_dvc_stage_is_snapshotted_with_the_calls_log(versioned, now):
    job = Job(versioned, "monitor", params={}, clock=lambda: now)
    with job.running():
        write_text(versioned.data("calls", "date=2026-11-01", "part-a.parquet"), "rows")

    assert versions.record(str(versioned.root), "monitor")
    assert {path.name for path in versioned.data().glob("*.dvc")} == {"monitor.dvc", "calls.dvc"}
    assert not versions.record(str(versioned.root), "monitor")


def test_append_only_folders_are_snapshotted(versioned):
    write_text(versioned.data("calls", "date=2026-11-01", "part-a.parquet"), "rows")

    assert versions.snapshot(str(versioned.root), [versioned.data("calls"), versioned.data("absent")])
    assert (versioned.root / "data" / "calls.dvc").is_file()


def test_without_dvc_nothing_happens(project, now, monkeypatch):
    monkeypatch.setenv("LLMOPS_VERSIONING", "off")
    write_text(project.data("sources", "a.txt"), "source")
    run_stage(project, now)

    assert not versions.record(str(project.root), "ingest")
    assert not versions.snapshot(str(project.root), [project.data("sources")])
    assert versions.changed(str(project.root)) == {}

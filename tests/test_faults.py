"""A full disk, a read-only one, several copies at once: a clear error or a clean wait, and the old index stays live."""

import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from flows.core.project import Project
from tests.conftest import ROOT
from tests.faultruns import both, change, command, contents, injector, lay_out, rows, run

pytestmark = [pytest.mark.shared_data, pytest.mark.slow]

IO_ERROR, BUSY = 74, 75
MEGABYTE = 1 << 20
READ = """
import sys
from flows.core.project import Project
from tests.faultruns import rows
print(len(rows(Project.open(sys.argv[1]))))
"""


@pytest.fixture(scope="module")
def updated(tmp_path_factory):
    """A published project whose sources have changed since; its live rows; and what the update must come to."""
    project = lay_out(tmp_path_factory.mktemp("faults") / "project")
    both(project.root)
    live = rows(project)
    change(project)
    done = Project.open(shutil.copytree(project.root, project.root.parent / "undisturbed"))
    both(done.root)
    return project, live, contents(done)


@pytest.fixture
def fault(updated, tmp_path):
    """A copy of the project to break, with the rest of `updated`."""
    project, live, expected = updated
    return Path(shutil.copytree(project.root, tmp_path / "project")), live, expected


def needs_root():
    if os.geteuid() or subprocess.run(["unshare", "-m", "true"], check=False, capture_output=True).returncode:
        pytest.skip("mounting a small or read-only disk needs root and a mount namespace")


def size_mb(root):
    files = [path for path in root.rglob("*") if path.is_file()]
    return sum(-(-path.stat().st_size // 4096) * 4096 for path in files) / MEGABYTE


def is_clear(done, status=IO_ERROR):
    assert done.returncode == status, done.stderr[-2000:]
    assert done.stderr.startswith("error: "), done.stderr[:2000]
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("free_mb", [0.1, 0.2, 0.3])
def test_a_full_disk_is_an_error_that_leaves_the_old_index_and_is_made_good_by_the_next_run(
    shared_data, fault, tmp_path, free_mb
):
    injector_path = injector(shared_data, "diskfull.py")
    needs_root()
    root, live, expected = fault
    options = ["--dir", root, "--how", "tmpfs", "--mb", size_mb(root) + free_mb, "--keep-out", tmp_path / "left", "--"]
    is_clear(run(root, sys.executable, injector_path, *options))
    left = Project.open(tmp_path / "left")
    assert rows(left) in (live, expected["rows"])
    both(left.root)
    assert contents(left) == expected


def test_files_that_may_not_grow_are_an_error_as_well(shared_data, fault):
    root, live, expected = fault
    done = run(root, sys.executable, injector(shared_data, "diskfull.py"), "--how", "fsize", "--mb", 0.02, "--")
    is_clear(done)
    assert rows(Project.open(root)) in (live, expected["rows"])
    both(root)
    assert contents(Project.open(root)) == expected


def test_a_read_only_project_is_an_error_and_can_still_be_read(shared_data, fault):
    script = injector(shared_data, "diskfull.py")
    needs_root()
    root, live, _ = fault
    options = [sys.executable, str(script), "--dir", str(root), "--how", "ro", "--"]
    is_clear(run(root, *options))
    read = [*options, sys.executable, "-c", READ, str(root)]
    done = subprocess.run(read, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.stdout.strip() == str(len(live)), done.stderr[-2000:]


def test_of_copies_that_start_at_once_one_works_and_the_others_wait_or_say_so(shared_data, updated, tmp_path):
    project, _, expected = updated
    words = [
        sys.executable, injector(shared_data, "racer.py"), "--workdir", tmp_path, "--n", 3, "--rounds", 1,
        "--setup", f"cp -r {shlex.quote(str(project.root))}/. {{dir}}/", "--check", "true",
        "--run", shlex.join(command("{dir}")).replace("'{dir}'", "{dir}"), "--allow-rc", f"0,{BUSY}",
    ]  # fmt: skip
    done = subprocess.run(list(map(str, words)), cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    said = json.loads(done.stdout.splitlines()[-1])
    assert done.returncode == 0, said
    assert said["tracebacks"] == 0
    both(tmp_path / "round0")  # a loser may have been the one to embed
    assert contents(Project.open(tmp_path / "round0")) == expected

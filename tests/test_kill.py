"""Killed between any two commits to the disk, ingest and embed end as if undisturbed: nothing lost, nothing twice.

An undisturbed run under strace lists the system calls by which files and folders come to be. Fifty of them,
evenly spread over two runs (the first publication, and an update of a live index), get a SIGKILL each. What
was live must then still be read, and running again must come to the undisturbed result. That second run
is made here, in this process, since fifty starts of Python would take longer than all the rest.
"""

import re
import shutil
import subprocess
import tempfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from flows.core.project import Project
from tests.conftest import ROOT
from tests.faultruns import begun, both, command, contents, rows

pytestmark = pytest.mark.slow

POINTS = 25  # of each of the two runs
COMMITS = "rename,renameat,renameat2,link,linkat,unlink,unlinkat,fsync,fdatasync,ftruncate,mkdir,mkdirat"
STRACE = ["strace", "-f", "-qq"]
CALL = re.compile(r"(\d+)\s+(\w+)\(")


@pytest.fixture(scope="module")
def strace():
    """Skip where no system call can be picked."""
    probe = [*STRACE, "-o", "/dev/null", "-e", "trace=mkdir", "true"]
    if not shutil.which("strace") or subprocess.run(probe, check=False, capture_output=True).returncode:
        pytest.skip("strace is not installed or may not trace here, so no kill can be placed on a system call")


def traced(root, output, *options):
    words = [*STRACE, "-o", str(output), *options, *command(root)]
    return subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False).returncode


def commits(root, output):
    """Run undisturbed; return (system call, how often its thread had made it) of every commit, in order."""
    assert traced(root, output, "-e", f"trace={COMMITS}") == 0
    made = Counter()
    found = []
    for thread, call in CALL.findall(Path(output).read_text(errors="replace")):
        made[thread, call] += 1
        found.append((call, made[thread, call]))
    return found


def killed_at(template, point, call, number):
    """Copy the project, kill a run of the copy at the call, and return the copy."""
    root = Path(tempfile.mkdtemp(dir=template.parent)) / f"{point}-{call}-{number}"
    shutil.copytree(template, root)
    status = traced(root, "/dev/null", "-e", f"trace={call}", "-e", f"inject={call}:signal=KILL:when={number}")
    return root, status


@pytest.mark.parametrize("update", [False, True], ids=["first publication", "update of a live index"])
def test_a_run_killed_between_two_commits_is_finished_by_the_next(strace, tmp_path, update):
    project, live = begun(tmp_path / "template", update=update)
    undisturbed = Path(shutil.copytree(project.root, tmp_path / "undisturbed"))
    every = commits(undisturbed, tmp_path / "trace")
    expected = contents(Project.open(undisturbed))
    assert expected["rows"] != live
    chosen = [every[(2 * point + 1) * len(every) // (2 * POINTS)] for point in range(POINTS)]
    survived = 0
    with ThreadPoolExecutor(2) as threads:
        done = threads.map(lambda item: killed_at(project.root, item[0], *item[1]), enumerate(chosen))
        for root, status in done:
            survived += status == 0
            copy = Project.open(root)
            if update:
                assert rows(copy) in (live, expected["rows"]), root.name
            both(root)
            assert contents(copy) == expected, root.name
            shutil.rmtree(root.parent)
    assert survived <= POINTS // 5  # a thread may make fewer calls another time

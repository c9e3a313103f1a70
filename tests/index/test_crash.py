"""A killed writer changes nothing that a reader sees, and the next run finishes the work."""

import signal
import subprocess
import sys

import pytest

from flows.index.manifest import pointer
from flows.index.store import open_index
from flows.index.verify import verify_index
from tests.conftest import NOW, ROOT
from tests.index.corpus import publish

pytestmark = pytest.mark.slow

DOCUMENTS = {"alpha.md": "one line", "delta.md": "a fourth document\nwith two lines"}
CHILD = """
import os
import sys
from flows.core.project import Project
from tests.conftest import NOW
from tests.index.corpus import publish
from tests.index.test_crash import DOCUMENTS
os.environ["LLMOPS_CRASH_AT"] = sys.argv[2]
publish(Project.open(sys.argv[1]), DOCUMENTS, NOW)
"""


@pytest.mark.parametrize(
    "point",
    ["index.upserted", "index.tagged", "index.before_publish"],
)
def test_a_writer_killed_before_the_publication_leaves_the_old_version(project, some, point):
    publish(project, some, NOW)
    before = pointer(project).read_bytes()
    done = subprocess.run([sys.executable, "-c", CHILD, str(project.root), point], cwd=ROOT)
    assert done.returncode == -signal.SIGKILL
    assert pointer(project).read_bytes() == before
    assert len(open_index(project).rows()) == 5
    publish(project, DOCUMENTS, NOW)
    assert {row.text for row in open_index(project).rows().itertuples()} == {
        "one line", "a fourth document", "with two lines"
    }  # fmt: skip
    assert verify_index(project) == []


@pytest.mark.parametrize("delay_s", [1.0, 1.2, 1.4, 1.6, 1.8])
def test_a_writer_killed_at_any_moment_leaves_a_version_that_verifies(project, some, delay_s):
    publish(project, some, NOW)
    child = subprocess.Popen([sys.executable, "-c", CHILD, str(project.root), ""], cwd=ROOT)
    try:
        child.wait(delay_s)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
    assert len(open_index(project).rows()) in {5, 3}
    assert verify_index(project) == []
    publish(project, DOCUMENTS, NOW)
    assert len(open_index(project).rows()) == 3

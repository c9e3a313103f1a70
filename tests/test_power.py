"""After a power cut at any moment the old index or the new one is there, and the next run ends as if undisturbed.

See `tests/powercut.py` for what a cut may leave. Copies are made at cuts that are spread over the flushes and
renamings of a run, each in two ways: nothing that was not flushed is there, and an even mixture.
"""

from itertools import count

import pytest

from flows.core.project import Project
from flows.index.manifest import pointer
from tests.faultruns import begun, both, contents, rows
from tests.powercut import Disk

pytestmark = pytest.mark.slow

CUTS = 12  # of each way and run
CHANCES = (0.0, 0.5)  # of a change to be there though it was not flushed


def left_by_cuts(project, folder, work):
    """Do the work; return what a cut at each of its flushes and renamings would have left, and one at its end."""
    folder.mkdir()
    disk, numbers, left = Disk(project.root), count(), []

    def moment():
        number = next(numbers)
        left.extend(disk.after_a_cut(folder / f"{number}-{chance}", chance, number) for chance in CHANCES)

    with disk.watching(moment):
        work()
    return [Project.open(restarted(root)) for root in left]


def restarted(root):
    """A machine that lost its power has started since."""
    if (marker := root / ".llmops" / "index" / "boot").exists():
        marker.write_text("an earlier start")
    return root


def some(left):
    """The cuts to try: evenly spread, and always the last ones."""
    pairs = [left[start : start + len(CHANCES)] for start in range(0, len(left), len(CHANCES))]
    return [copy for number in range(CUTS) for copy in pairs[(number + 1) * len(pairs) // CUTS - 1]]


@pytest.mark.parametrize("update", [False, True], ids=["first publication", "update of a live index"])
def test_a_power_cut_leaves_the_old_index_or_the_new_one_and_is_made_good_by_the_next_run(tmp_path, update):
    project, live = begun(tmp_path / "project", update=update)
    left = left_by_cuts(project, tmp_path / "cuts", lambda: both(project.root))
    expected = contents(project)
    for copy in left[-len(CHANCES) :]:
        assert contents(copy) == expected, "what was published was not on the disk"
    for copy in some(left):
        if update or pointer(copy).exists():
            assert rows(copy) in (live, expected["rows"]), copy.root.name
        both(copy.root)
        assert contents(copy) == expected, copy.root.name

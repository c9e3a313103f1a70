"""A tree that stands still is seen in one walk; every change is seen, also one too quick for the clock."""

import os
import shutil

import pytest

from flows.core import stamps
from flows.ingest.params import IngestParams
from flows.ingest.standing import known_sha256, remember, tree_stamp


@pytest.fixture
def settled(monkeypatch):
    """Take every file for settled, as after two seconds."""
    monkeypatch.setattr(stamps, "SETTLED_NS", -(10**12))


@pytest.fixture
def tree(project):
    for name in ("a.md", "sub/b.md", "sub/.hidden"):
        path = project.data("sources", name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("old text")
    return project.data("sources")


def stamp(project, **params):
    return tree_stamp(project, IngestParams(**params))


def rewrite_in_disguise(tree):
    """Write other text of the same length and put the old time back."""
    before = (tree / "a.md").stat()
    (tree / "a.md").write_text("new text")
    os.utime(tree / "a.md", ns=(before.st_atime_ns, before.st_mtime_ns))


CHANGES = {
    "edit": lambda tree: (tree / "sub/b.md").write_text("longer than the old text"),
    "disguised edit": rewrite_in_disguise,
    "new file": lambda tree: (tree / "sub/c.md").write_text("x"),
    "new folder": lambda tree: (tree / "empty").mkdir(),
    "deleted file": lambda tree: (tree / "a.md").unlink(),
    "renamed file": lambda tree: (tree / "a.md").rename(tree / "b.md"),
    "moved file": lambda tree: (tree / "a.md").rename(tree / "sub/a.md"),
    "renamed folder": lambda tree: (tree / "sub").rename(tree / "other"),
    "file for a link": lambda tree: ((tree / "a.md").unlink(), (tree / "a.md").symlink_to("sub/b.md")),
    "mode": lambda tree: (tree / "a.md").chmod(0o600),
    "equal copy": lambda tree: (shutil.copy2(tree / "a.md", tree / "x"), (tree / "x").replace(tree / "a.md")),
}


def test_a_tree_that_stands_still_has_one_stamp(project, tree, settled):
    assert stamp(project) == stamp(project) is not None


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_of_any_kind_changes_the_stamp(project, tree, settled, change):
    before = stamp(project)
    CHANGES[change](tree)
    assert stamp(project) != before


def test_a_tree_changed_just_now_has_no_stamp_because_the_next_change_might_not_show(project, tree):
    assert stamp(project) is None


def test_other_sources_or_limits_have_another_stamp(project, tree, settled):
    stamps_ = {stamp(project), stamp(project, size_max_mb=1), stamp(project, sources=[{"uri": "data/sources/sub"}])}
    assert len(stamps_ - {None}) == 3


def test_what_a_stat_cannot_tell_has_no_stamp(project, tree, settled):
    assert stamp(project, sources=[{"uri": "https://example.org/a.md"}], url_hosts_allowed=["example.org"]) is None
    assert stamp(project, sources=[{"uri": "data/nowhere"}]) is None


def test_the_content_is_known_by_its_stamp_alone(project, tree, settled):
    now = stamp(project)
    assert known_sha256(project, now) is None
    remember(project, now, "hash of all contents")
    assert known_sha256(project, now) == "hash of all contents"
    assert known_sha256(project, None) is known_sha256(project, "another") is None
    project.state("ingest", "standing.json").write_text("{torn")
    assert known_sha256(project, now) is None

"""Erasing documents from every version: nothing of them is left in a byte, and everything else is as it was."""

import signal
import subprocess
import sys
from datetime import timedelta

import pytest

from flows.core.errors import InputError, IntegrityError
from flows.core.ids import document_id
from flows.index.erase import erase, holding
from flows.index.kinds import Build
from flows.index.manifest import database, kept_manifests, manifest_file, pointer, published
from flows.index.store import open_index, open_writer
from flows.index.verify import verify_index
from tests.conftest import ROOT
from tests.index.corpus import FINGERPRINT, publish, vector_of

pytestmark = pytest.mark.slow

BUILD = Build(recall_queries=5)
SECRET = "the heron of Lindenhof keeps number 4711"


@pytest.fixture
def history(project, some, now):
    """Four versions; the document to be erased is in the two in the middle, with two texts."""
    states = (some, some | {"secret.md": SECRET}, some | {"secret.md": f"{SECRET} again"}, some | {"d.md": "no more"})
    return [publish(project, state, now + timedelta(days=day)) for day, state in enumerate(states)]


def bytes_of(folder):
    return b"".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())


def rows(project, tag):
    return open_index(project, tag).everything().sort_by("chunk_id").to_pylist()


def test_what_every_version_holds_is_found(project, history):
    held = holding(project, {document_id("secret.md")})
    assert [len(item.chunk_ids) for item in held] == [0, 1, 1, 0]
    assert SECRET in held[1].texts[0]


def test_no_version_and_no_byte_holds_an_erased_document(project, history, now):
    before = {item.tag: rows(project, item.tag) for item in history}
    assert b"Lindenhof" in bytes_of(database(project))
    live, done = erase(project, {document_id("secret.md")}, BUILD, clock=lambda: now)

    assert b"Lindenhof" not in bytes_of(project.root)
    assert [(item.rows_before, item.rows_after) for item in done] == [(5, 5), (6, 5), (6, 5), (6, 6)]
    assert live.tag == history[-1].tag == published(project).tag
    assert verify_index(project) == []
    for tag, old in before.items():
        assert rows(project, tag) == [row for row in old if row["source_uri"] != "secret.md"]


def test_what_was_taken_is_noted_and_times_stay(project, history, now):
    erase(project, {document_id("secret.md")}, BUILD, clock=lambda: now)
    kept = {item.tag: item for item in kept_manifests(project)}
    erased = [document_id("secret.md")]
    assert [kept[item.tag].redacted for item in history] == [[], erased, erased, []]
    assert [kept[item.tag].created_at for item in history] == [item.created_at for item in history]


def test_the_live_version_gets_the_tag_of_its_new_content(project, some, now):
    clean = publish(project, some, now)
    dirty = publish(project, some | {"secret.md": SECRET}, now + timedelta(days=1))
    live, _ = erase(project, {document_id("secret.md")}, BUILD, clock=lambda: now)
    assert live.tag == clean.tag
    assert open_index(project, dirty.tag).manifest.rows == clean.rows
    assert open_index(project).search("heron", vector_of("x"), access=["public"], k=9)


def test_a_redacted_version_is_never_taken_for_its_old_content(project, some, now):
    dirty = publish(project, some | {"secret.md": SECRET}, now)
    erase(project, {document_id("secret.md")}, BUILD, clock=lambda: now)
    again = publish(project, some | {"secret.md": SECRET}, now + timedelta(days=1))
    assert (again.tag, again.rows, again.redacted) == (dirty.tag, dirty.rows, [])
    assert len(open_index(project, dirty.tag).rows()) == dirty.rows


def test_the_versions_of_two_models_stay_apart(project, some, now):
    publish(project, some | {"secret.md": SECRET}, now)
    other = FINGERPRINT | {"model": "stranger"}
    publish(project, some | {"secret.md": SECRET}, now + timedelta(days=1), fingerprint=other)
    erase(project, {document_id("secret.md")}, BUILD, clock=lambda: now)
    assert {item.fingerprint["model"] for item in kept_manifests(project)} == {"seeded", "stranger"}
    assert b"Lindenhof" not in bytes_of(project.root)
    assert published(project).fingerprint["model"] == "stranger"


def test_the_last_document_leaves_no_index(project, now):
    publish(project, {"secret.md": SECRET}, now)
    live, done = erase(project, {document_id("secret.md")}, BUILD, clock=lambda: now)
    assert live is None
    assert published(project) is None
    assert [item.rows_after for item in done] == [0]
    assert b"Lindenhof" not in bytes_of(project.root)


def test_a_damaged_version_is_dropped(project, history, now):
    path = manifest_file(project, history[1].tag)
    name = next(name for name in history[1].files if "_versions" in name)
    (database(project) / name).unlink()
    held = {item.tag: item.unreadable for item in holding(project, {document_id("secret.md")})}
    assert held[history[1].tag]
    erase(project, {document_id("secret.md")}, BUILD, clock=lambda: now)
    assert not path.exists()
    assert b"Lindenhof" not in bytes_of(project.root)


def test_writing_goes_on_after_an_erasure(project, history, some, now):
    erase(project, {document_id("secret.md")}, BUILD, clock=lambda: now)
    manifest = publish(project, some | {"e.md": "one more"}, now + timedelta(days=9))
    assert manifest.rows == 6
    assert verify_index(project) == []


def test_an_erasure_killed_while_the_new_index_took_its_place_is_finished_by_the_next(project, history, now):
    """The old folder was moved aside and the new one is not there yet: nothing may be lost or left."""
    root = database(project)
    root.rename(root.with_name(root.name + ".old"))

    live, _ = erase(project, {document_id("secret.md")}, BUILD, clock=lambda: now)

    assert live is not None
    assert len(rows(project, live.tag)) == live.rows > 0
    assert b"Lindenhof" not in bytes_of(root.parent)


ERASING = """
import os
import sys
from flows.core.ids import document_id
from flows.core.project import Project
from flows.index.erase import erase
from tests.conftest import NOW
from tests.index.test_erase import BUILD
os.environ["LLMOPS_CRASH_AT"] = "index.swapped"
erase(Project.open(sys.argv[1]), {document_id("secret.md")}, BUILD, clock=lambda: NOW)
"""


def killed_between_swap_and_pointer(project):
    before = pointer(project).read_bytes()
    done = subprocess.run([sys.executable, "-c", ERASING, str(project.root)], cwd=ROOT)
    assert done.returncode == -signal.SIGKILL
    assert pointer(project).read_bytes() == before


@pytest.mark.parametrize("next_run", ["erasure", "writer"])
def test_an_erasure_killed_before_its_pointer_is_published_by_whoever_comes_next(project, some, now, next_run):
    """The new index stands in its place and the pointer still names the old one."""
    old = publish(project, some | {"secret.md": SECRET}, now)
    publish(project, {"alpha.md": "the cat", "secret.md": SECRET}, now + timedelta(days=1))
    killed_between_swap_and_pointer(project)
    assert open_index(project, old.tag).manifest.rows == 5  # what does not go by the pointer is whole
    with pytest.raises(IntegrityError, match="llmops embed"):
        open_index(project)
    if next_run == "erasure":
        erase(project, {document_id("secret.md")}, BUILD, clock=lambda: now)
    else:
        with open_writer(project, FINGERPRINT):
            pass
    assert [row["source_uri"] for row in rows(project, None)] == ["alpha.md"]
    assert verify_index(project) == []
    erase(project, {document_id("secret.md")}, BUILD, clock=lambda: now)
    assert not (database(project) / "pointer.json").exists()
    assert b"Lindenhof" not in bytes_of(project.root)


def test_an_erasure_of_the_last_document_killed_before_its_pointer_leaves_no_index(project, now):
    publish(project, {"secret.md": SECRET}, now)
    killed_between_swap_and_pointer(project)
    live, done = erase(project, {document_id("secret.md")}, BUILD, clock=lambda: now)
    assert (live, done) == (None, [])
    with pytest.raises(InputError, match="llmops embed"):
        open_index(project)
    assert b"Lindenhof" not in bytes_of(project.root)


def test_the_next_writer_brings_back_what_a_killed_erasure_moved_aside(project, history, some, now):
    root = database(project)
    before = rows(project, history[-1].tag)
    root.rename(root.with_name(root.name + ".old"))

    publish(project, some | {"d.md": "no more"}, now)

    assert rows(project, history[-1].tag) == before

import errno
import os
import shutil

import lancedb
import pytest

from flows.core.errors import InputError, IntegrityError
from flows.index.disk import disk_errors
from flows.index.layout import files_of_version, manifest_path, table_folder, tag_files, versions_on_disk
from flows.index.manifest import database, manifest_file, pointer
from flows.index.schema import matrix
from flows.index.store import open_index, open_writer
from flows.index.verify import verify_index
from tests.index.corpus import FINGERPRINT, apply, publish, vector_of


@pytest.fixture
def history(project, some, now):
    """Four published versions with inserts, deletes and merged files behind them."""
    return [
        publish(project, some, now),
        publish(project, some | {"delta.md": "a fourth document\nwith two lines"}, now),
        publish(project, {"alpha.md": some["alpha.md"], "delta.md": "a fourth document"}, now),
        publish(project, some | {"delta.md": "another text"}, now),
    ]


def test_the_listed_files_of_every_version_are_all_it_needs(project, history, tmp_path):
    for manifest in history:
        copy = tmp_path / "copy" / manifest.tag
        for name in manifest.files:
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(database(project) / name, copy / name)
        table = lancedb.connect(copy).open_table(manifest.table, version=manifest.version)
        assert table.search().to_arrow().num_rows == manifest.rows
        assert table.search("invoice cat document", query_type="fts").limit(99).to_arrow().num_rows
        assert table.search(vector_of("x")).limit(99).to_arrow().num_rows == manifest.rows


def test_a_version_lists_no_file_of_another_content(project, history):
    folder = table_folder(database(project), "chunks")
    everything = {path for path in (folder / "data").iterdir()}
    assert all(set(files_of_version(folder, manifest.version)) & everything < everything for manifest in history)


@pytest.mark.parametrize("part", ["/data/", "/_indices/", "/_versions/"])
@pytest.mark.parametrize("harm", ["flip", "cut", "remove"])
def test_a_damaged_file_is_named_and_the_version_is_not_opened(project, history, part, harm):
    name = next(name for name in history[-1].files if part in name)
    path = database(project) / name
    data = path.read_bytes()
    path.unlink()
    if harm != "remove":
        path.write_bytes(data[:-7] if harm == "cut" else bytes([data[0] ^ 1]) + data[1:])
    assert (name, "missing" if harm == "remove" else "differs") in {
        (damage.path, damage.reason) for damage in verify_index(project)
    }
    with pytest.raises(IntegrityError, match=path.name.replace("+", ".")):
        open_index(project)


def test_a_torn_manifest_is_named(project, history):
    manifest_file(project, history[0].tag).write_text("{")
    assert [(damage.tag, damage.reason) for damage in verify_index(project)] == [(history[0].tag, "unreadable")]
    pointer(project).write_text("")
    assert "live" in {damage.tag for damage in verify_index(project)}
    with pytest.raises(IntegrityError):
        open_index(project)


def test_nothing_to_verify_is_not_all_is_well(project):
    with pytest.raises(InputError, match="llmops embed"):
        verify_index(project)


@pytest.mark.parametrize("harm", ["empty", "cut"])
def test_a_newest_manifest_cut_by_a_crash_is_set_aside_by_the_next_writer(project, some, now, harm):
    live = publish(project, some, now)
    with open_writer(project, FINGERPRINT) as writer:
        apply(writer, some | {"delta.md": "written but not published"})
    folder = table_folder(database(project), live.table)
    newest = manifest_path(folder, versions_on_disk(folder)[0])
    newest.write_bytes(b"" if harm == "empty" else newest.read_bytes()[:40])
    assert len(open_index(project).rows()) == 5
    publish(project, some | {"delta.md": "written but not published"}, now)
    assert len(open_index(project).rows()) == 6
    assert verify_index(project) == []
    assert project.state("quarantine", "index", newest.name).exists()


def test_damage_that_no_stat_shows_is_not_taken_over_as_the_content_of_the_next_version(project, some, now):
    first = publish(project, some, now)
    vector = matrix(open_index(project).everything(["vector"]))[0].tobytes()
    name = next(name for name in first.files if "/data/" in name)
    path = database(project) / name
    info, data = path.stat(), path.read_bytes()
    assert vector in data
    path.write_bytes(data.replace(vector, bytes([vector[0] ^ 1]) + vector[1:]))
    os.utime(path, ns=(info.st_atime_ns, info.st_mtime_ns))
    second = publish(project, some | {"delta.md": "one more"}, now)
    assert name in second.files
    assert {damage.tag for damage in verify_index(project)} == {first.tag, second.tag}


def test_damaged_data_is_written_again_from_the_chunks(project, history, some, now):
    name = next(name for name in history[-1].files if "/data/" in name)
    (database(project) / name).write_bytes(b"")
    with open_writer(project, FINGERPRINT) as writer:
        assert writer.hashes().empty
    publish(project, some | {"delta.md": "another text"}, now)
    assert len(open_index(project).rows()) == 6


def test_a_table_that_does_not_open_at_all_is_set_aside(project, some, now):
    publish(project, some, now)
    for path in (database(project) / "chunks.lance" / "_versions").iterdir():
        path.write_bytes(b"")
    with pytest.raises(IntegrityError):
        open_index(project)
    publish(project, some, now)
    assert len(open_index(project).rows()) == 5


def test_a_temporary_file_that_a_killed_writer_left_is_swept(project, some, now):
    publish(project, some, now)
    folder = database(project) / "chunks.lance"
    left = [folder / "_deletions" / ".tmpAb12cd", folder / "data" / ".tmpAb12ce"]
    for path in left:
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"half")
    assert verify_index(project) == []
    publish(project, {"alpha.md": "one line"}, now)
    assert [path for path in left if path.exists()] == []


def test_a_disk_error_of_lance_is_the_system_error_that_it_is(tmp_path):
    with pytest.raises(OSError, match="No space left") as caught, disk_errors(tmp_path):
        raise RuntimeError("lance error: LanceError(IO): No space left on device (os error 28), writer.rs:258:9")
    assert caught.value.errno == errno.ENOSPC
    with pytest.raises(RuntimeError, match="other"), disk_errors(tmp_path):
        raise RuntimeError("other")


HARMS = {
    "removed": None,
    "empty": lambda data: b"",
    "cut": lambda data: data[:90],
    "flipped": lambda data: b"\0" + data[1:],
}


@pytest.mark.parametrize("harm", HARMS)
@pytest.mark.parametrize("part", ["manifest", "tag"])
def test_a_damaged_older_version_stops_neither_the_next_publication_nor_the_versions_that_are_whole(
    project, some, now, part, harm
):
    older = publish(project, some, now)
    live = publish(project, some | {"delta.md": "a fourth document"}, now)
    folder = table_folder(database(project), live.table)
    path = manifest_path(folder, older.version) if part == "manifest" else tag_files(folder)[older.tag]
    data = path.read_bytes()
    path.unlink()
    if change := HARMS[harm]:
        path.write_bytes(change(data))
    publish(project, some | {"delta.md": "a changed document"}, now, pinned=[older.tag])
    assert {damage.tag for damage in verify_index(project)} == ({older.tag} if part == "manifest" else set())
    assert len(open_index(project, live.tag).rows()) == len(open_index(project).rows()) == 6


def test_a_tag_that_is_lost_loses_no_version(project, some, now):
    older = publish(project, some, now)
    live = publish(project, some | {"delta.md": "a fourth document"}, now)
    for path in tag_files(table_folder(database(project), live.table)).values():
        path.unlink()
    publish(project, some | {"delta.md": "a changed document"}, now, pinned=[older.tag])
    assert verify_index(project) == []
    assert len(open_index(project, older.tag).rows()) == 5


def test_a_torn_pointer_is_made_good_by_the_next_publication(project, some, now):
    older = publish(project, some, now)
    publish(project, some | {"delta.md": "a fourth document"}, now)
    pointer(project).write_text("")
    with pytest.raises(IntegrityError, match="llmops embed"):
        open_index(project)
    live = publish(project, some | {"delta.md": "a changed document"}, now)
    assert live.tag == open_index(project).manifest.tag
    assert len(open_index(project, older.tag).rows()) == 5
    assert verify_index(project) == []


def test_after_a_start_of_the_machine_only_what_was_published_is_believed(project, some, now):
    live = publish(project, some, now)
    with open_writer(project, FINGERPRINT) as writer:
        apply(writer, some | {"delta.md": "written but not published"})
    with open_writer(project, FINGERPRINT) as writer:
        assert len(writer.hashes()) == 6  # a killed process: the kernel still has what it wrote
    project.state("index", "boot").write_text("an earlier start")
    with open_writer(project, FINGERPRINT) as writer:
        assert len(writer.hashes()) == 5
    assert publish(project, some, now).tag == live.tag
    assert verify_index(project) == []

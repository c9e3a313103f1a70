"""A file that stands still is not read again; any change is seen, also one right after the last."""

import os

import pytest

from flows.core import stamps
from flows.core.files import read_json
from flows.core.ids import sha256

LONG_AGO_NS = 10**18


@pytest.fixture
def file(project):
    path = project.data("file.txt")
    path.parent.mkdir(parents=True)
    path.write_text("old")
    return path


@pytest.fixture
def settled(monkeypatch):
    """Take every file for settled, as after two seconds."""
    monkeypatch.setattr(stamps, "SETTLED_NS", -(10**12))


def counted(monkeypatch):
    read = []
    original = stamps.sha256_file
    monkeypatch.setattr(stamps, "sha256_file", lambda path: read.append(path) or original(path))
    return read


def test_a_file_that_stands_still_is_read_once(project, file, settled, monkeypatch):
    read = counted(monkeypatch)
    assert [stamps.hashes(project, [file]) for _ in range(2)] == [{file: sha256("old")}] * 2
    assert read == [file]


def test_a_file_that_changed_just_now_is_read_again(project, file, monkeypatch):
    read = counted(monkeypatch)
    stamps.hashes(project, [file])
    stamps.hashes(project, [file])
    assert read == [file, file]


def test_a_change_of_equal_size_with_its_old_time_put_back_is_seen(project, file, settled):
    os.utime(file, ns=(LONG_AGO_NS, LONG_AGO_NS))
    stamps.hashes(project, [file])
    file.write_text("new")
    os.utime(file, ns=(LONG_AGO_NS, LONG_AGO_NS))
    assert stamps.hashes(project, [file]) == {file: sha256("new")}


@pytest.mark.parametrize("damage", ["{torn", "[]", '{"x": 1}'])
def test_damaged_stamps_are_no_stamps(project, file, settled, damage):
    stamps.hashes(project, [file])
    project.state("stamps.json").write_text(damage)
    assert stamps.hashes(project, [file]) == {file: sha256("old")}


def test_files_that_are_gone_are_forgotten(project, file, settled):
    stamps.hashes(project, [file])
    other = file.with_name("other.txt")
    file.rename(other)
    stamps.hashes(project, [other])
    assert list(read_json(project.state("stamps.json"), remedy="")) == [str(other)]


def test_where_nothing_can_be_written_the_file_decides(project, file, settled, monkeypatch):
    def full(_path, _value):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(stamps, "write_json", full)
    assert stamps.hashes(project, [file]) == {file: sha256("old")}

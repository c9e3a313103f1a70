"""Atomic files: the old content or the new, never half."""

import pytest

from flows.core.errors import InputError, IntegrityError
from flows.core.files import read_json, recover_folder, replace_folder, replacing, write_json, write_text
from tests.powercut import Disk


def test_a_failed_write_leaves_the_old_content_and_no_litter(tmp_path):
    path = tmp_path / "a.txt"
    write_text(path, "old")

    with pytest.raises(RuntimeError), replacing(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError

    assert path.read_text() == "old"
    assert [item.name for item in tmp_path.iterdir()] == ["a.txt"]


def test_json_has_no_nan(tmp_path):
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "a.json", {"x": float("nan")})

    assert not (tmp_path / "a.json").exists()


def test_a_missing_file_says_what_to_run(tmp_path):
    with pytest.raises(InputError, match=r"'a.json' is missing .* Run `llmops embed`\."):
        read_json(tmp_path / "a.json", remedy="Run `llmops embed`")


def test_a_torn_file_is_never_taken_for_an_empty_one(tmp_path):
    (tmp_path / "a.json").write_text('{"x": 1')

    with pytest.raises(IntegrityError, match="not valid JSON"):
        read_json(tmp_path / "a.json", remedy="Run it again")


def test_a_file_in_new_folders_is_on_the_disk_with_its_name(tmp_path):
    disk = Disk(tmp_path)
    with disk.watching(lambda: None):
        write_text(tmp_path / "a" / "b" / "f", "1")
        write_text(tmp_path / "a" / "b" / "f", "2")
        (tmp_path / "a" / "b" / "g").write_text("not flushed")
        left = disk.after_a_cut(tmp_path.with_name("left"), chance=0, seed=0)
    assert (left / "a" / "b" / "f").read_text() == "2"
    assert not (left / "a" / "b" / "g").exists()


def test_a_power_cut_while_a_folder_is_replaced_leaves_the_old_or_the_new_one(tmp_path):
    for name, text in (("new", "2"), ("target", "1")):
        write_text(tmp_path / name / "f", text)
    disk, left = Disk(tmp_path), []

    def moment():
        for seed in range(4):
            left.append(disk.after_a_cut(tmp_path.with_name(f"left{len(left)}"), 0.5, seed))

    with disk.watching(moment):
        replace_folder(tmp_path / "new", tmp_path / "target")
    for number, root in enumerate(left):
        recover_folder(root / "target")
        assert (root / "target" / "f").read_text() in {"1", "2"}, number
    assert {(root / "target" / "f").read_text() for root in left[-4:]} == {"2"}


def test_a_folder_is_replaced_whole(tmp_path):
    for name, text in (("new", "2"), ("target", "1")):
        write_text(tmp_path / name / "f", text)

    replace_folder(tmp_path / "new", tmp_path / "target")

    assert (tmp_path / "target" / "f").read_text() == "2"
    assert [item.name for item in tmp_path.iterdir()] == ["target"]


def test_a_kill_between_the_two_renames_is_undone(tmp_path):
    write_text(tmp_path / "target.old" / "f", "1")

    recover_folder(tmp_path / "target")

    assert (tmp_path / "target" / "f").read_text() == "1"


def test_a_kill_after_both_renames_leaves_only_the_new_content(tmp_path):
    write_text(tmp_path / "target" / "f", "2")
    write_text(tmp_path / "target.old" / "f", "1")

    recover_folder(tmp_path / "target")

    assert (tmp_path / "target" / "f").read_text() == "2"
    assert [item.name for item in tmp_path.iterdir()] == ["target"]

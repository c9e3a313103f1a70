"""`llmops init`: an empty project that is complete, valid, and refuses to overwrite."""

import pytest
import yaml

from flows.cli.init import lay_out
from flows.cli.sections import as_dict, load_all
from flows.core.errors import UsageError
from flows.core.params import SECTIONS
from flows.core.project import Project


def test_a_new_project_is_complete_and_valid(tmp_path):
    lay_out(tmp_path / "new")

    project = Project.open(tmp_path / "new")
    assert set(load_all(project)) == set(SECTIONS)
    for name in (
        "dvc.yaml",
        "prefect.yaml",
        ".env.example",
        ".gitignore",
        "data/sources/README.md",
        "data/prompts/answer.md",
        "data/prompts/judge_preference.anchors.jsonl",
    ):
        assert (project.root / name).is_file()


def test_its_params_are_the_defaults_each_with_its_meaning(tmp_path):
    lay_out(tmp_path / "new")

    text = (tmp_path / "new" / "params.yaml").read_text()
    written = yaml.safe_load(text)
    assert as_dict(Project.open(tmp_path / "new")).keys() == written.keys()
    assert text.count("  # ") >= sum(len(section) for section in written.values()) - 2


def test_its_dvc_stages_do_not_depend_on_our_source_files(tmp_path):
    lay_out(tmp_path / "new")

    stages = yaml.safe_load((tmp_path / "new" / "dvc.yaml").read_text())["stages"]
    assert [dep for stage in stages.values() for dep in stage["deps"] if dep.startswith("flows")] == []


def test_a_folder_with_content_is_left_alone(tmp_path):
    (tmp_path / "mine.txt").write_text("precious")

    with pytest.raises(UsageError, match="not an empty folder"):
        lay_out(tmp_path)

    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]

"""`llmops doctor`: a finding for every fault, a remedy for every finding, a crash for none."""

import pytest

from flows.cli.init import lay_out
from flows.cli.main import main


@pytest.fixture
def folder(tmp_path):
    lay_out(tmp_path / "new")
    return tmp_path / "new"


def test_a_sound_project_has_nothing_to_mend(folder, capsys):
    assert main(["--project", str(folder), "doctor"]) == 0

    text = " ".join(capsys.readouterr().out.split())
    assert "Nothing to mend." in text
    assert "it extracts, it does not generate" in text


def test_a_broken_params_file_is_a_finding(folder, capsys):
    (folder / "params.yaml").write_text("ingest: {nonsense: 1}\n")

    assert main(["--project", str(folder), "doctor"]) == 1
    assert "mend project: params.yaml has 1 wrong value(s)" in capsys.readouterr().out


def test_a_provider_that_is_down_is_a_finding_that_names_no_key(folder, monkeypatch, capsys):
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-canary")

    assert main(["--project", str(folder), "doctor"]) == 1

    text = capsys.readouterr().out
    assert "mend provider answers: start it" in text
    assert "canary" not in text

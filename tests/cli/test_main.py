"""The command line: it teaches, it suggests, and every error ends with its class's exit code."""

import subprocess
import sys
from pathlib import Path

import pytest

from flows.cli.main import main
from flows.cli.run import chosen_stages
from flows.core.errors import InputError, UsageError
from flows.core.project import STAGES
from tests.conftest import ROOT


def test_help_teaches_the_verbs(capsys):
    with pytest.raises(SystemExit) as done:
        main(["--help"])

    text = capsys.readouterr().out
    assert done.value.code == 0
    assert all(f"\n    {verb} " in text for verb in (*STAGES, "run", "ask", "index", "doctor", "init"))


@pytest.mark.parametrize("stage", STAGES)
def test_every_stage_explains_itself(stage, capsys):
    with pytest.raises(SystemExit):
        main([stage, "--help"])

    assert "--force" in capsys.readouterr().out


def test_a_mistyped_command_gets_the_nearest_one(capsys):
    assert main(["evalute"]) == 2
    assert "unknown command 'evalute'. Did you mean 'evaluate'?" in capsys.readouterr().err


def test_a_missing_project_says_how_to_make_one(tmp_path, capsys):
    assert main(["--project", str(tmp_path), "ingest"]) == 66
    assert "llmops init DIR" in capsys.readouterr().err


def test_wrong_params_are_named_before_any_work(project, capsys):
    project.params_file.write_text("ingest: {chunk_token_max: 5}\n")

    assert main(["--project", str(project.root), "ingest"]) == 2
    assert "ingest.chunk_token_max: this key does not exist. Did you mean" in capsys.readouterr().err
    assert not project.data("ingest").exists()


def test_a_wrong_environment_is_named(project, monkeypatch, capsys):
    monkeypatch.setenv("OPENAI_BASE_URL", "http://example.com/v1")

    assert main(["--project", str(project.root), "run"]) == 2
    assert "OPENAI_BASE_URL" in capsys.readouterr().err


def test_stages_are_chosen_in_dag_order():
    assert chosen_stages("embed, ingest") == ["ingest", "embed"]
    assert chosen_stages(None) == list(STAGES)


def test_an_unknown_stage_is_refused():
    with pytest.raises(UsageError, match=r"'embedd' is no stage\. Did you mean 'embed'"):
        chosen_stages("ingest,embedd")


def test_the_module_runs_as_a_program():
    done = subprocess.run([sys.executable, "-m", "flows.cli.main", "nothing"], capture_output=True, text=True)

    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def test_the_exit_code_tells_where_standard_error_is_on_a_full_disk(tmp_path):
    with Path("/dev/full").open("w") as full:
        command = [sys.executable, "-m", "flows.cli.main", "--project", str(tmp_path), "ingest"]
        assert subprocess.run(command, cwd=ROOT, stderr=full, check=False).returncode == InputError.exit_code

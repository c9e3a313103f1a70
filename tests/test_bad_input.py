"""What people get wrong: each time a clear error with its exit code, and nothing half-written."""

import pytest

from flows.cli.init import lay_out
from flows.cli.main import main

PAGE = "# Returns\n\nA return is a parcel that a customer sends back. Returns are accepted within 30 days.\n"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A laid-out project with one document."""
    monkeypatch.setenv("LLMOPS_VERSIONING", "off")
    lay_out(tmp_path / "p")
    (tmp_path / "p" / "data" / "sources" / "returns.md").write_text(PAGE)
    return tmp_path / "p"


def run(folder, *args):
    return main(["--project", str(folder), *args])


def test_an_empty_corpus_publishes_nothing(folder, capsys):
    (folder / "data" / "sources" / "returns.md").unlink()

    assert run(folder, "run") == 66
    assert "no document came out of" in capsys.readouterr().err
    assert not (folder / "data" / "ingest" / "documents.parquet").exists()


def test_a_missing_source_folder_is_named(folder, capsys):
    text = (folder / "params.yaml").read_text()
    (folder / "params.yaml").write_text(text.replace("uri: data/sources", "uri: data/absent"))

    assert run(folder, "ingest") == 66
    assert "data/absent" in capsys.readouterr().err


def test_a_stage_without_its_inputs_says_what_to_run(folder, capsys):
    assert run(folder, "embed") == 66
    assert "llmops run --stages ingest,embed" in capsys.readouterr().err


@pytest.mark.slow
def test_an_undeclared_variable_in_a_prompt_stops_before_any_call(folder, capsys):
    prompt = folder / "data" / "prompts" / "answer.md"
    prompt.write_text(prompt.read_text().replace("{{ question }}", "{{ qestion }}"))

    assert run(folder, "run") == 2
    error = capsys.readouterr().err
    assert "answer.md" in error
    assert "qestion" in error
    assert not (folder / "data" / "evaluate" / "verdict.json").exists()


def test_a_section_that_is_a_list_is_refused(folder, capsys):
    (folder / "params.yaml").write_text("- ingest\n")

    assert run(folder, "run") == 2
    assert "must hold named sections, found list" in capsys.readouterr().err


def test_an_unwritable_state_is_an_error_and_no_traceback(folder, capsys):
    (folder / ".llmops").write_text("a file where the state folder belongs")

    assert run(folder, "ingest") == 74
    assert "Check free space, permissions and the path" in capsys.readouterr().err

"""The verbs of `llmops release`, as the command line calls them."""

import argparse

import pytest

from flows.core.errors import GateError
from flows.rag.release import production_release
from flows.release import commands


@pytest.fixture
def llmops(project):
    parser = argparse.ArgumentParser()
    commands.add_to(parser.add_subparsers())

    def llmops(*words):
        options = parser.parse_args(words)
        options.project = str(project.root)
        return options.handler(options)

    return llmops


def test_status_names_releases_and_decisions(llmops, promoted, capsys):
    first, second = promoted(1, 2)
    assert llmops("status") == 0
    said = capsys.readouterr().out
    assert f"{second}  production since 2026-11-01T12:00:" in said
    assert f"{first}  retired since" in said
    assert f"promote {second[:12]} (the gate passed)" in said
    assert "code differs" not in said


def test_status_of_an_empty_project_says_what_to_run(llmops, capsys):
    llmops("status")
    assert "llmops run" in capsys.readouterr().out


def test_roll_back_promote_and_verify(project, llmops, promoted, capsys):
    first, second = promoted(1, 2)
    assert llmops("roll-back", "--why", "worse") == 0
    assert production_release(project).release_id == first
    assert llmops("promote", second[:8], "--why", "it was the network") == 0
    assert production_release(project).release_id == second
    assert llmops("verify") == 0
    assert "6 decision(s) and 2 release(s)" in capsys.readouterr().out


def test_there_is_no_option_that_skips_the_gate(project, llmops, evaluation, capsys):
    release_id = evaluation.says(1, "fail")
    with pytest.raises(GateError):
        llmops("promote", release_id, "--why", "please")
    for option in ("--force", "--yes", "--skip-gate"):
        with pytest.raises(SystemExit):
            llmops("promote", release_id, "--why", "please", option)
    assert production_release(project) is None


@pytest.mark.parametrize("verb", [("promote", "abc"), ("roll-back",)])
def test_a_reason_is_demanded(llmops, verb, capsys):
    with pytest.raises(SystemExit):
        llmops(*verb)
    assert "--why" in capsys.readouterr().err

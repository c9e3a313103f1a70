"""`llmops doctor`: a finding for every fault, a remedy for every finding, a crash for none."""

import shlex
import subprocess
import sys

import pytest

from flows.cli.init import lay_out
from flows.cli.main import main
from tests.conftest import ROOT


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


@pytest.mark.slow
def test_where_the_kernel_refuses_parsers_a_network_namespace_the_doctor_says_what_that_means(folder):
    words = shlex.join([sys.executable, "-m", "flows.cli.main", "--project", str(folder), "doctor"])
    refused = ["unshare", "-Ur", "sh", "-c", f"echo 0 > /proc/sys/user/max_net_namespaces && exec {words}"]
    if subprocess.run(["unshare", "-Ur", "true"], check=False, capture_output=True).returncode:
        pytest.skip("a refusal is made by a user namespace, which this kernel or container forbids")
    done = subprocess.run(refused, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    text = " ".join(done.stdout.split())
    assert done.returncode == 0, done.stdout + done.stderr
    assert "gives them no network namespace: their Python code has no network, their native code" in text

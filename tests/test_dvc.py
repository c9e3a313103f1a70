"""Prefect runs, DVC records: the contract both ways, and what analysts do from a clone."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from flows.cli.init import lay_out
from flows.core.project import STAGES

pytestmark = pytest.mark.slow

PAGE = """# Returns

A return is a parcel that a customer sends back. Returns are accepted within 30 days of delivery.

## Refunds

A refund is paid to the original payment method within five working days. Gift cards cannot be refunded.
"""


def shell(folder, *args, ok=True):
    env = os.environ | {"DVC_NO_ANALYTICS": "1", "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    done = subprocess.run(args, cwd=folder, env=env, capture_output=True, text=True, timeout=600)
    assert not ok or done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def llmops(folder, *args):
    return shell(folder, sys.executable, "-m", "flows.cli.main", *args)


def dvc(folder, *args):
    return shell(folder, sys.executable, "-m", "dvc", *args)


def commit(folder, message):
    shell(folder, "git", "add", "-A")
    shell(folder, "git", "-c", "user.name=t", "-c", "user.email=t@example.com", "commit", "-q", "-m", message)


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """A versioned project after `llmops run` and a git commit."""
    root = tmp_path_factory.mktemp("dvc") / "project"
    lay_out(root)
    (root / "data" / "sources" / "returns.md").write_text(PAGE)
    shell(root, "git", "init", "-q")
    dvc(root, "init", "-q")
    llmops(root, "run")
    commit(root, "first run")
    return root


def test_after_the_flows_dvc_has_nothing_to_do(ran):
    assert json.loads(dvc(ran, "status", "--json")) == {}
    assert "up to date" in dvc(ran, "repro", "--dry")


def test_after_dvc_repro_the_flows_have_nothing_to_do(ran, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(ran, copy, symlinks=True)
    (copy / "data" / "sources" / "shipping.md").write_text("# Shipping\n\nShipping is free above 50 euros of goods.\n")

    dvc(copy, "repro")

    summary = llmops(copy, "run", "--stages", "ingest,embed,testset,evaluate,forecast,report")
    assert summary.count("nothing to do") == 6
    assert json.loads(dvc(copy, "status", "--json")) == {}


def test_a_second_run_does_nothing(ran):
    output = llmops(ran, "run")

    assert output.count("nothing to do") == len(STAGES)
    assert "Nothing changed" in output


def test_an_analyst_gets_an_artifact_of_a_revision_from_a_clone(ran, tmp_path):
    shell(tmp_path, "git", "clone", "-q", str(ran), "clone")

    dvc(tmp_path, "get", str(ran), "data/evaluate/scores.parquet", "--rev", "HEAD", "-o", str(tmp_path / "s.parquet"))
    dvc(tmp_path, "get", str(ran), "data/embed/lancedb", "--rev", "HEAD", "-o", str(tmp_path / "lancedb"))

    assert (tmp_path / "s.parquet").stat().st_size > 0
    assert (tmp_path / "lancedb" / "chunks.lance").is_dir()


def test_metrics_are_compared_between_revisions(ran, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(ran, copy, symlinks=True)
    (copy / "data" / "sources" / "shipping.md").write_text("# Shipping\n\nShipping is free above 50 euros of goods.\n")
    llmops(copy, "run", "--stages", "ingest")

    changed = json.loads(dvc(copy, "metrics", "diff", "--json"))

    assert changed["data/ingest/balance.json"]["documents"]["new"] == 2

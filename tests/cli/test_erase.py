"""`llmops erase`: on a whole project under DVC with a remote, a scan of every byte finds nothing afterwards."""

import json
import subprocess
import sys

import pandas as pd
import pytest
import yaml

from flows.cli.init import lay_out
from flows.cli.main import main
from flows.core.project import Project
from flows.index.manifest import kept_manifests, published

SECRET = """# Complaint of Mrs Lindenhofer

Mrs Aurelia Lindenhofer of Quittengasse complained on the fourth of May about a late delivery of garden herons.
Her customer number is LEAKCANARY-77312 and she asked that the herons be collected from her terrace.

## Settlement

The support team granted Mrs Lindenhofer a refund of eighty francs. It was paid for the herons within nine days.
"""
NEEDLES = ("Lindenhofer", "LEAKCANARY-77312", "Quittengasse", "eighty francs", "garden herons")
OTHERS = {
    "gate": "# Gate\n\nThe main gate opens at nine in the morning. It closes at six in the evening on weekdays.",
    "store": "# Store\n\nThe dry store is kept at five degrees. Seeds stay in the dry store for eighteen months.",
    "staff": "# Staff\n\nThe head gardener plans the work of the week on Monday. Two apprentices help him all year.",
}
FAST = {"provider": {"embedding_model": "local-hash-384"}, "embed": {"recall_queries": 5, "recall_texts": 2}}


def llmops(project, *words):
    return main(["--project", str(project.root), *words])


@pytest.fixture
def project(tmp_path):
    """A project with three public documents; the hash embedder keeps it quick."""
    root = tmp_path / "project"
    lay_out(root)
    params = yaml.safe_load((root / "params.yaml").read_text())
    merged = {name: values | FAST.get(name, {}) for name, values in params.items()}
    (root / "params.yaml").write_text(yaml.safe_dump(merged))
    for name, text in OTHERS.items():
        (root / "data" / "sources" / f"{name}.md").write_text(text)
    return Project.open(root)


def dvc(project, *words):
    command = [sys.executable, "-m", "dvc", *words]
    return subprocess.run(command, cwd=project.root, check=True, capture_output=True, text=True).stdout


def use_dvc(project):
    """Put the project under git and DVC with a remote beside it."""
    subprocess.run(["git", "init", "-q", "."], cwd=project.root, check=True)
    dvc(project, "init", "-q")
    dvc(project, "remote", "add", "-q", "-d", "near", str(project.root.parent / "remote"))


def plant(project):
    """Leave the document wherever a project may keep it."""
    place = project.data("sources", "heron.md")
    place.write_text(SECRET)
    assert llmops(project, "run") == 0
    assert llmops(project, "ask", "How much was refunded for the garden herons?") == 0
    place.write_text(SECRET.replace("May", "June"))
    assert llmops(project, "run", "--stages", "ingest,embed,testset") == 0
    examples = [{"messages": [{"role": "user", "content": text}]} for text in (SECRET, OTHERS["gate"])]
    training = project.data("retrain", "training.jsonl")
    training.write_text("".join(json.dumps(item) + "\n" for item in examples))


def scan(shared_data, *places):
    """Return where the needles are found, in all forms that the scanner knows."""
    tool = shared_data.parent / "faults" / "leakscan.py"
    needles = [word for needle in NEEDLES for word in ("--needle", needle)]
    command = [sys.executable, str(tool), *needles, *map(str, places)]
    done = subprocess.run(command, capture_output=True, text=True)
    return {json.loads(line)["where"].split(":")[0] for line in done.stdout.splitlines()}


def named_as_parquet(store, target):
    """Copy a store's Parquet objects under names by which the scanner knows them."""
    target.mkdir(parents=True)
    for path in (path for path in store.rglob("*") if path.is_file() and path.read_bytes()[:4] == b"PAR1"):
        (target / f"{path.parent.name}{path.name}.parquet").write_bytes(path.read_bytes())
    return target


@pytest.mark.slow
@pytest.mark.shared_data
def test_nothing_is_left_of_an_erased_document_in_project_cache_and_remote(project, shared_data, tmp_path, capsys):
    use_dvc(project)
    plant(project)
    dvc(project, "push", "-q")
    remote, registered = tmp_path / "remote", [path.stem for path in project.data("release", "releases").iterdir()]
    before = scan(shared_data, project.root, remote, named_as_parquet(remote, tmp_path / "before"))
    for part in ("data/sources", "data/embed", "data/calls", "data/retrain", ".dvc/cache", "remote/files", "before/"):
        assert any(part in place for place in before), part

    assert llmops(project, "erase", "heron.md") == 0
    assert "Nothing was removed" in capsys.readouterr().out
    assert scan(shared_data, project.root, remote) == {place for place in before if "before/" not in place}

    assert llmops(project, "erase", "heron.md", "--yes", "--prove") == 0
    said = capsys.readouterr().out
    assert "delete the uploaded file and the model at the provider" in said
    stores = [named_as_parquet(place, tmp_path / "after" / place.name) for place in (remote, project.root / ".dvc")]
    assert scan(shared_data, project.root, remote, *stores) == set()

    [certificate] = project.data("release", "erasures").glob("*.json")
    assert llmops(project, "erase", "--verify", str(certificate)) == 0
    found = json.loads(certificate.read_text())
    assert (found["proof"]["found"], found["releases"]) == (0, registered)
    assert llmops(project, "release", "verify") == 0
    assert llmops(project, "index", "verify") == 0
    assert llmops(project, "release", "status") == 0
    assert "erase" in capsys.readouterr().out

    assert llmops(project, "ask", "When does the main gate open?") == 0
    assert "nine in the morning" in capsys.readouterr().out
    assert llmops(project, "run") == 0
    assert json.loads(project.data("evaluate", "candidate.json").read_text())["release_id"] not in registered
    assert "up to date" in dvc(project, "status")
    dvc(project, "push", "-q")
    assert scan(shared_data, project.root, remote) == set()


@pytest.mark.slow
def test_without_dvc_only_the_document_goes_and_the_past_can_be_asked(project, capsys):
    plant(project)
    rows = pd.read_parquet(project.data("ingest", "documents.parquet")).set_index("source_uri")
    tags = [item.tag for item in kept_manifests(project)]

    assert llmops(project, "erase", rows.loc["heron.md", "document_id"][:8], "--yes", "--prove") == 0

    left = pd.read_parquet(project.data("ingest", "documents.parquet")).set_index("source_uri")
    assert left.equals(rows.drop("heron.md"))
    assert set(tags) < {item.tag for item in kept_manifests(project)} | {published(project).tag}
    capsys.readouterr()
    assert llmops(project, "ask", "When does the main gate open?", "--index-version", tags[0]) == 0
    assert "nine in the morning" in capsys.readouterr().out
    assert llmops(project, "erase", "heron.md", "--yes") == 66
    assert "there is no document 'heron.md'" in capsys.readouterr().err


@pytest.mark.slow
def test_a_source_under_git_is_named_because_its_history_stays(project, capsys):
    use_dvc(project)
    project.data("sources", "heron.md").write_text(SECRET)
    author = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    for words in (["add", "-f", "data/sources/heron.md"], [*author, "commit", "-q", "-m", "x"]):
        subprocess.run(["git", *words], cwd=project.root, check=True)
    assert llmops(project, "run", "--stages", "ingest") == 0
    assert llmops(project, "erase", "heron.md") == 0
    assert "tracked by git: its history keeps every version" in capsys.readouterr().out


def test_a_document_that_is_not_there_gets_the_nearest_name(project, capsys):
    assert llmops(project, "erase", "store.mdd") == 66
    assert "no document 'store.mdd'" in capsys.readouterr().err
    assert llmops(project, "erase") == 2

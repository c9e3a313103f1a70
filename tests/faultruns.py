"""What the fault tests share: a small project of real files, one command for ingest and embed, what it must come to."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from flows.core.project import Project
from flows.embed import stage as embed
from flows.index.store import open_index
from flows.index.verify import verify_index
from flows.ingest import stage as ingest
from tests.conftest import NOW, ROOT

PARAMS = {
    "ingest": {"parser_processes": 1},
    "provider": {"embedding_model": "local-hash-384"},
    "embed": {"recall_queries": 3, "recall_texts": 3},
}
FOLDERS = ("sops", "policies", "inbox")  # of the sample project's handbook: Markdown, PDF, DOCX, and what is refused
TABLES = ("documents", "chunks", "quarantine")
RUN = """
import sys
from flows.core.main import guarded
from flows.core.settings import silence_telemetry
silence_telemetry()
from tests.faultruns import both
sys.exit(guarded(lambda: both(sys.argv[1]) and 0))
"""


def lay_out(root: Path) -> Project:
    """A project over a part of the sample handbook."""
    for folder in FOLDERS:
        shutil.copytree(ROOT / "data" / "sources" / "handbook" / folder, root / "data" / "sources" / folder)
    (root / "params.yaml").write_text(yaml.safe_dump(PARAMS))
    return Project.open(root)


def change(project: Project) -> None:
    """Change, add, move and delete a document, and break one so that its last good version stays."""
    sops = project.data("sources", "sops")
    (sops / "provider-change.md").write_text(
        "# Provider change\n\nThe provider is changed by the gate and by nobody else.\n"
    )
    (sops / "new.md").write_text("# New\n\nThis page was not there when the index was first published.\n")
    (sops / "prompt-injection.md").rename(sops / "moved.md")
    (sops / "erasure-request.docx").write_bytes(b"PK\x03\x04 cut")
    project.data("sources", "policies", "redaction-example.md").unlink()


def begun(root: Path, *, update: bool) -> tuple[Project, object]:
    """A project whose next run publishes first, or updates; and the rows that are live before it, None = no index."""
    project = lay_out(root)
    if not update:
        return project, None
    both(project.root)
    live = rows(project)
    change(project)
    return project, live


def both(root: str | Path) -> list[str]:
    """Run ingest and embed at a fixed time; return their summaries."""
    return [stage.run(str(root), clock=lambda: NOW).summary for stage in (ingest, embed)]


def command(root: str | Path) -> list[str]:
    """The same in a process of its own."""
    return [sys.executable, "-c", RUN, str(root)]


def run(root: str | Path, *prefix: object, timeout_s: float = 120) -> subprocess.CompletedProcess[str]:
    """Run the command to its end, behind a prefix such as an injector with its options."""
    words = [*map(str, prefix), *command(root)]
    return subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=timeout_s, check=False)


def contents(project: Project) -> dict[str, object]:
    """Everything that a run publishes: the bytes of the tables, and the rows of the index with their vectors."""
    tables = {name: project.data("ingest", f"{name}.parquet").read_bytes() for name in TABLES}
    names = sorted(path.name for path in project.data("ingest").iterdir())
    return tables | {"names": names, "rows": rows(project)}


def rows(project: Project) -> list[dict[str, object]]:
    """The rows of the published index with their vectors, by id; every byte of it is verified."""
    assert verify_index(project) == []
    found = open_index(project).everything().to_pylist()
    return sorted((row | {"vector": tuple(row["vector"])} for row in found), key=lambda row: row["chunk_id"])


def injector(shared_data: Path, name: str) -> Path:
    """The path of a fault injector beside the data sets, or a reason to skip."""
    path = shared_data.parent / "faults" / name
    if not path.is_file():
        pytest.skip(f"the fault injector is not at {path}")
    return path

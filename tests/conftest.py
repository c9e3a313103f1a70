"""What every test shares: a clean environment, an empty project, and the public data if it is there."""

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import settings

from flows.core.project import Project

ROOT = Path(__file__).resolve().parents[1]
NOW = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)

settings.register_profile("untimed", deadline=None)  # nothing in the tests is timed
settings.load_profile("untimed")

for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "PREFECT_API_URL", "LLMOPS_VERSIONING", "LLMOPS_CRASH_AT"):
    os.environ.pop(name, None)


@pytest.fixture
def now():
    """A fixed moment; nothing in the tests reads the clock."""
    return NOW


@pytest.fixture
def project(tmp_path):
    """An empty project in a temporary folder."""
    (tmp_path / "params.yaml").write_text("ingest: {}\n")
    return Project.open(tmp_path)


@pytest.fixture(scope="session")
def shared_data():
    """The folder of public data sets beside the checkout; see CONTRIBUTING."""
    folder = Path(os.environ.get("LLMOPS_SHARED_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"the public data sets are not at {folder}; set LLMOPS_SHARED_DATA")
    return folder

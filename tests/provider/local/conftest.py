"""The neural embedder is built once for all tests: the first build writes a 90 MB graph."""

from pathlib import Path

import pytest

from flows.provider.local.minilm import MiniLm


@pytest.fixture(scope="session")
def model_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache folder shared by every MiniLM of this test run."""
    return tmp_path_factory.mktemp("models")


@pytest.fixture(scope="session")
def minilm(model_cache: Path) -> MiniLm:
    """The default embedder, loaded at first use."""
    return MiniLm(model_cache, threads=1)

"""The neural embedder is built once for all tests: the first build writes a 90 MB graph."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from openai import OpenAI

from flows.provider.local.hashing import HashEmbedder
from flows.provider.local.minilm import MiniLm
from flows.provider.local.server import running


@pytest.fixture(scope="session")
def model_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache folder shared by every MiniLM of this test run."""
    return tmp_path_factory.mktemp("models")


@pytest.fixture(scope="session")
def minilm(model_cache: Path) -> MiniLm:
    """The default embedder, loaded at first use."""
    return MiniLm(model_cache, threads=1)


@pytest.fixture(scope="session")
def state_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the shared server of this test run keeps its files and jobs."""
    return tmp_path_factory.mktemp("provider")


@pytest.fixture(scope="session")
def base_url(state_dir: Path) -> Iterator[str]:
    """A real server on loopback, with the hash embedder in MiniLM's place."""
    with running(state_dir, threads=1, embedder=HashEmbedder) as url:
        yield url


@pytest.fixture(scope="session")
def client(base_url: str) -> Iterator[OpenAI]:
    """The unmodified SDK against the shared server."""
    with OpenAI(base_url=base_url, api_key="any", max_retries=0, timeout=20) as sdk:
        yield sdk

"""What the provider's tests share: the fake server, and a project that asks it."""

import importlib.util
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

from flows.core.project import Project
from flows.core.settings import Settings
from flows.provider.client import CallTags, ChatRequest, Message, open_provider

KEY = "sk-test-0123456789abcdef"
PRICE = {
    "provider": "127.0.0.1",
    "valid_from": "2020-01-01",
    "source": "made up for tests",
    "read_on": "2026-01-01",
}
FAST = {"chat_model": "fake-chat", "embedding_model": "fake-embed", "backoff_base_s": 0.01, "backoff_max_s": 0.02}


def load_fake():
    """Import the fake by its path: tests are no package."""
    if "fake_openai" not in sys.modules:
        spec = importlib.util.spec_from_file_location("fake_openai", Path(__file__).with_name("fake_openai.py"))
        module = importlib.util.module_from_spec(spec)
        sys.modules["fake_openai"] = module
        spec.loader.exec_module(module)
    return sys.modules["fake_openai"]


load_fake()


class World:
    """A project, the fake provider, and a way to open the one on the other."""

    def __init__(self, project: Project, fake) -> None:
        self.project, self.fake, self.key = project, fake, KEY

    def params(self, **values) -> None:
        self.project.params_file.write_text(yaml.safe_dump({"provider": FAST | {"allow_unpriced": True} | values}))

    def price(self, usd_per_mtok: float, *models: str) -> None:
        rows = [
            PRICE | {"model": model, "token_type": kind, "usd_per_mtok": usd_per_mtok}
            for model in models or ("fake-chat", "fake-embed")
            for kind in ("input", "output")
        ]
        self.project.data("prices").mkdir(parents=True, exist_ok=True)
        self.project.data("prices", "own.yaml").write_text(yaml.safe_dump({"prices": rows}))

    @contextmanager
    def open(self, **options):
        settings = Settings(openai_base_url=self.fake.base_url, openai_api_key=KEY)
        with open_provider(self.project, use_case="evaluation", settings=settings, **options) as provider:
            yield provider


@pytest.fixture
def world(project):
    """An empty project whose hosted provider is the fake."""
    with load_fake().FakeOpenAI() as fake:
        made = World(project, fake)
        made.params()
        yield made


@pytest.fixture
def ask():
    """Make a chat request from a question."""

    def make(question: str = "What changed?", **values) -> ChatRequest:
        tags = values.pop("tags", CallTags("answer", prompt_id="answer@0123456789ab", metadata={"why": "test"}))
        return ChatRequest((Message("user", question),), tags, **values)

    return make

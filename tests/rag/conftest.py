"""A project with two small prompts, and releases built from it."""

import pytest

from flows.rag.params import RagParams
from flows.rag.release import build_candidate
from tests.fakes import MemoryIndex, ScriptedProvider

ANSWER = """---
name: answer
description: Answer from chunks.
variables: [context, question]
output: answer
---
# system
Answer from the chunks.
# user
{{ context }}
<question>{{ question }}</question>
"""
REWRITE = """---
name: rewrite
description: Let a question stand alone.
variables: [history, question]
output: rewrite
---
# user
<history>{{ history }}</history><question>{{ question }}</question>
"""
TEXTS = (
    "The dry store is kept at five degrees. Seeds stay in it for eighteen months.",
    "The cold store is kept at minus twenty degrees. Seeds stay in it for twelve years.",
    "Visitors register at the gate.",
)


@pytest.fixture
def prompts(project):
    """The project's folder of prompts, filled."""
    folder = project.data("prompts")
    folder.mkdir(parents=True)
    (folder / "answer.md").write_text(ANSWER)
    (folder / "rewrite.md").write_text(REWRITE)
    return folder


@pytest.fixture
def index():
    return MemoryIndex(TEXTS)


@pytest.fixture
def build(project, prompts, index):
    """Return a function that builds a release from params."""

    def build(**params):
        provider = ScriptedProvider()
        return build_candidate(
            project,
            chat_model=params.pop("chat_model", provider.chat_model),
            fingerprint=provider.fingerprint(),
            index=index.manifest,
            params=RagParams(**params),
        )

    return build

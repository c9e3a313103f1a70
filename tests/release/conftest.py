"""A project whose index is published and whose evaluation can be made to say anything."""

from datetime import timedelta

import pytest

from flows.core.files import write_json
from flows.index.manifest import publish
from flows.rag.params import RagParams
from flows.rag.release import build_candidate
from flows.release import stage
from tests.fakes import MemoryIndex, ScriptedProvider

PROMPT = """---
name: answer
description: Answer from chunks.
variables: [context, question]
output: answer
---
# user
{{ context }}<question>{{ question }}</question>
"""


class Evaluation:
    """Writes what `evaluate` would: a candidate, told apart by its seed, and a verdict on it."""

    def __init__(self, project):
        self.project = project
        self.index = MemoryIndex(["one text"]).manifest
        publish(project, self.index)
        folder = project.data("prompts")
        folder.mkdir(parents=True)
        (folder / "answer.md").write_text(PROMPT)

    def candidate(self, seed):
        provider = ScriptedProvider()
        return build_candidate(
            self.project, chat_model="m", fingerprint=provider.fingerprint(), index=self.index,
            params=RagParams(seed=seed),
        )  # fmt: skip

    def says(self, seed, verdict="pass", baseline=None, about=None):
        manifest = self.candidate(seed)
        write_json(stage.candidate_path(self.project), manifest.to_json())
        values = {"release_id": about or manifest.release_id, "baseline_release_id": baseline, "verdict": verdict}
        write_json(stage.verdict_path(self.project), values)
        return manifest.release_id


@pytest.fixture
def evaluation(project):
    return Evaluation(project)


@pytest.fixture
def clock(now):
    """A clock that moves on by a second whenever it is read."""
    moments = (now + timedelta(seconds=count) for count in range(10_000))
    return lambda: next(moments)


@pytest.fixture
def release(project, clock):
    """Run the stage."""

    def release(**options):
        return stage.run(project.root, clock=clock, **options)

    return release


@pytest.fixture
def promoted(evaluation, release):
    """Evaluate and promote candidates in turn; return their ids."""

    def promoted(*seeds):
        ids = []
        for seed in seeds:
            ids.append(evaluation.says(seed, baseline=ids[-1] if ids else None))
            release()
        return ids

    return promoted

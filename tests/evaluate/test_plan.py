import json

import pytest

from flows.core.errors import InputError, ParamsError
from flows.evaluate import stage
from flows.evaluate.plan import baseline_of

CANDIDATE, PRODUCTION, OLDER = "a" * 32, "b" * 32, "c" * 32
PROMPT = """---
name: answer
description: Answer from chunks.
variables: [context, question]
output: answer
---
# system
Answer.
# user
<context>
{{ context }}
</context>
<question>{{ question }}</question>
"""


def point_at(project, release_id, previous=None):
    path = project.data("release", "current.json")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"release_id": release_id, "previous": previous}))


def test_the_baseline_is_what_is_in_production(project):
    assert baseline_of(project, CANDIDATE) is None
    point_at(project, PRODUCTION, OLDER)
    assert baseline_of(project, CANDIDATE) == PRODUCTION


def test_a_candidate_in_production_is_compared_with_the_one_before_it(project):
    point_at(project, CANDIDATE, OLDER)
    assert baseline_of(project, CANDIDATE) == OLDER
    point_at(project, CANDIDATE)
    assert baseline_of(project, CANDIDATE) is None


def test_without_questions_and_index_the_error_names_the_stages_to_run(project):
    (project.data("prompts")).mkdir(parents=True)
    project.data("prompts", "answer.md").write_text(PROMPT)
    with pytest.raises(InputError, match=r"llmops run --stages .*testset.*,evaluate"):
        stage.run(str(project.root))


def test_a_missing_prompt_is_named(project):
    with pytest.raises(ParamsError, match="answer"):
        stage.run(str(project.root))

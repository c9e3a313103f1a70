"""The stage in looks: a clear answer ends it early, an unclear one is asked to the end, nothing is paid twice."""

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest

from flows.core.contracts import ANSWERS
from flows.core.errors import BudgetError
from flows.core.project import Project
from flows.core.tables import read_table
from flows.evaluate import stage
from flows.rag.release import manifest_path
from flows.stats.sequential import look_levels

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[2]
PARAMS = """
testset: {questions_per_type: {simple: 40, complex: 10, distracting: 0, unanswerable: 10}}
evaluate: {guardrails: {}, gated_metrics: [groundedness], early_looks: true}
"""
UNCLEAR = PARAMS.replace("early_looks: true", "early_looks: true, margins: {groundedness: 0.001}") + "rag: {seed: 7}\n"


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A project over a part of the handbook, evaluated once, with that release in production."""
    from flows.embed import stage as embed
    from flows.ingest import stage as ingest
    from flows.testset import stage as testset

    root = tmp_path_factory.mktemp("looks")
    (root / "params.yaml").write_text(PARAMS)
    for part in ("concepts", "stages"):
        shutil.copytree(ROOT / "data" / "sources" / "handbook" / part, root / "data" / "sources" / part)
    shutil.copytree(ROOT / "data" / "prompts", root / "data" / "prompts")
    for earlier in (ingest, embed, testset, stage):
        earlier.run(str(root))
    made = Project.open(root)
    candidate = json.loads(made.data("evaluate", "candidate.json").read_text())
    registered = manifest_path(made, candidate["release_id"])
    registered.parent.mkdir(parents=True)
    registered.write_text(json.dumps(candidate))
    pointer = {"release_id": candidate["release_id"], "previous": None}
    made.data("release", "current.json").write_text(json.dumps(pointer))
    return made


def judged(project, text):
    project.params_file.write_text(text)
    record = stage.run(str(project.root))
    answers = read_table(project.data("evaluate", "answers.parquet"), ANSWERS, remedy="-")
    return record, verdict(project), answers


def verdict(project):
    return json.loads(project.data("evaluate", "verdict.json").read_text())


def live_questions(project):
    questions = pd.read_parquet(project.data("testset", "questions.parquet"))
    return questions[~questions["stale"]]


def test_a_much_worse_model_fails_early_and_the_rest_is_not_asked(project):
    every = len(live_questions(project))
    record, found, answers = judged(project, PARAMS + "provider: {chat_model: local-lexical-1}\n")

    assert found["verdict"] == "fail"
    assert found["alpha"] < look_levels()[-1]
    assert len(answers) == found["n_questions"] < every
    assert any("was clear" in note and f"of {every} questions were not asked" in note for note in record.notes)
    assert not stage.run(str(project.root)).did_work


def test_what_stays_unclear_is_asked_to_the_end(project):
    """Only the release's name changed, and so small a margin cannot be cleared."""
    record, found, answers = judged(project, UNCLEAR)

    assert found["verdict"] == "inconclusive"
    assert found["alpha"] == pytest.approx(look_levels()[-1])
    assert len(answers) == found["n_questions"] == len(live_questions(project))
    assert found["evidence"]["best"] is not None
    assert not any("was clear" in note for note in record.notes)


def test_when_the_money_ends_the_last_look_is_judged_and_the_next_one_is_priced(project):
    project.params_file.write_text(UNCLEAR)
    todo, asked, notes = stage.plan(str(project.root), force=True), [], []

    def ask(part):
        """Everything is answered already; the second look finds no money."""
        asked.append(part)
        if len(asked) == 2:
            raise BudgetError("spent")

    stage._ask_in_looks(str(project.root), todo, live_questions(project), ask, notes)
    stage.score(str(project.root), todo)
    stage.decide(str(project.root), todo)

    assert "The money did not suffice for look 2 of 4" in notes[0]
    assert verdict(project)["n_questions"] == len(asked[0])
    assert verdict(project)["alpha"] == pytest.approx(look_levels()[0])
    assert "Going on to look" in verdict(project)["paragraph"]


def test_without_money_for_the_first_look_there_is_no_verdict(project):
    def ask(_part):
        raise BudgetError("spent")

    todo = stage.plan(str(project.root), force=True)
    with pytest.raises(BudgetError):
        stage._ask_in_looks(str(project.root), todo, live_questions(project), ask, [])

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
from flows.evaluate.desk import Both
from flows.stats.sequential import look_levels
from tests.evaluate.production import promote

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
    promote(made)
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
    _record, found, answers = judged(project, PARAMS + "provider: {chat_model: local-lexical-1}\n")

    assert found["verdict"] == "fail"
    assert found["alpha"] < look_levels()[-1]
    assert len(answers) == found["n_questions"] < every
    assert "was clear, which saves" in found["paragraph"]
    assert found["looks"]["answers_saved"] == every - found["n_questions"] == every - len(answers)
    assert not stage.run(str(project.root)).did_work


def test_what_stays_unclear_is_asked_to_the_end(project):
    """Only the release's name changed, and so small a margin cannot be cleared."""
    _record, found, answers = judged(project, UNCLEAR)

    assert found["verdict"] == "inconclusive"
    assert found["alpha"] == pytest.approx(look_levels()[-1])
    assert len(answers) == found["n_questions"] == len(live_questions(project))
    assert found["evidence"]["best"] is not None
    assert found["looks"]["stopped"] == "end"


def test_when_the_money_ends_the_last_look_is_judged_and_the_next_one_is_priced(project, monkeypatch):
    """Everything is answered already; the second look finds no money."""
    project.params_file.write_text(UNCLEAR)
    asked, real = [], Both.ask

    def ask(both, look):
        asked.append(look)
        if len(asked) == 2:
            raise BudgetError("spent")
        real(both, look)

    monkeypatch.setattr(Both, "ask", ask)
    stage.run(str(project.root), force=True)

    found = verdict(project)
    assert "the money does not suffice for the next look" in found["paragraph"]
    assert found["n_questions"] == len(asked[0].question_ids)
    assert found["alpha"] == pytest.approx(look_levels()[0])
    assert "Going on to look" in found["paragraph"]
    assert (found["looks"]["stopped"], len(found["looks"]["taken"])) == ("money", 1)


def test_without_money_for_the_first_look_there_is_no_verdict(project, monkeypatch):
    def ask(_both, _look):
        raise BudgetError("spent")

    monkeypatch.setattr(Both, "ask", ask)
    with pytest.raises(BudgetError):
        stage.run(str(project.root), force=True)

"""The whole stage on a small corpus with the real index and the real local provider."""

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest

from flows.core.contracts import ANSWERS, SCORES
from flows.core.project import Project
from flows.core.tables import read_table
from flows.evaluate import stage
from tests.evaluate.production import promote

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[2]
HANDBOOK = ("concepts", "stages")
PARAMS = """
testset: {questions_per_type: {simple: 40, complex: 20, distracting: 0, unanswerable: 20}}
evaluate: {guardrails: {}}
"""


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A project over a part of the handbook, evaluated once, with that release in production."""
    from flows.embed import stage as embed
    from flows.ingest import stage as ingest
    from flows.testset import stage as testset

    root = tmp_path_factory.mktemp("evaluated")
    (root / "params.yaml").write_text(PARAMS)
    for part in HANDBOOK:
        shutil.copytree(ROOT / "data" / "sources" / "handbook" / part, root / "data" / "sources" / part)
    shutil.copytree(ROOT / "data" / "prompts", root / "data" / "prompts")
    for earlier in (ingest, embed, testset, stage):
        earlier.run(str(root))
    promote(Project.open(root))
    return root


@pytest.fixture
def small(built, tmp_path):
    """A copy of the built project."""
    shutil.copytree(built, tmp_path / "project")
    return Project.open(tmp_path / "project")


def verdict(project):
    return json.loads(project.data("evaluate", "verdict.json").read_text())


def change(project, text):
    project.params_file.write_text(PARAMS + text)


def test_promoting_a_release_leaves_nothing_to_do_and_a_forced_run_makes_no_call(small):
    assert not stage.run(str(small.root)).did_work
    before = {name: small.data("evaluate", name).read_bytes() for name in ("verdict.json", "scores.parquet")}
    record = stage.run(str(small.root), force=True)
    assert (record.did_work, record.calls, record.cost_usd) == (True, 0, 0.0)
    assert all(small.data("evaluate", name).read_bytes() == data for name, data in before.items())


def test_the_outputs_hold_their_contracts_and_agree(small):
    answers = read_table(small.data("evaluate", "answers.parquet"), ANSWERS, remedy="-")
    scores = read_table(small.data("evaluate", "scores.parquet"), SCORES, remedy="-")
    questions = pd.read_parquet(small.data("testset", "questions.parquet"))
    assert set(answers["question_id"]) == set(questions["question_id"]) == set(scores["question_id"])
    assert set(scores.loc[scores["metric"] == "prompt_leakage", "score"].dropna()) == {
        0.0
    }  # the prompt was there to compare
    assert verdict(small)["not_measured"] == ["self_consistency", "perplexity"]  # asked once; no log-probabilities
    metrics = json.loads(small.data("evaluate", "metrics.json").read_text())
    mean = scores.query("metric == 'correctness'")["score"].mean()
    assert metrics["correctness"] == pytest.approx(mean, abs=1e-5)
    assert len(json.loads(small.data("evaluate", "worst.json").read_text())) == 10
    assert metrics["refusal_correctness"] > 0.6
    assert metrics["retrieval_recall"] > 0.6


def test_a_release_that_differs_in_name_only_never_fails(small):
    change(small, "rag: {seed: 7}\n")
    record = stage.run(str(small.root))
    found = verdict(small)
    assert found["verdict"] in {"pass", "inconclusive"}
    assert all(metric["effect"] == 0 for metric in found["metrics"].values())
    assert found["baseline_release_id"] != found["release_id"]
    assert "measured once" in " ".join(record.notes)


def test_another_model_is_judged_by_what_it_answers(small):
    change(small, "provider: {chat_model: local-lexical-1}\n")
    stage.run(str(small.root))
    found = verdict(small)
    metric = found["metrics"]["groundedness"]  # its fixed preamble stands in no document
    assert metric["candidate_mean"] < metric["baseline_mean"]
    assert found["verdict"] == "fail"
    assert "groundedness" in found["paragraph"]
    worst = json.loads(small.data("evaluate", "worst.json").read_text())[0]
    assert len(worst["candidate_answer_ids"]) == len(worst["baseline_answer_ids"]) == 1
    assert worst["candidate_mean"] < worst["baseline_mean"]
    assert small.data("evaluate", "baseline", found["baseline_release_id"], "scores.parquet").exists()


def test_less_context_is_seen_in_retrieval(small):
    change(small, "rag: {retrieval_k: 1}\n")
    stage.run(str(small.root))
    found = verdict(small)["metrics"]["retrieval_recall"]
    assert found["verdict"] == "fail"
    assert found["upper"] < 0


def test_the_terse_prompt_is_reported_as_it_is_measured(small):
    change(small, "rag: {prompt: answer_terse}\n")
    stage.run(str(small.root))
    found = verdict(small)
    expected = {"pass": True, "fail": False, "inconclusive": False}[found["verdict"]]
    assert all(metric["verdict"] == "pass" for metric in found["metrics"].values()) == expected


def test_comparing_settings_measures_them_side_by_side_and_changes_nothing(small, capsys):
    from flows.cli.main import main

    published = ("verdict.json", "scores.parquet", "candidate.json")
    before = {name: small.data("evaluate", name).read_bytes() for name in published}
    arguments = ["--project", str(small.root), "compare", "--modes", "hybrid", "text", "--k", "1", "5", "--json"]
    assert main(arguments) == 0
    first = capsys.readouterr().out
    found = json.loads(first)
    assert main(arguments) == 0
    assert capsys.readouterr().out == first  # nothing was asked again: latencies are those of the first time
    assert [(one["combination"]["retrieval_mode"], one["combination"]["retrieval_k"]) for one in found] == [
        ("hybrid", 5), ("hybrid", 1), ("text", 1), ("text", 5),
    ]  # fmt: skip
    assert found[0]["release_id"] == verdict(small)["release_id"]
    assert found[0]["change"] is None
    assert found[1]["change"] == pytest.approx(found[1]["option"]["quality"] - found[0]["option"]["quality"])
    assert all(one["lower"] < one["change"] < one["upper"] for one in found[1:])
    assert found[1]["means"]["retrieval_recall"] < found[0]["means"]["retrieval_recall"]  # one chunk holds less
    assert "front" in {one["place"] for one in found}
    assert all(small.data("evaluate", name).read_bytes() == data for name, data in before.items())
    assert not stage.run(str(small.root)).did_work


def test_comparing_with_a_prompt_or_model_that_does_not_exist_asks_nothing(small, capsys):
    from flows.cli.main import main

    for wrong in (["--prompts", "anwser"], ["--models", "local-extract-9"], ["--modes", "psychic"]):
        assert main(["--project", str(small.root), "compare", *wrong]) == 2
        assert wrong[1] in capsys.readouterr().err

"""Judges in the stage: their scores appear, and they decide only with a calibration of exactly these judges."""

import csv
import json
import shutil
from pathlib import Path

import pandas as pd
import pytest

from flows.cli.main import main
from flows.core.calls import read_calls
from flows.core.project import Project
from flows.evaluate import stage
from tests.evaluate.production import promote

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[2]
PROMPTS, HANDBOOK = ROOT / "data" / "prompts", ROOT / "data" / "sources" / "handbook" / "concepts"
PARAMS = """
provider: {chat_model: local-extract-1, embedding_model: local-hash-384, allow_unpriced: true}
testset: {questions_per_type: {simple: 24, complex: 8, distracting: 0, unanswerable: 8}}
"""
JUDGES = """
evaluate:
  guardrails: {}
  judge_labels_min: 20
  gated_metrics: [correctness, judge_correctness]
  judges:
    correctness: {prompt: judge_correctness, model: MODEL}
    preference: {prompt: judge_preference, model: MODEL}
"""


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A small project, evaluated once without judges, with that release in production; it retrieves five chunks."""
    from flows.embed import stage as embed
    from flows.ingest import stage as ingest
    from flows.testset import stage as testset

    root = tmp_path_factory.mktemp("judged")
    write_params(root, "evaluate: {guardrails: {}}")
    project = Project.open(root)
    shutil.copytree(HANDBOOK, project.data("sources"))
    shutil.copytree(PROMPTS, project.data("prompts"))
    for earlier in (ingest, embed, testset, stage):
        earlier.run(str(root))
    promote(project)
    return root


@pytest.fixture
def judged(built, judge_world):
    """The project with a candidate that retrieves two chunks, and judges."""
    shutil.copytree(built, judge_world.project.root, dirs_exist_ok=True)
    write_params(judge_world.project.root, JUDGES.replace("MODEL", "fake-judge"))
    return judge_world


def write_params(root, text):
    chunks = 2 if "judges" in text else 5
    (root / "params.yaml").write_text(f"{PARAMS}rag: {{retrieval_k: {chunks}}}\n{text}")


def verdict(project):
    return json.loads(project.data("evaluate", "verdict.json").read_text())


def scores(project, metric):
    """The scores of a metric on ordinary questions; attacks and traps are judged by other metrics."""
    frame = pd.read_parquet(project.data("evaluate", "scores.parquet"))
    return frame[(frame["metric"] == metric) & (frame["unscored_reason"] != "not_applicable")]


def label_answers(project):
    """Let people agree with the judge but for every tenth answer; name answers by their ids only."""
    answers = pd.read_parquet(project.data("evaluate", "answers.parquet")).set_index("question_id")
    said = scores(project, "judge_correctness").dropna(subset=["score"])
    path = project.root / "labels.csv"
    with path.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["answer_id", "label"])
        for number, (question, score) in enumerate(zip(said["question_id"], said["score"], strict=True)):
            writer.writerow([answers.loc[question, "answer_id"], 1 - score if number % 10 == 0 else score])
    return path


def test_judges_inform_until_they_are_calibrated_and_then_decide(judged):
    project = judged.project
    record = stage.run(str(project.root))
    assert record.calls > judged.calls > 0  # the judges' calls and the local model's answers
    first = verdict(project)
    assert "judge_correctness was to decide and only informs: it is not calibrated." in first["paragraph"]
    assert "judge_correctness" in first["informed"]
    assert "judge_correctness" not in first["metrics"]
    assert first["judges"]["correctness"]["decides"] is False
    assert scores(project, "judge_correctness")["score"].notna().all()
    preferred = scores(project, "judge_preference")
    assert 0.5 in set(preferred["score"].dropna()) <= {0.0, 0.5, 1.0}  # equal answers, at least
    assert set(preferred.loc[preferred["score"].isna(), "unscored_reason"]) <= {"anchors_failed"}
    kept = next(project.data("evaluate", "baseline").glob("*/scores.parquet"))
    before = pd.read_parquet(kept)
    assert set(before.loc[before["metric"] == "judge_preference", "score"].dropna()) == {0.5}
    calls = read_calls(project)
    assert set(calls.loc[calls["step"] == "judge", "use_case"]) == {"judge"}

    asked = judged.calls
    labels = label_answers(project)
    main(["--project", str(project.root), "judge", "calibrate", str(labels), "--judge", "correctness"])
    assert judged.calls <= asked + 4  # the answers' scores come from the cache, anchors are asked anew
    asked = judged.calls
    assert stage.run(str(project.root)).did_work
    second = verdict(project)
    assert judged.calls == asked
    assert "judge_correctness" in second["metrics"]
    assert second["judges"]["correctness"]["decides"] is True
    assert "judge_correctness decides: kappa" in second["paragraph"]
    assert "corrected by labels" in second["paragraph"]
    assert not stage.run(str(project.root)).did_work


def test_the_local_model_misses_its_anchors_and_is_unscored(judged):
    """It extracts and follows no instruction: whatever it is shown, it says the first thing the schema allows."""
    write_params(judged.project.root, JUDGES.replace("MODEL", "local-extract-1"))
    stage.run(str(judged.project.root))
    found = scores(judged.project, "judge_correctness")
    assert set(found["unscored_reason"]) == {"anchors_failed"}
    assert found["score"].isna().all()
    assert "It missed" in verdict(judged.project)["paragraph"]
    assert verdict(judged.project)["verdict"] != "invalid"  # it may not decide, so its failure does not either

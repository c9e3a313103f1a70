"""What an evaluation pays: nothing twice, nothing after a failed check, further looks only with money.

A real project over a part of the handbook; the chat model is a server of ours, counted request by request.
"""

import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest

from flows.core.calls import read_calls
from flows.core.project import Project
from flows.evaluate import stage
from tests.evaluate.production import promote
from tests.provider import fake_openai
from tests.provider.fake_openai import FakeOpenAI, Reply

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[2]
PARAMS = """
testset: {questions_per_type: {simple: 32, complex: 0, distracting: 0, unanswerable: 0}, challenges_per_kind: 0}
provider: {chat_model: m, embedding_model: local-hash-384, concurrency: 8, budget_usd_per_run: null}
"""
JUDGED = "evaluate: {guardrails: {}, gated_metrics: [groundedness], baseline_samples: 4, evidence_chance_min: 0"
PRICES = """
prices:
  - {provider: 127.0.0.1, model: m, token_type: input, usd_per_mtok: 100, valid_from: 2026-01-01, source: test, read_on: 2026-11-01}
  - {provider: 127.0.0.1, model: m, token_type: output, usd_per_mtok: 100, valid_from: 2026-01-01, source: test, read_on: 2026-11-01}
"""  # fmt: skip  # noqa: E501
WRONG = "Purple elephants dance on 77 moons."


def grounded(share):
    """A model that repeats its first chunk in `share` of its answers, drawn by question and repeat."""
    asked = Counter()

    def complete(request, *_rest):
        text = request["messages"][-1]["content"]
        asked[text] += 1
        chunk = re.search(r'<chunk id="1">(.*?)</chunk>', text, re.S)
        good = random.Random(f"{text} {asked[text]}").random() < share
        said = {"answer": chunk[1].strip() if chunk and good else WRONG, "citations": [1], "refused": False}
        choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": json.dumps(said)}}
        usage = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}
        return {"id": "c", "model": request["model"], "choices": [choice], "usage": usage}

    return complete


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A project with an index and a test set; nothing was ever asked."""
    from flows.embed import stage as embed
    from flows.ingest import stage as ingest
    from flows.testset import stage as testset

    root = tmp_path_factory.mktemp("money")
    (root / "params.yaml").write_text(PARAMS.replace("chat_model: m", "chat_model: local-extract-1"))
    for part in ("concepts", "stages"):
        shutil.copytree(ROOT / "data" / "sources" / "handbook" / part, root / "data" / "sources" / part)
    shutil.copytree(ROOT / "data" / "prompts", root / "data" / "prompts")
    for earlier in (ingest, embed, testset):
        earlier.run(str(root))
    (root / "data" / "prices").mkdir()
    (root / "data" / "prices" / "own.yaml").write_text(PRICES)
    return root


@pytest.fixture
def fake():
    with FakeOpenAI() as server:
        yield server


@pytest.fixture
def project(built, tmp_path, fake, monkeypatch):
    """A copy of the project whose chat model is the server, which answers well in nine of ten cases."""
    shutil.copytree(built, tmp_path / "project")
    monkeypatch.setenv("OPENAI_BASE_URL", fake.base_url)
    monkeypatch.setattr(fake_openai, "completion", grounded(0.9))
    return Project.open(tmp_path / "project")


def run(project, text, **options):
    project.params_file.write_text(PARAMS + text)
    stage.run(str(project.root), **options)
    return json.loads(project.data("evaluate", "verdict.json").read_text())


def in_production(project, fake):
    """Evaluate and promote a first release; return the number of questions."""
    asked = run(project, JUDGED + "}\n")["n_questions"]
    promote(project)
    fake.requests.clear()
    return asked


def test_a_new_prompt_runs_generation_again_and_not_retrieval_and_nothing_is_paid_twice(project, fake):
    asked = run(project, JUDGED + "}\n")["n_questions"]
    assert len(fake.requests) == asked
    run(project, JUDGED + "}\n", force=True)
    assert len(fake.requests) == asked  # unchanged: nothing
    before = len(read_calls(project))
    run(project, JUDGED + "}\nrag: {prompt: answer_terse}\n")
    assert len(fake.requests) == 2 * asked  # every answer anew
    new = read_calls(project).iloc[before:]
    assert (new["operation"] == "chat").all()  # and no question embedded again
    assert set(new["step"]) == {"answer"}
    run(project, JUDGED + "}\n")
    assert len(fake.requests) == 2 * asked  # the first release's answers are still there
    run(project, JUDGED + ", candidate_samples: 2}\n")
    assert len(fake.requests) == 3 * asked  # a repeat is a sample of its own, the first one stays


def test_after_failed_smoke_questions_nothing_more_is_asked(project, fake, monkeypatch):
    monkeypatch.setattr(fake_openai, "completion", grounded(0.9))
    in_production(project, fake)
    message = {"role": "assistant", "content": "no JSON at all"}
    fake.always(Reply(change={"choices": [{"index": 0, "finish_reason": "stop", "message": message}]}))
    found = run(project, JUDGED + "}\nrag: {prompt: answer_terse}\n")
    assert found["verdict"] == "fail"
    assert "too few of the first answers could be used, so nothing more was asked" in found["paragraph"]
    assert found["looks"]["stopped"] == "smoke"
    assert len(fake.requests) == 10


def test_money_buys_the_next_looks_and_the_same_answers_give_the_same_verdict_without_it(project, fake):
    asked = in_production(project, fake)
    text = JUDGED + ", margins: {groundedness: 0.0001}}\nrag: {prompt: answer_terse}\n"
    found = run(project, text, max_usd=5.0)
    taken = found["looks"]["taken"]
    assert found["looks"]["buying"] == "planned"
    assert found["looks"]["alpha_total"] == 0.05
    assert taken[0]["alpha"] == pytest.approx(0.035)
    assert len(taken) > 1
    assert len(fake.requests) == asked * (taken[-1]["candidate_samples"] + 3)  # production: three more samples
    assert "more answers for $" in found["paragraph"]
    assert found["looks"]["cost_of_certainty_usd"] == pytest.approx(
        asked * (taken[-1]["candidate_samples"] - 1) * 15 * 100 / 1e6
    )
    calls = len(fake.requests)
    again = run(project, text, force=True)
    assert len(fake.requests) == calls
    assert {name: again[name] for name in ("verdict", "alpha", "metrics")} == {
        name: found[name] for name in ("verdict", "alpha", "metrics")
    }


def test_money_offered_after_an_open_verdict_goes_on_and_says_what_that_costs(project, fake):
    asked = in_production(project, fake)
    text = JUDGED + ", margins: {groundedness: 0.0001}}\nrag: {prompt: answer_terse}\n"
    open_ = run(project, text)
    assert (open_["verdict"], open_["looks"]["buying"]) == ("inconclusive", "never")
    assert "llmops evaluate --max-usd USD" in open_["paragraph"]
    assert not stage.run(str(project.root)).did_work  # without money there is nothing to do
    calls = len(fake.requests)
    found = run(project, text, max_usd=5.0)
    assert found["looks"]["buying"] == "afterwards"
    assert found["looks"]["taken"][0]["alpha"] == pytest.approx(0.05)
    assert found["looks"]["alpha_total"] == pytest.approx(0.065)
    assert "wrong in at most 6.5 of 100" in found["paragraph"]
    assert len(fake.requests) - calls == asked * (found["looks"]["taken"][-1]["candidate_samples"] - 1)


def test_money_that_does_not_suffice_buys_nothing(project, fake):
    in_production(project, fake)
    text = JUDGED + ", margins: {groundedness: 0.0001}}\nrag: {prompt: answer_terse}\n"
    run(project, text)
    calls = len(fake.requests)
    found = run(project, text, max_usd=0.01)
    assert found["looks"]["stopped"] == "money"
    assert len(fake.requests) == calls


def test_a_guardrail_beyond_its_grace_period_makes_the_gate_invalid(project, fake):
    rail = "{low: 0.3, owner: ann, reason: why, decided: 2026-01-01, review_by: 2026-06-01}"
    text = f"evaluate: {{gated_metrics: [groundedness], guardrails: {{groundedness: {rail}}}}}\n"
    states = {}
    for day in ("2026-05-30", "2026-06-20", "2026-07-20"):
        now = datetime.fromisoformat(day).replace(tzinfo=UTC)
        found = run(project, text, clock=lambda now=now: now)
        states[day] = (found["verdict"], found["guardrails"]["groundedness"]["review"])
        asked = len(fake.requests)
    assert states == {
        "2026-05-30": ("pass", "in time"), "2026-06-20": ("pass", "overdue"), "2026-07-20": ("invalid", "expired"),
    }  # fmt: skip
    assert "long overdue" in found["paragraph"]
    assert asked == found["n_questions"]  # judged three times, asked once


def test_a_run_killed_halfway_repeats_at_most_the_calls_in_flight(project, fake):
    project.params_file.write_text(PARAMS + JUDGED + ", smoke_questions: 0}\n")
    fake.always(Reply(delay_s=0.15))
    command = [sys.executable, "-m", "flows.evaluate.stage", "--project", str(project.root)]
    process = subprocess.Popen(command, env=os.environ | {"OPENAI_BASE_URL": fake.base_url}, cwd=ROOT)
    try:
        deadline = time.monotonic() + 60
        while len(fake.requests) < 12 and time.monotonic() < deadline:
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
    finally:
        process.kill()
        process.wait()
    before = len(fake.requests)
    assert 12 <= before < 30
    stage.run(str(project.root))
    found = json.loads(project.data("evaluate", "verdict.json").read_text())
    assert len(fake.requests) <= found["n_questions"] + 8
    assert found["means"]["availability"] == 1.0

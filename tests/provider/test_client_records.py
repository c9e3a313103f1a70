"""What a batch leaves on record, and what it may spend."""

import json
import sqlite3
import subprocess
import sys
import time
import traceback

import pytest
from fake_openai import Reply

from flows.core.calls import compact, read_calls
from flows.core.errors import BudgetError, ProviderRefusedError
from flows.provider.client import ProviderFailure

VICTIM = """
import sys
from flows.core.project import Project
from flows.core.settings import Settings
from flows.provider.client import CallTags, ChatRequest, Message, open_provider
settings = Settings(openai_base_url=sys.argv[2])
with open_provider(Project.open(sys.argv[1]), use_case="evaluation", settings=settings) as provider:
    provider.chat([ChatRequest((Message("user", "hello"),), CallTags("victim"))])
"""


def classes(rows):
    return [row.error_class if isinstance(row, ProviderFailure) else "ok" for row in rows]


def lines(world):
    """Every record of every journal, in the order of writing."""
    files = sorted(world.project.state("calls").glob("*.jsonl"))
    return [json.loads(line) for file in files for line in file.read_text().splitlines()]


@pytest.mark.parametrize("usage", [None, {"prompt_tokens": -3, "completion_tokens": 1}])
def test_missing_or_impossible_usage_is_counted_here_and_says_so(world, ask, usage):
    world.fake.script(Reply(change={"usage": usage}))
    with world.open() as provider:
        (row,) = provider.chat([ask("how many tokens is this?")])
    assert 8 <= row.input_tokens <= 20
    assert json.loads(read_calls(world.project)["metadata"][0])["usage"] == "counted_here"


def test_usage_far_from_our_own_count_is_booked_and_flagged(world, ask):
    world.fake.script(Reply(change={"usage": {"prompt_tokens": 9000, "completion_tokens": 5}}))
    with world.open() as provider:
        assert provider.chat([ask()])[0].input_tokens == 9000
    assert json.loads(read_calls(world.project)["metadata"][0])["usage"] == "doubtful"


@pytest.mark.parametrize(("model", "differs"), [("fake-chat-2026-01-01", False), ("fake-chat-pro", True), ("x", True)])
def test_another_model_than_asked_for_is_recorded(world, ask, model, differs):
    world.fake.script(Reply(change={"model": model}))
    with world.open() as provider:
        assert provider.chat([ask()])[0].response_model == model
    assert ("model_differs" in json.loads(read_calls(world.project)["metadata"][0])) is differs


def test_a_call_costs_what_the_model_that_answered_costs(world, ask):
    world.price(1.0)
    extra = world.project.data("prices", "dear.yaml")
    extra.write_text(
        world.project.data("prices", "own.yaml").read_text().replace("fake-chat", "dear").replace("1.0", "9.0")
    )
    extra.write_text(extra.read_text().replace("fake-embed", "other"))
    world.fake.script(Reply(change={"model": "dear"}), Reply(change={"model": "unknown"}))
    with world.open() as provider:
        rows = [provider.chat([ask(question)])[0] for question in ("a", "b")]
    assert [row.cost_usd for row in rows] == [pytest.approx(9 * 15e-6), pytest.approx(15e-6)]


def test_the_call_is_on_record_before_it_leaves(world, ask, monkeypatch):
    seen = []
    world.fake.always(Reply(delay_s=0.2))
    original = world.fake._answer
    monkeypatch.setattr(world.fake, "_answer", lambda handler: (seen.extend(lines(world)), original(handler)))
    with world.open() as provider:
        provider.chat([ask()])
    assert [(line["status"], line["prompt_id"]) for line in seen] == [("unknown_outcome", "answer@0123456789ab")]
    assert lines(world) == []  # moved into the log


@pytest.mark.slow
def test_a_killed_process_leaves_the_call_as_unknown_and_the_money_set_aside(world):
    world.price(1.0)
    world.fake.always(Reply(delay_s=5.0))
    asking = subprocess.Popen([sys.executable, "-c", VICTIM, str(world.project.root), world.fake.base_url])
    while not world.fake.requests:
        time.sleep(0.02)
    asking.kill()
    asking.wait()
    compact(world.project)
    (call,) = read_calls(world.project).itertuples()
    assert (call.status, call.step) == ("unknown_outcome", "victim")
    with sqlite3.connect(world.project.state("ledger.sqlite")) as base:
        assert base.execute("SELECT call_id, state FROM entries").fetchall() == [(call.call_id, "reserved")]


def test_the_log_holds_every_column_of_a_call(world, ask, now):
    world.price(1.0)
    with world.open(clock=lambda: now) as provider:
        provider.chat([ask("the prompt")])
    (call,) = read_calls(world.project).to_dict("records")
    assert call["started_at"] == now
    columns = ("step", "use_case", "operation", "provider", "request_model", "response_model")
    assert {key: call[key] for key in columns} == {
        "step": "answer", "use_case": "evaluation", "operation": "chat", "provider": "127.0.0.1",
        "request_model": "fake-chat", "response_model": "fake-chat",
    }  # fmt: skip
    assert (call["input_tokens"], call["output_tokens"], call["cost_usd"]) == (10, 5, pytest.approx(15e-6))
    assert (call["system_fingerprint"], call["finish_reason"], call["completion"]) == (
        "fp_fake",
        "stop",
        "You said: the prompt",
    )
    assert "the prompt" in call["prompt"]
    assert json.loads(call["metadata"]) == {"why": "test"}
    assert call["latency_ms"] > 0


def test_a_budget_stops_before_the_call_that_would_exceed_it_and_the_rest_resumes(world, ask):
    world.price(100.0)
    world.params(allow_unpriced=False, concurrency=1)
    requests = [ask(f"question number {i}", max_output_tokens=10) for i in range(20)]
    with world.open(max_usd=0.01) as provider:
        with pytest.raises(BudgetError, match="resume"):
            provider.chat(requests)
        done = len(world.fake.requests)
        assert 0 < done < 20
        assert provider.usage.cost_usd <= 0.01
    with world.open(max_usd=1.0) as provider:
        assert classes(provider.chat(requests)) == ["ok"] * 20
    assert len(world.fake.requests) == 20


def test_a_budget_of_zero_lets_no_paid_request_leave(world, ask):
    world.price(1.0)
    with world.open(max_usd=0) as provider, pytest.raises(BudgetError):
        provider.chat([ask(), ask("b")])
    assert world.fake.requests == []


def test_a_model_without_a_price_is_refused_under_a_budget(world, ask):
    world.params(allow_unpriced=False)
    with world.open() as provider, pytest.raises(BudgetError, match="data/prices"):
        provider.chat([ask()])
    assert world.fake.requests == []


def test_an_unpriced_call_makes_the_cost_unknown_and_not_zero(world, ask):
    with world.open() as provider:
        assert provider.chat([ask()])[0].cost_usd is None
        assert provider.usage.cost_usd is None


def test_no_key_reaches_an_error_a_log_or_a_row(world, ask):
    echo = f"Incorrect API key provided: {world.key}. Yours ends in {world.key[-8:]}"
    world.params(concurrency=1)
    world.fake.script(Reply(400, message=echo), Reply(401, message=echo))
    with world.open() as provider:
        (row,) = provider.chat([ask("a")])
        with pytest.raises(ProviderRefusedError) as caught:
            provider.chat([ask("b")])
    assert isinstance(row, ProviderFailure)
    everything = row.message + "".join(traceback.format_exception(caught.value))
    stored = b"".join(path.read_bytes() for path in world.project.root.rglob("*") if path.is_file())
    for secret in (world.key, world.key[-8:]):
        assert secret not in everything
        assert secret.encode() not in stored

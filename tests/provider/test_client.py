"""What a batch of questions does, against a real server that misbehaves."""

import asyncio
import json

import pytest
from fake_openai import Reply

from flows.core.calls import read_calls
from flows.core.errors import ProviderDownError, ProviderRefusedError
from flows.provider.client import ChatResult, ProviderFailure

SCHEMA = {"type": "object", "properties": {"answer": {"type": "string"}}, "required": ["answer"]}


def classes(rows):
    return [row.error_class if isinstance(row, ProviderFailure) else "ok" for row in rows]


def test_answers_come_back_in_order_with_their_usage(world, ask):
    world.price(1.0)
    with world.open() as provider:
        rows = provider.chat([ask(f"question {i}") for i in range(20)])
    assert [row.text for row in rows] == [f"You said: question {i}" for i in range(20)]
    assert {(row.input_tokens, row.output_tokens, row.from_cache) for row in rows} == {(10, 5, False)}
    assert provider.usage.cost_usd == pytest.approx(20 * 15e-6)
    assert world.fake.busy_most <= 8


def test_an_answered_question_is_never_paid_twice(world, ask):
    world.price(1.0)
    with world.open() as provider:
        first = provider.chat([ask("a"), ask("a"), ask("a", sample=1)])
    with world.open() as provider:
        again = provider.chat([ask("a"), ask("a", sample=1)])
        assert (provider.usage.calls, provider.usage.cached, provider.usage.cost_usd) == (0, 2, 0.0)
    assert len(world.fake.requests) == 2
    assert first[0] == first[1]
    assert [row.from_cache for row in again] == [True, True]
    assert (again[0].call_id, again[0].cost_usd) == (first[0].call_id, first[0].cost_usd)


def test_a_schema_goes_along_and_the_answer_is_parsed(world, ask):
    with world.open() as provider:
        (row,) = provider.chat([ask("hello", response_schema=SCHEMA)])
    assert row.parsed == {"answer": "hello"}
    assert world.fake.requests[0][1]["response_format"]["json_schema"]["schema"] == SCHEMA


@pytest.mark.parametrize("status", [429, 503])
def test_what_was_not_processed_is_repeated_and_logged_as_one_call(world, ask, status):
    world.fake.script(Reply(status), Reply(status))
    with world.open() as provider:
        assert classes(provider.chat([ask()])) == ["ok"]
    (call,) = read_calls(world.project).itertuples()
    assert (call.status, json.loads(call.metadata)["attempts"]) == ("ok", 3)


def test_nobody_starts_before_the_provider_allows_it(world, ask):
    world.params(concurrency=4)
    world.fake.script(Reply(429, headers={"retry-after-ms": "300"}))
    world.fake.always(Reply(delay_s=0.1))  # the others are still busy when the refusal comes
    with world.open() as provider:
        assert classes(provider.chat([ask(f"{i}") for i in range(12)])) == ["ok"] * 12
    times = [request[3] for request in world.fake.requests]
    late = [at - times[0] for at in times[4:]]
    assert min(late) >= 0.3


def test_a_wait_beyond_the_deadline_stops_the_run_and_says_until_when(world, ask):
    world.fake.script(Reply(429, headers={"retry-after": "300"}))
    with world.open() as provider, pytest.raises(ProviderDownError, match=r"run again after .* UTC"):
        provider.chat([ask()])


@pytest.mark.parametrize(
    ("reply", "remedy"),
    [
        (Reply(401, message="bad key"), "OPENAI_API_KEY"),
        (Reply(402), "credit"),
        (Reply(403), "access"),
        (Reply(404, code="model_not_found"), "OPENAI_BASE_URL"),
        (Reply(429, code="insufficient_quota"), "credit"),
        (Reply(307, headers={"Location": "http://127.0.0.2:9/v1"}), "redirect"),
    ],
)
def test_a_refusal_of_everything_stops_the_batch_at_once_and_names_the_fix(world, ask, reply, remedy):
    world.params(concurrency=1)
    world.fake.script(Reply(), reply)
    with world.open() as provider:
        with pytest.raises(ProviderRefusedError, match=remedy):
            provider.chat([ask(f"{i}") for i in range(20)])
        assert len(world.fake.requests) == 2
        assert classes(provider.chat([ask("0")])) == ["ok"]  # kept
        assert len(world.fake.requests) == 2


def test_a_refused_row_fails_alone_and_is_never_repeated(world, ask):
    world.params(concurrency=1)
    world.fake.script(Reply(), Reply(400, code="context_length_exceeded"), Reply(400, code="content_policy_violation"))
    with world.open() as provider:
        rows = provider.chat([ask(f"{i}") for i in range(4)])
    assert classes(rows) == ["ok", "context_length_exceeded", "content_filter", "ok"]
    assert len(world.fake.requests) == 4


@pytest.mark.parametrize(
    "reply", [Reply(cut=True), Reply(body=b"{"), Reply(body=b""), Reply(body=b"<html>"), Reply(body={})]
)
def test_a_lost_answer_is_asked_for_once_more_and_both_are_on_record(world, ask, reply):
    world.price(1.0)
    world.fake.script(reply)
    with world.open() as provider:
        assert classes(provider.chat([ask()])) == ["ok"]
        assert provider.usage.unknown_outcome == 1
    calls = read_calls(world.project).set_index("status")
    assert json.loads(calls.loc["ok", "metadata"])["repeat_of"] == calls.loc["unknown_outcome", "call_id"]


def test_an_answer_lost_twice_fails_its_row_only(world, ask):
    world.params(concurrency=1)
    world.fake.script(Reply(), Reply(cut=True), Reply(cut=True))
    with world.open() as provider:
        assert classes(provider.chat([ask(f"{i}") for i in range(3)])) == ["ok", "unknown_outcome", "ok"]


def test_a_silent_provider_is_cut_off(world, ask):
    world.params(timeout_s=0.1, deadline_s=0.3)
    world.fake.always(Reply(delay_s=1.0))
    with world.open() as provider, pytest.raises(ProviderDownError, match="resume"):
        provider.chat([ask()])
    assert len(world.fake.requests) == 2


def test_one_poisoned_row_does_not_stop_a_batch_but_an_outage_does(world, ask):
    world.params(concurrency=1, attempts_max=2)
    world.fake.script(Reply(), Reply(500), Reply(500), Reply(), Reply(500), Reply(500))
    with world.open() as provider:
        assert classes(provider.chat([ask(f"{i}") for i in range(3)])) == ["ok", "unavailable", "ok"]
        assert classes(provider.chat([ask("all is well again")])) == ["ok"]
        world.fake.always(Reply(500))
        with pytest.raises(ProviderDownError, match="3 call"):
            provider.chat([ask(f"new {i}") for i in range(50)])
    assert len(world.fake.requests) == 7 + 3 * 2


def test_a_provider_that_is_not_there_is_down(world, ask):
    world.params(attempts_max=2)
    world.fake.base_url = "http://127.0.0.1:9/v1"
    with world.open() as provider, pytest.raises(ProviderDownError, match="OPENAI_BASE_URL"):
        provider.chat([ask()])


@pytest.mark.parametrize(
    ("change", "error_class"),
    [
        ({"choices": [{"finish_reason": "length", "message": {"content": '{"ans'}}]}, "truncated"),
        ({"choices": [{"finish_reason": "stop", "message": {"content": None, "refusal": "no"}}]}, "refusal"),
        ({"choices": [{"finish_reason": "stop", "message": {"content": "{}"}}]}, "schema_mismatch"),
    ],
)
def test_an_unusable_answer_costs_what_it_cost_and_is_not_kept(world, ask, change, error_class):
    world.price(1.0)
    world.fake.script(Reply(change=change))
    with world.open() as provider:
        (row,) = provider.chat([ask(response_schema=SCHEMA)])
        assert (row.error_class, row.cost_usd) == (error_class, pytest.approx(15e-6))
        assert provider.usage.cost_usd == pytest.approx(15e-6)
        assert classes(provider.chat([ask(response_schema=SCHEMA)])) == ["ok"]
    assert set(read_calls(world.project)["error_class"].dropna()) == {error_class}


def test_it_works_where_a_loop_already_runs(world, ask):
    async def inside():
        with world.open() as provider:
            return provider.chat([ask()])

    assert isinstance(asyncio.run(inside())[0], ChatResult)


def test_an_empty_batch_asks_nothing(world):
    with world.open() as provider:
        assert provider.chat([]) == []
    assert world.fake.requests == []

"""Every fault of the public injector ends in the outcome it deserves, and nothing is paid twice in silence."""

import importlib.util

import pytest

from flows.core.calls import read_calls
from flows.core.errors import LlmopsError
from flows.core.settings import Settings
from flows.provider.client import ProviderFailure, open_provider

pytestmark = [pytest.mark.slow, pytest.mark.shared_data]
KEY = "sk-proj-SECRETSECRET1234"
FAST = "backoff_base_s: 0.02, backoff_max_s: 0.1, deadline_s: 4, timeout_s: 1, allow_unpriced: true, embed_batch: 8"
SCHEMA = {"type": "object", "properties": {"answer": {"type": "string"}}, "required": ["answer"]}

REPEATED = ["http408", "http409", "http429", "http500", "http502", "http503", "http504", "http529"]
LOST = [
    "reset",
    "reset_after",
    "timeout",
    "slow",
    "slowloris",
    "truncate_body",
    "empty_body",
    "bad_json",
    "html_200",
    "gzip_bomb",
]
REFUSED = ["http401", "http402", "http403", "http404_model", "http429_quota", "redirect"]
CHAT_ROWS = {
    "http400_context": "context_length_exceeded",
    "http400_content_filter": "content_filter",
    "out_not_json": "schema_mismatch",
    "out_truncated": "truncated",
    "out_refusal": "refusal",
    "out_content_filter": "content_filter",
    "out_empty": "empty_answer",
    "out_null": "empty_answer",
    "out_extra": "unknown_finish_reason",
    "out_injection": "schema_mismatch",
    "out_surrogates": "schema_mismatch",
    "huge": "schema_mismatch",
}
CHAT_FINE = ["ok", "usage_missing", "usage_negative", "usage_wrong", "model_swap", "fingerprint_change"]
EMBED_REFUSED = ["emb_nan", "emb_zero", "emb_fewer", "emb_wrong_dim", "model_swap"]
EMBED_FINE = ["ok", "emb_shuffled", "usage_missing", "usage_negative", "usage_wrong"]


@pytest.fixture
def flaky(shared_data):
    path = shared_data.parent / "faults" / "flaky_openai.py"
    spec = importlib.util.spec_from_file_location("flaky_openai", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.FlakyOpenAI


@pytest.fixture
def run(project, flaky, ask):
    """Do four chats or four batches of vectors with the third request at fault; return (outcome, stats, usage)."""
    project.params_file.write_text(f"provider: {{chat_model: stub, embedding_model: stub, {FAST}}}\n")

    def do(mode, match):
        rule = {"match": match, "mode": mode, "after": 2, "n": 1, "args": {"retry_after": 0.2, "mb": 40}}
        with flaky([rule]) as server:
            settings = Settings(openai_base_url=server.base_url, openai_api_key=KEY)
            with open_provider(project, use_case="evaluation", settings=settings) as provider:
                try:
                    if match == "/v1/chat":
                        outcome = provider.chat([ask(f"question {i}", response_schema=SCHEMA) for i in range(4)])
                    else:
                        outcome = provider.embed([f"text {i}" for i in range(32)], mode="document")
                except LlmopsError as error:
                    outcome = error
            assert KEY[-8:] not in str(outcome)
            return outcome, server.stats(), provider.usage

    return do


def failures(rows):
    return [row.error_class for row in rows if isinstance(row, ProviderFailure)]


@pytest.mark.parametrize("mode", REPEATED)
def test_not_processed_is_repeated_and_paid_once(run, mode):
    rows, stats, usage = run(mode, "/v1/chat")
    assert failures(rows) == []
    assert (stats["double_billed"], stats["requests"], usage.unknown_outcome) == (0, 5, 0)


@pytest.mark.parametrize("mode", LOST)
@pytest.mark.parametrize("match", ["/v1/chat", "/v1/embeddings"])
def test_a_lost_answer_is_repeated_once_and_counted(run, project, mode, match):
    outcome, stats, usage = run(mode, match)
    assert not isinstance(outcome, Exception)
    assert failures(outcome) == []
    assert (stats["requests"], usage.unknown_outcome) == (5, 1)
    assert stats["double_billed"] <= 1
    assert (read_calls(project)["status"] == "unknown_outcome").sum() == 1


@pytest.mark.parametrize("mode", REFUSED)
@pytest.mark.parametrize("match", ["/v1/chat", "/v1/embeddings"])
def test_a_refusal_is_one_request_and_a_named_error(run, mode, match):
    outcome, stats, _ = run(mode, match)
    assert type(outcome).__name__ == "ProviderRefusedError"
    assert stats["double_billed"] == 0
    assert stats["fired"][mode] == 1


@pytest.mark.parametrize(("mode", "error_class"), CHAT_ROWS.items())
def test_a_row_fails_by_its_own_name(run, mode, error_class):
    rows, stats, _ = run(mode, "/v1/chat")
    assert failures(rows) == [error_class]
    assert stats["double_billed"] == 0


@pytest.mark.parametrize("mode", CHAT_FINE)
def test_doubtful_answers_are_answers_on_record(run, mode):
    rows, stats, _ = run(mode, "/v1/chat")
    assert failures(rows) == []
    assert stats["double_billed"] == 0


@pytest.mark.parametrize("mode", EMBED_REFUSED)
def test_vectors_at_fault_stop_the_index(run, mode):
    outcome, stats, _ = run(mode, "/v1/embeddings")
    assert type(outcome).__name__ == "ProviderRefusedError"
    assert stats["double_billed"] == 0


@pytest.mark.parametrize("mode", EMBED_FINE)
def test_vectors_that_can_be_put_right_are_used(run, mode):
    outcome, _, _ = run(mode, "/v1/embeddings")
    assert outcome.shape == (32, 64)


def test_a_flapping_provider_is_outlasted(project, flaky, ask):
    project.params_file.write_text(
        "provider: {chat_model: stub, allow_unpriced: true, backoff_base_s: 0.2, backoff_max_s: 1, attempts_max: 8}\n"
    )
    with flaky([{"match": "/v1/chat", "mode": "http503", "down": 0.8, "up": 0.8}]) as server:
        settings = Settings(openai_base_url=server.base_url, openai_api_key=KEY)
        with open_provider(project, use_case="evaluation", settings=settings) as provider:
            rows = provider.chat([ask(f"question {i}") for i in range(200)])
        assert failures(rows) == []
        assert server.stats()["double_billed"] == 0
        assert server.stats()["requests"] < 2 * 200  # less than twice what answers take


def test_a_rate_limited_provider_is_never_pressed(project, flaky, ask):
    project.params_file.write_text("provider: {chat_model: stub, allow_unpriced: true, deadline_s: 5}\n")
    with flaky(rpm=20) as server:
        settings = Settings(openai_base_url=server.base_url, openai_api_key=KEY)
        opened = open_provider(project, use_case="evaluation", settings=settings)
        with opened as provider, pytest.raises(LlmopsError, match="resume"):
            provider.chat([ask(f"question {i}") for i in range(40)])
        assert (server.stats()["billed"], server.stats()["double_billed"]) == (20, 0)
        assert server.stats()["requests"] < 20 + 8 * 6

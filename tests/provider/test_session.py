"""Which model is asked where, and what must be configured for it."""

import threading

import numpy as np
import pytest

from flows.core.calls import read_calls
from flows.core.errors import ParamsError, SettingsError, UsageError
from flows.core.settings import Settings
from flows.provider.client import open_provider
from flows.provider.params import ProviderParams
from flows.provider.session import resolve

HOSTED = Settings(openai_api_key="sk-test-0123456789")
CONTEXT = (
    '<chunk id="1">The index was rebuilt on Monday. It has ten rows.</chunk>'
    "<question>When was the index rebuilt?</question>"
)


@pytest.fixture
def local(project):
    """A project on the cheapest local models."""
    project.params_file.write_text("provider: {chat_model: local-lexical-1, embedding_model: local-hash-384}\n")
    return project


def test_auto_means_local_without_a_key_and_hosted_with_one():
    assert resolve(ProviderParams(), Settings()) == ("local-extract-1", "all-MiniLM-L6-v2")
    assert resolve(ProviderParams(), HOSTED) == ("gpt-4.1-mini", "text-embedding-3-small")
    assert resolve(ProviderParams(), Settings(openai_base_url="http://127.0.0.1:11434/v1"))[0] == "gpt-4.1-mini"


def test_a_named_model_stays_what_it_is():
    params = ProviderParams(chat_model="local-lexical-1", embedding_model="local-hash-384")
    assert resolve(params, HOSTED) == ("local-lexical-1", "local-hash-384")


def test_a_hosted_model_without_a_provider_names_the_variable_and_the_near_name():
    with pytest.raises(SettingsError, match=r"Did you mean 'local-lexical-1'.*OPENAI_API_KEY"):
        resolve(ProviderParams(chat_model="local-lexical-2"), Settings())


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("provider: {concurency: 4}", "Did you mean 'concurrency'"),
        ("provider: {concurrency: 0}", "greater than or equal to 1"),
        ("provider: {budget_usd_per_run: -1}", "budget_usd_per_run"),
        ("provider: {calls_privacy: some}", "calls_privacy"),
    ],
)
def test_wrong_params_are_named(project, text, problem):
    project.params_file.write_text(text)
    with pytest.raises(ParamsError, match=problem), open_provider(project, use_case="x", settings=Settings()):
        pass


@pytest.mark.parametrize("max_usd", [-1.0, float("nan"), float("inf")])
def test_a_limit_that_is_no_amount_is_refused(project, max_usd):
    with pytest.raises(UsageError), open_provider(project, use_case="x", max_usd=max_usd, settings=Settings()):
        pass


def test_a_session_that_fails_to_open_leaves_nothing_running(project):
    before = threading.active_count()
    for _ in range(3):
        with pytest.raises(UsageError), open_provider(project, use_case="x", max_usd=-1, settings=Settings()):
            pass
    assert threading.active_count() == before


def servers():
    """How many embedded servers run in this process; another test file's may be among them."""
    return sum(thread.name == "local-provider" for thread in threading.enumerate())


def test_nothing_starts_before_it_is_asked(local):
    before = servers()
    with open_provider(local, use_case="evaluation", settings=Settings()):
        assert servers() == before


def test_the_embedded_server_answers_and_embeds_for_nothing(local, ask):
    before = servers()
    with open_provider(local, use_case="evaluation", max_usd=0, settings=Settings()) as provider:
        (row,) = provider.chat([ask(CONTEXT)])
        matrix = provider.embed(["one text", "another text", "one text"], mode="document")
        mark = provider.fingerprint()
    assert "Monday" in row.text
    assert (row.cost_usd, provider.usage.cost_usd) == (0.0, 0.0)
    assert matrix.shape == (3, 384)
    assert np.allclose(np.linalg.norm(matrix, axis=1), 1, atol=1e-6)
    assert (mark.model, mark.dims, mark.backend) == ("local-hash-384", 384, "hash")
    assert set(read_calls(local)["provider"]) == {"local"}
    assert servers() == before


def test_cached_local_work_starts_no_server(local, ask):
    before = servers()
    for _ in range(2):
        with open_provider(local, use_case="evaluation", settings=Settings()) as provider:
            rows, matrix, mark = (
                provider.chat([ask(CONTEXT)]),
                provider.embed(["a"], mode="query"),
                provider.fingerprint(),
            )
            assert servers() == before or not rows[0].from_cache
    assert rows[0].from_cache
    assert (provider.usage.calls, matrix.shape, mark.dims) == (0, (1, 384), 384)


def test_local_and_hosted_models_can_be_asked_in_one_batch(world, ask):
    with world.open() as provider:
        rows = provider.chat([ask("hosted"), ask(CONTEXT, model="local-lexical-1")])
    assert [row.request_model for row in rows] == ["fake-chat", "local-lexical-1"]
    assert [row.cost_usd for row in rows] == [None, 0.0]


@pytest.mark.slow
def test_the_default_embedding_model_is_identified_by_weights_back_end_and_probes(project):
    with open_provider(project, use_case="indexing", settings=Settings()) as provider:
        near = provider.embed(
            ["The index is rebuilt nightly.", "Every night the index is built again."], mode="document"
        )
        mark = provider.fingerprint()
    assert near[0] @ near[1] > 0.7
    assert (mark.model, mark.dims, mark.normalised) == ("all-MiniLM-L6-v2", 384, True)
    assert mark.revision != "unknown"

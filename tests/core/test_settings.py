"""The environment: what is wrong is named, what is secret is not."""

import pytest

from flows.core.errors import SettingsError
from flows.core.settings import load_env_file, load_settings


def test_without_variables_the_provider_is_local(monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)

    assert not load_settings().hosted


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("https://user:pass@host/v1", "must not carry credentials"),
        ("http://example.com/v1", "must be https"),
        ("file:///etc/passwd", "http\\(s\\) URL"),
    ],
)
def test_an_unsafe_base_url_is_refused(monkeypatch, url, problem):
    monkeypatch.setenv("OPENAI_BASE_URL", url)

    with pytest.raises(SettingsError, match=f"OPENAI_BASE_URL: .*{problem}"):
        load_settings()


def test_loopback_may_be_plain_http(monkeypatch):
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:11434/v1/")

    assert load_settings().openai_base_url == "http://127.0.0.1:11434/v1"


def test_a_key_is_never_printed(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-canary")

    assert "canary" not in repr(load_settings())


def test_an_env_file_yields_to_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("OPENAI_BASE_URL", "https://set.example/v1")
    monkeypatch.setenv("LLMOPS_VERSIONING", "")
    monkeypatch.delenv("LLMOPS_VERSIONING")
    (tmp_path / ".env").write_text("OPENAI_BASE_URL=https://file.example/v1\nLLMOPS_VERSIONING=off\n")

    load_env_file(tmp_path / ".env")

    assert load_settings().openai_base_url == "https://set.example/v1"
    assert load_settings().llmops_versioning == "off"

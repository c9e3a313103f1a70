"""The environment: where things run and with which key. Nothing here may change a result.

This is the only module that reads the environment. Keys are `SecretStr`, so that printing a
settings object shows `**********`.
"""

import os
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from flows.core.errors import SettingsError

LOOPBACK = {"127.0.0.1", "localhost", "::1"}

TELEMETRY_OFF = {
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "DVC_NO_ANALYTICS": "1",
    "GX_ANALYTICS_ENABLED": "false",
    "RAY_USAGE_STATS_ENABLED": "0",
    "HF_HUB_OFFLINE": "1",
}


class Settings(BaseSettings):
    """Every environment variable the project reads; `.env.example` repeats them."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", env_ignore_empty=True)

    openai_api_key: SecretStr | None = Field(None, description="Key of the hosted provider; unset = local.")
    openai_base_url: str | None = Field(None, description="Any OpenAI-compatible endpoint: vLLM, Ollama, a gateway.")
    prefect_api_url: str | None = Field(None, description="A Prefect server; set = `llmops run` runs as flows on it.")
    ray_address: str | None = Field(
        None, description="A Ray cluster; set = `embed` runs on it (`local` starts one on this machine)."
    )
    llmops_versioning: Literal["auto", "dvc", "off"] = Field(
        "auto", description="Record stages in DVC: `auto` = where the project is a DVC repository."
    )

    @field_validator("openai_base_url")
    @classmethod
    def _safe_url(cls, value: str | None) -> str | None:
        if value is None:
            return None
        url = urlsplit(value)
        if url.scheme not in {"http", "https"} or not url.hostname:
            raise ValueError("must be an http(s) URL such as http://127.0.0.1:11434/v1")
        if url.username or url.password:
            raise ValueError("must not carry credentials; put the key into OPENAI_API_KEY")
        if url.scheme == "http" and url.hostname not in LOOPBACK:
            raise ValueError("must be https unless the host is this machine: the key would travel in clear")
        return value.rstrip("/")

    @property
    def hosted(self) -> bool:
        """Whether a provider outside this project is configured."""
        return self.openai_api_key is not None or self.openai_base_url is not None


def load_settings() -> Settings:
    """Read the environment.

    Raises:
        SettingsError: Names each wrong variable, never its value.
    """
    try:
        return Settings()
    except ValidationError as error:
        lines = [f"{str(item['loc'][0]).upper()}: {item['msg']}" for item in error.errors()]
        raise SettingsError(
            f"{len(lines)} environment variable(s) are wrong:\n  " + "\n  ".join(lines) + "\nSee .env.example."
        ) from None


def named_secret(name: str) -> SecretStr | None:
    """Return the value of a variable that the user named as holding a key; None where it is not set."""
    value = os.environ.get(name)
    return SecretStr(value) if value else None


def load_env_file(path: Path) -> None:
    """Add the variables of an `.env` file to the environment; what is set already wins."""
    from dotenv import dotenv_values

    for name, value in dotenv_values(path).items():
        if value:
            os.environ.setdefault(name, value)


def silence_telemetry() -> None:
    """Switch off the telemetry of every tool we run, unless the user has set the variable."""
    for name, value in TELEMETRY_OFF.items():
        os.environ.setdefault(name, value)


def crash_point_requested() -> str | None:
    """Return the named point at which this process must kill itself (crash tests), if any."""
    return os.environ.get("LLMOPS_CRASH_AT")

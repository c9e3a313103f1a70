"""Parameters of the provider room: which models, how patiently they are asked, what may be spent.

Everything here can change a result or a bill, so it lives in params.yaml; where the provider is
and with which key it is asked lives in the environment (`flows.core.settings`).
"""

from datetime import UTC, datetime
from typing import ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from flows.core.errors import did_you_mean
from flows.core.params import Section

# under which use cases a flow asks models
USE_CASES = {"embed": ("indexing",), "testset": ("testset",), "evaluate": ("evaluation", "judge")}


class Budget(BaseModel):
    """What a UTC day or month may cost, in all or for one use case or flow, and who answers for it."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    name: str = Field(min_length=1, max_length=100, description="What people call it.")
    owner: str = Field(min_length=1, max_length=200, description="Who decides about it.")
    period: Literal["day", "month"] = Field(description="UTC day or UTC month.")
    use_case: str | None = Field(None, min_length=1, description="Only calls of this use case.")
    stage: str | None = Field(None, min_length=1, description="Only calls of this flow: embed, testset or evaluate.")
    soft_usd: float | None = Field(None, ge=0, le=1e7, description="Beyond it every run warns.")
    hard_usd: float | None = Field(None, ge=0, le=1e7, description="Beyond it no call leaves.")

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if self.soft_usd is None and self.hard_usd is None:
            raise ValueError("a budget needs soft_usd, hard_usd or both")
        if self.soft_usd is not None and self.hard_usd is not None and self.soft_usd > self.hard_usd:
            raise ValueError(f"soft_usd {self.soft_usd!r} lies above hard_usd {self.hard_usd!r}")
        if self.use_case is not None and self.stage is not None:
            raise ValueError("a budget is of a use_case or of a stage, not of both")
        if self.stage is not None and self.stage not in USE_CASES:
            raise ValueError(f"flow {self.stage!r} asks no model.{did_you_mean(self.stage, USE_CASES)} {[*USE_CASES]}")
        return self

    @property
    def use_cases(self) -> tuple[str, ...]:
        """The use cases whose calls count; none = all."""
        return USE_CASES[self.stage] if self.stage else (self.use_case,) if self.use_case else ()

    def covers(self, use_case: str) -> bool:
        """Return whether calls of a use case count."""
        return not self.use_cases or use_case in self.use_cases

    def since(self, now: datetime) -> str:
        """Return the period that is running, as 2026-11-21 or 2026-11."""
        day = now.astimezone(UTC).date().isoformat()
        return day if self.period == "day" else day[:7]


class ProviderParams(Section):
    """The section `provider` of params.yaml."""

    section: ClassVar[str] = "provider"

    chat_model: str = Field("auto", min_length=1, description="Chat model; auto = local without key and URL.")
    embedding_model: str = Field("auto", min_length=1, description="Embedding model; auto as for chat_model.")
    hosted_chat_model: str = Field("gpt-4.1-mini", min_length=1, description="What auto means with a key or URL.")
    hosted_embedding_model: str = Field(
        "text-embedding-3-small", min_length=1, description="What auto means for embeddings with a key or URL."
    )
    reasoning_models: tuple[str, ...] = Field(
        ("o1", "o3", "o4", "gpt-5"), description="Names starting so take neither temperature nor seed."
    )
    embed_backend: Literal["auto", "openvino", "onnxruntime"] = Field(
        "auto", description="Back end of the local embedding model; part of its fingerprint."
    )
    embed_batch: int = Field(64, ge=1, le=2048, description="Texts per embedding request.")
    local_embed_batch: int = Field(
        256, ge=1, le=2048, description="The same for the embedded server; more saves little and lengthens latencies."
    )
    probe_cosine_min: float = Field(
        0.9995, ge=0.9, le=1.0, description="A hosted model whose probe vectors fall below this is another model."
    )

    concurrency: int = Field(8, ge=1, le=256, description="Requests in flight at once.")
    local_concurrency: int = Field(
        2, ge=1, le=64, description="The same for the embedded server; more than processors only lengthens latencies."
    )
    deadline_s: float = Field(120.0, gt=0, le=3600, description="Longest time for one call with all its repeats.")
    timeout_s: float = Field(60.0, gt=0, le=3600, description="Longest time for one request.")
    connect_timeout_s: float = Field(5.0, gt=0, le=60, description="Longest time to open a connection.")
    attempts_max: int = Field(5, ge=1, le=20, description="Requests per call while none was processed.")
    backoff_base_s: float = Field(1.0, ge=0, le=60, description="Upper end of the first random wait; it doubles.")
    backoff_max_s: float = Field(20.0, ge=0, le=600, description="Upper end of any random wait.")
    outage_calls: int = Field(
        3, ge=1, le=1000, description="Calls given up in a row, with no answer between, that count as an outage."
    )
    response_bytes_max: int = Field(
        32_000_000, ge=10_000, le=1_000_000_000, description="A longer answer is cut off and refused."
    )

    calls_privacy: Literal["full", "hashed", "none"] = Field(
        "full", description="What the calls log keeps of prompts and completions."
    )
    import_text_chars_max: int = Field(
        20_000, ge=0, le=10_000_000, description="Of an imported prompt or completion; the rest is its hash and length."
    )
    budget_usd_per_run: float | None = Field(5.0, ge=0, le=1e6, description="Most a run may spend; null = no limit.")
    budget_usd_per_day: float | None = Field(None, ge=0, le=1e6, description="Most a UTC day may cost.")
    budget_usd_per_month: float | None = Field(None, ge=0, le=1e7, description="Most a UTC month may cost.")
    budgets: tuple[Budget, ...] = Field(
        (), description="By name: owner, period, use_case or stage, soft_usd (warns), hard_usd (stops)."
    )
    allow_unpriced: bool = Field(False, description="Let models without a known price run under a budget.")
    reserve_factor: float = Field(
        1.1, ge=1.0, le=5.0, description="Input tokens are reserved times this; 1.3 for foreign tokenizers."
    )
    usage_factor_max: float = Field(
        3.0, ge=1.0, le=100.0, description="Reported tokens beyond this times our own count are flagged."
    )
    estimate_output_share: float = Field(
        0.3, ge=0.0, le=1.0, description="Share of max_output_tokens that an estimate expects where none is logged."
    )
    estimate_history_days: int = Field(
        90, ge=1, le=3660, description="Logged calls of so many days say how long answers are, for an estimate."
    )

    def texts_per_request(self, *, local: bool) -> int:
        """Return how many texts an embedding request takes, to the embedded server or to a hosted provider."""
        return self.local_embed_batch if local else self.embed_batch

    @model_validator(mode="after")
    def _budgets_have_names_of_their_own(self) -> Self:
        names = [budget.name for budget in self.budgets]
        if doubles := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"two budgets are called {doubles[0]!r}")
        return self

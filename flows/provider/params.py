"""Parameters of the provider room: which models, how patiently they are asked, what may be spent.

Everything here can change a result or a bill, so it lives in params.yaml; where the provider is
and with which key it is asked lives in the environment (`flows.core.settings`).
"""

from typing import ClassVar, Literal

from pydantic import Field

from flows.core.params import Section


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
    budget_usd_per_run: float | None = Field(5.0, ge=0, le=1e6, description="Most a run may spend; null = no limit.")
    budget_usd_per_day: float | None = Field(None, ge=0, le=1e6, description="Most a UTC day may cost.")
    budget_usd_per_month: float | None = Field(None, ge=0, le=1e7, description="Most a UTC month may cost.")
    allow_unpriced: bool = Field(False, description="Let models without a known price run under a budget.")
    reserve_factor: float = Field(
        1.1, ge=1.0, le=5.0, description="Input tokens are reserved times this; 1.3 for foreign tokenizers."
    )
    usage_factor_max: float = Field(
        3.0, ge=1.0, le=100.0, description="Reported tokens beyond this times our own count are flagged."
    )
    estimate_output_share: float = Field(
        0.3, ge=0.0, le=1.0, description="Share of max_output_tokens that an estimate expects to be used."
    )

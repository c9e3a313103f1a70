"""What goes into a provider and what comes out: plain frozen values, the contract of this room.

A failed row is a value (`ProviderFailure`), because one bad question must not stop a batch; what
stops a batch (no key, no money, no provider) is an exception.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal

Role = Literal["system", "developer", "user", "assistant"]
EmbedMode = Literal["document", "query"]


@dataclass(frozen=True)
class Message:
    """One message of a conversation."""

    role: Role
    content: str


@dataclass(frozen=True)
class CallTags:
    """What the calls log keeps about why a request was made."""

    step: str
    release_id: str | None = None
    conversation_id: str | None = None
    prompt_id: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class ChatRequest:
    """One question to a chat model.

    Args:
        messages: The conversation, oldest first.
        tags: Why it is asked; not part of the cache key.
        model: None = the provider's `chat_model`.
        temperature: 0 = as repeatable as the model can be.
        max_output_tokens: The answer is cut there, which counts as the failure `truncated`.
        seed: Sent along; most providers promise nothing about it.
        response_schema: JSON schema that the answer must satisfy; None = free text.
        sample: Number of the repeat; repeats are separate answers with separate cache entries.
    """

    messages: tuple[Message, ...]
    tags: CallTags
    model: str | None = None
    temperature: float = 0.0
    max_output_tokens: int = 512
    seed: int = 0
    response_schema: Mapping[str, Any] | None = None
    sample: int = 0


@dataclass(frozen=True)
class ChatResult:
    """A complete, validated answer; from the cache it keeps the usage and cost of its first time."""

    text: str
    parsed: dict[str, Any] | None
    finish_reason: str
    call_id: str
    request_model: str
    response_model: str
    system_fingerprint: str | None
    input_tokens: int
    output_tokens: int
    cached_input_tokens: int
    latency_ms: float
    cost_usd: float | None
    from_cache: bool = False


@dataclass(frozen=True)
class ProviderFailure:
    """One row that failed for good.

    `error_class` is one of truncated, content_filter, refusal, empty_answer, schema_mismatch,
    unknown_finish_reason, bad_embedding, context_length_exceeded, bad_request, unavailable, unknown_outcome.
    A row that was answered and is unusable cost money all the same; `cost_usd` says how much.
    """

    error_class: str
    message: str
    call_id: str
    cost_usd: float | None = 0.0


@dataclass(frozen=True)
class EmbeddingFingerprint:
    """Identity of an embedding model: equal fingerprints give interchangeable vectors."""

    model: str
    revision: str  # "unknown" for a hosted model
    dims: int
    normalised: bool
    backend: str
    precision: str
    probe_sha256: str  # of the vectors of three fixed texts, coarsely rounded


@dataclass
class ProviderUsage:
    """What one session has used so far."""

    calls: int = 0
    cached: int = 0
    failed: int = 0
    unknown_outcome: int = 0  # requests that may have been billed without an answer
    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: float | None = 0.0  # None = some call is unpriced

    def add(self, other: "ProviderUsage") -> None:
        """Add what another session has used."""
        for item in fields(self):
            ours, theirs = getattr(self, item.name), getattr(other, item.name)
            setattr(self, item.name, None if ours is None or theirs is None else ours + theirs)


@dataclass
class Loan:
    """Money lent to other processes: what they may spend (None = no limit), and what they used."""

    usd: float | None
    used: ProviderUsage = field(default_factory=ProviderUsage)

"""Decide what a failed request means and when it may be sent again. Pure: no clock, no network.

Three classes (FoundationDB's "unknown result" taken seriously): *not processed* may be repeated
freely, *refused* never, *unknown* (it may have been billed) once. Waits are random between zero and
a doubling limit ("full jitter", Brooker 2015), and never shorter than what the provider asked for.
"""

import random
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum

from flows.provider.params import ProviderParams


class Outcome(StrEnum):
    """What happened to a request that brought no usable answer."""

    NOT_PROCESSED = "not_processed"
    REFUSED = "refused"  # this request
    REFUSED_ALL = "refused_all"  # every request like it: key, quota, model
    UNKNOWN = "unknown_outcome"


@dataclass(frozen=True)
class Failure:
    """One failed request: its class, its name in the calls log, and what a person may read."""

    outcome: Outcome
    error_class: str
    message: str
    retry_after_s: float | None = None


_REMEDIES = {
    "invalid_key": "The provider does not accept the key. Set OPENAI_API_KEY to a valid one.",
    "no_credit": "The provider account has no credit left. Add credit at the provider, then run again to resume.",
    "forbidden": "The key may not use this model or endpoint. Ask for access, or name another model in params.yaml.",
    "model_not_found": "The provider does not know the model or path. Check provider.*_model and OPENAI_BASE_URL.",
    "redirect": "The provider redirects elsewhere, which is never followed. Set OPENAI_BASE_URL to the final address.",
}
_REFUSE_ALL = {401: "invalid_key", 402: "no_credit", 403: "forbidden", 404: "model_not_found"}
_QUOTA = {"insufficient_quota", "billing_hard_limit_reached", "insufficient_credits"}
_POLICY = {"content_policy_violation", "content_filter", "moderation_blocked"}
_NOT_PROCESSED = {408, 409, 425, 429}


def classify_status(status: int, code: str | None, detail: str, headers: Mapping[str, str], now: datetime) -> Failure:
    """Classify an answer with an HTTP status of 300 and more.

    Args:
        status: The HTTP status.
        code: The provider's error code or type, if its body names one.
        detail: The provider's message, already cleaned of keys.
        headers: The response headers, lower case.
        now: For `Retry-After` given as a date.
    """
    if code in _QUOTA:
        return _refused_all("no_credit", status)
    if 300 <= status < 400:
        return _refused_all("redirect", status)
    if status in _REFUSE_ALL:
        return _refused_all(_REFUSE_ALL[status], status)
    if status in _NOT_PROCESSED or status >= 500:
        name = "rate_limited" if status == 429 else f"http_{status}"
        return Failure(Outcome.NOT_PROCESSED, name, f"HTTP {status}", retry_after_s(headers, now))
    if code in _POLICY:
        return Failure(Outcome.REFUSED, "content_filter", "the provider's policy refused the prompt")
    name = "context_length_exceeded" if code == "context_length_exceeded" else "bad_request"
    return Failure(Outcome.REFUSED, name, f"HTTP {status}: {detail}")


def _refused_all(error_class: str, status: int) -> Failure:
    return Failure(Outcome.REFUSED_ALL, error_class, f"HTTP {status}. {_REMEDIES[error_class]}")


def classify_lost(*, connected: bool, what: str) -> Failure:
    """Classify a request without an answer; one that never had a connection was not processed."""
    if connected:
        return Failure(Outcome.UNKNOWN, Outcome.UNKNOWN, what)
    return Failure(Outcome.NOT_PROCESSED, "unreachable", what)


def retry_after_s(headers: Mapping[str, str], now: datetime) -> float | None:
    """Return the wait the provider asks for in seconds, at least 0; None when it asks for none.

    Understands `retry-after-ms`, and `retry-after` in seconds or as an HTTP date.
    """
    if (milliseconds := _number(headers.get("retry-after-ms"))) is not None:
        return max(0.0, milliseconds / 1000)
    value = headers.get("retry-after")
    if value is None:
        return None
    if (seconds := _number(value)) is not None:
        return max(0.0, seconds)
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0.0, (moment - now).total_seconds())


def _number(text: str | None) -> float | None:
    try:
        value = float(text) if text is not None else None
    except ValueError:
        return None
    return value if value is not None and abs(value) != float("inf") and value == value else None


def delay_s(failure: Failure, attempt: int, params: ProviderParams, rng: random.Random) -> float:
    """Return how long to wait before request number `attempt + 1` (the first is number 1)."""
    limit = min(params.backoff_max_s, params.backoff_base_s * 2.0 ** (attempt - 1))
    return (failure.retry_after_s or 0.0) + rng.uniform(0.0, limit)

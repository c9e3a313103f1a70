"""Make one logical call: journal, reserve, send, repeat where that is allowed, check, settle.

The order is the promise: a record and a reservation exist before anything leaves, so that a killed
process leaves a call that says `unknown_outcome` and money that stays set aside. A request whose
outcome is unknown is repeated once, as a call of its own.
"""

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from time import monotonic
from typing import Any, Generic, NoReturn, TypeVar
from uuid import uuid4

from flows.core.calls import Call, Journal
from flows.core.clock import Clock
from flows.core.errors import BudgetError, LlmopsError, ProviderDownError, ProviderRefusedError
from flows.core.ids import canonical_json
from flows.provider.budget import Ledger
from flows.provider.outcomes import BrokenBodyError, Tokens, UnusableAnswerError
from flows.provider.params import ProviderParams
from flows.provider.prices import OwnPrices, Price, cost_usd, price_at
from flows.provider.requests import CallTags, ProviderUsage
from flows.provider.retry import Failure, Outcome, classify_lost
from flows.provider.sending import Attempts, Sender
from flows.provider.wire import CallFailedError, Endpoint

T = TypeVar("T")


@dataclass(frozen=True)
class Checked(Generic[T]):
    """A body that passed its checks, and what the calls log keeps of it."""

    value: T
    model: str
    tokens: Tokens
    system_fingerprint: str | None = None
    finish_reason: str | None = None
    completion: str | None = None
    notes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Ask(Generic[T]):
    """One logical call: where it goes, what it costs at worst, and how its answer is checked."""

    endpoint: Endpoint
    path: str
    body: Mapping[str, Any]
    operation: str
    model: str
    tags: CallTags
    prompt: str | None
    worst: Callable[[], Tokens]  # counted only where something must be reserved
    check: Callable[[bytes], Checked[T]]


@dataclass(frozen=True)
class Delivered(Generic[T]):
    """A checked answer with its call."""

    checked: Checked[T]
    call_id: str
    latency_ms: float
    cost_usd: float | None


class RowFailedError(Exception):
    """This call failed for good; others may go on."""

    def __init__(self, error_class: str, message: str, call_id: str, cost: float | None = 0.0) -> None:
        super().__init__(message)
        self.error_class, self.call_id, self.cost_usd = error_class, call_id, cost


class Caller:
    """Makes calls for one session; lives on one event loop."""

    def __init__(
        self,
        *,
        params: ProviderParams,
        journal: Journal,
        ledger: Ledger,
        prices: OwnPrices,
        use_case: str,
        clock: Clock,
    ) -> None:
        self.params, self.journal, self.ledger, self.prices = params, journal, ledger, prices
        self.use_case, self.clock = use_case, clock
        self.usage = ProviderUsage()
        self._given_up = 0  # calls in a row that found no provider
        self.sender = Sender(params, clock, seed=ledger.run_id)

    def price(self, endpoint: Endpoint, model: str, when: datetime, input_tokens: int = 0) -> Price | None:
        """Return what the model that will bill costs, or None when nobody knows."""
        return price_at(
            endpoint.name, model, when, own=self.prices, input_tokens=input_tokens, base_url=endpoint.base_url
        )

    async def deliver(self, ask: Ask[T]) -> Delivered[T]:
        """Make the call.

        Raises:
            RowFailedError: This call failed for good.
            ProviderRefusedError: The provider refuses every call like it.
            ProviderDownError: The provider is away, or wants a longer wait than `provider.deadline_s`.
            BudgetError: The worst case of this call does not fit into the budget.
        """
        async with ask.endpoint.slots:
            deadline = monotonic() + self.params.deadline_s
            try:
                return await self._once(ask, deadline, repeat_of=None)
            except _UnknownError as first:
                try:
                    return await self._once(ask, deadline, repeat_of=first.call_id)
                except _UnknownError as second:
                    self._give_up(second.failure)
                    raise RowFailedError(Outcome.UNKNOWN, second.failure.message, second.call_id, None) from None

    async def _once(self, ask: Ask[T], deadline: float, repeat_of: str | None) -> Delivered[T]:
        call, reserved = await self._open(ask, repeat_of)
        attempts = Attempts()
        try:
            body, latency_ms = await self.sender.send(ask.endpoint, ask.path, ask.body, deadline, attempts)
            call = replace(call, latency_ms=latency_ms)
            checked = ask.check(body)
        except LlmopsError:
            stopped = replace(call, status="error", error_class="stopped")
            await self._write(stopped, attempts, reserved=reserved, cost=0.0)
            raise
        except CallFailedError as error:
            await self._failed(call, error.failure, reserved, attempts)
        except BrokenBodyError as error:
            await self._failed(call, classify_lost(connected=True, what=str(error)), reserved, attempts)
        except UnusableAnswerError as error:
            self._given_up = 0
            cost = await self._close(ask, call, reserved, error.usage, attempts, error_class=error.error_class)
            self.usage.failed += 1
            raise RowFailedError(error.error_class, str(error), call.call_id, cost) from None
        self._given_up = 0
        call = _with_answer(call, checked)
        cost = await self._close(ask, call, reserved, checked.tokens, attempts, notes=checked.notes)
        return Delivered(checked, call.call_id, latency_ms, cost)

    async def _open(self, ask: Ask[T], repeat_of: str | None) -> tuple[Call, bool]:
        now = self.clock()
        metadata = dict(ask.tags.metadata) | ({"repeat_of": repeat_of} if repeat_of else {})
        call = Call(
            call_id=uuid4().hex, started_at=now, step=ask.tags.step, use_case=self.use_case, operation=ask.operation,
            provider=ask.endpoint.name, request_model=ask.model, conversation_id=ask.tags.conversation_id,
            release_id=ask.tags.release_id, prompt_id=ask.tags.prompt_id, prompt=ask.prompt,
            metadata=canonical_json(metadata),
        )  # fmt: skip
        reserved = ask.endpoint.name != "local" and await self._reserve(ask, call.call_id, now)
        self.journal.append(call)
        return call, reserved

    async def _reserve(self, ask: Ask[T], call_id: str, now: datetime) -> bool:
        worst = ask.worst()
        price = self.price(ask.endpoint, ask.model, now, worst.input)
        usd = cost_usd(worst, _dearest(price)) if price else None
        if usd is None and self.ledger.limits.any and not self.params.allow_unpriced:
            raise BudgetError(
                f"the price of model {ask.model!r} at {ask.endpoint.name!r} is unknown, so a budget cannot hold. Write "
                "its price with its source into data/prices/own.yaml, or set provider.allow_unpriced in params.yaml."
            )
        if usd is None:
            return False
        await asyncio.to_thread(self.ledger.reserve, call_id, usd, provider=ask.endpoint.name, model=ask.model, now=now)
        return True

    async def _failed(self, call: Call, failure: Failure, reserved: bool, attempts: Attempts) -> NoReturn:
        unknown = failure.outcome is Outcome.UNKNOWN
        await self._write(
            replace(call, status="unknown_outcome" if unknown else "error", error_class=failure.error_class),
            attempts, reserved=reserved, cost=None if unknown and reserved else 0.0,
        )  # fmt: skip
        if unknown:
            self.usage.unknown_outcome += 1
            raise _UnknownError(failure, call.call_id)
        if failure.outcome is Outcome.REFUSED_ALL:
            raise ProviderRefusedError(f"{call.provider!r} refused model {call.request_model!r}: {failure.message}")
        self.usage.failed += 1
        if failure.outcome is Outcome.NOT_PROCESSED:
            self._give_up(failure)
            raise RowFailedError("unavailable", failure.message, call.call_id)
        self._given_up = 0
        raise RowFailedError(failure.error_class, failure.message, call.call_id)

    def _give_up(self, failure: Failure) -> None:
        self._given_up += 1
        if self._given_up >= self.params.outage_calls:
            raise ProviderDownError(down_message(failure.message, self._given_up))

    async def _close(
        self, ask: Ask[T], call: Call, reserved: bool, tokens: Tokens | None, attempts: Attempts,
        *, error_class: str | None = None, notes: Mapping[str, Any] | None = None,
    ) -> float | None:  # fmt: skip
        if tokens is None:
            tokens, notes = ask.worst(), {"usage": "worst_case"}
        billed = call.response_model if (notes or {}).get("model_differs") and call.response_model else ask.model
        when, size = call.started_at, tokens.input
        price = self.price(ask.endpoint, billed, when, size) or self.price(ask.endpoint, ask.model, when, size)
        cost = cost_usd(tokens, price)
        call = replace(
            call, status="error" if error_class else "ok", error_class=error_class, cost_usd=cost,
            input_tokens=tokens.input, cached_input_tokens=tokens.cached, output_tokens=tokens.output,
            reasoning_tokens=tokens.reasoning,
        )  # fmt: skip
        await self._write(call, attempts, reserved=reserved, cost=cost, notes=notes)
        self._count(tokens, cost)
        return cost

    async def _write(
        self, call: Call, attempts: Attempts, *, reserved: bool, cost: float | None, notes: Any = None
    ) -> None:
        extra = dict(notes or {}) | ({"attempts": attempts.sent} if attempts.sent > 1 else {})
        if extra:
            call = replace(call, metadata=canonical_json(json.loads(call.metadata) | extra))
        self.journal.append(call)
        if reserved:
            await asyncio.to_thread(self.ledger.settle, call.call_id, cost)

    def _count(self, tokens: Tokens, cost: float | None) -> None:
        usage = self.usage
        usage.calls += 1
        usage.input_tokens += tokens.input
        usage.output_tokens += tokens.output
        usage.cost_usd = None if usage.cost_usd is None or cost is None else usage.cost_usd + cost


class _UnknownError(Exception):
    def __init__(self, failure: Failure, call_id: str) -> None:
        super().__init__(failure.message)
        self.failure, self.call_id = failure, call_id


def down_message(cause: str, calls: int) -> str:
    """Say that the provider is away and how to go on."""
    return (
        f"the provider gave no answer to {calls} call(s) in a row ({cause}). "
        "Finished work is kept: check OPENAI_BASE_URL and the provider's status, then run again to resume."
    )


def _with_answer(call: Call, checked: Checked[Any]) -> Call:
    return replace(
        call, response_model=checked.model, system_fingerprint=checked.system_fingerprint,
        finish_reason=checked.finish_reason, completion=checked.completion,
    )  # fmt: skip


def _dearest(price: Price) -> Price:
    """Return the price with every input token at the dearest input rate, for a worst case."""
    return replace(price, input=max(price.input or 0.0, price.cache_write or 0.0) if price.input is not None else None)

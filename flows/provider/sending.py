"""Repeat a request for as long as that is harmless: nobody processed it, and time is left.

Who is asked to wait makes everybody wait: the pause belongs to the endpoint, not to the call. Being asked
to wait does not use up attempts, because a busy provider is not a broken one; the deadline bounds both.
"""

import asyncio
import random
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from time import monotonic
from typing import Any

from flows.core.clock import Clock
from flows.core.errors import ProviderDownError
from flows.provider.params import ProviderParams
from flows.provider.retry import Failure, Outcome, delay_s
from flows.provider.wire import CallFailedError, Endpoint


@dataclass
class Attempts:
    """How often one call was tried."""

    sent: int = 0
    unanswered: int = 0  # without those that the provider asked to postpone


class Sender:
    """Sends requests for one session; lives on one event loop."""

    def __init__(self, params: ProviderParams, clock: Clock, *, seed: str) -> None:
        self.params, self.clock = params, clock
        self.stop = asyncio.Event()  # set when a batch ends early: nobody waits for another attempt
        self._rng = random.Random(seed)  # noqa: S311 - spreads waits, guards nothing

    async def send(
        self, endpoint: Endpoint, path: str, body: Mapping[str, Any], deadline: float, attempts: Attempts
    ) -> tuple[bytes, float]:
        """Send until an answer comes; return its body and the latency of the last attempt in ms.

        Raises:
            CallFailedError: Refused, unknown, or not processed too often.
            ProviderDownError: The provider wants a wait beyond the deadline, or the batch was stopped.
        """
        while True:
            await self._pause(endpoint, deadline)
            started = monotonic()
            attempts.sent += 1
            try:
                seconds = min(self.params.timeout_s, max(deadline - started, 0.001))
                answer = await endpoint.post(path, body, seconds=seconds)
                return answer, (monotonic() - started) * 1000
            except CallFailedError as error:
                await self._back_off(endpoint, error.failure, deadline, attempts)

    async def _back_off(self, endpoint: Endpoint, failure: Failure, deadline: float, attempts: Attempts) -> None:
        """Wait before the next attempt, or raise when there must be none."""
        if failure.outcome is not Outcome.NOT_PROCESSED:
            raise CallFailedError(failure)
        limited = failure.error_class == "rate_limited"
        attempts.unanswered += not limited
        if attempts.unanswered >= self.params.attempts_max:
            raise CallFailedError(failure)
        wait_s = delay_s(failure, max(attempts.sent, 1), self.params, self._rng)
        if failure.retry_after_s or limited:
            endpoint.paused_until = max(endpoint.paused_until, monotonic() + wait_s)
        elif monotonic() + wait_s < deadline:
            await self._nap(wait_s)
        else:
            raise CallFailedError(failure)

    async def _pause(self, endpoint: Endpoint, deadline: float) -> None:
        """Hold back while the provider asked everybody to wait; afterwards start one by one."""
        while (wait_s := endpoint.paused_until - monotonic()) > 0:
            if endpoint.paused_until > deadline:
                resume = (self.clock() + timedelta(seconds=wait_s)).strftime("%Y-%m-%d %H:%M:%S UTC")
                raise ProviderDownError(
                    f"{endpoint.name!r} asks to wait {wait_s:.0f} s, longer than provider.deadline_s allows. "
                    f"Finished work is kept: run again after {resume} to resume."
                )
            await self._nap(wait_s + self._rng.uniform(0.0, min(wait_s, 1.0) / 4))

    async def _nap(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self.stop.wait()
        except TimeoutError:
            return
        raise ProviderDownError("the batch was stopped before this call could be repeated. Run again to resume.")

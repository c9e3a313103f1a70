"""Run asynchronous work from synchronous code: one event loop in one thread, for a session's life.

A loop of its own works the same whether or not the caller already runs one (notebooks, Prefect), keeps
connections open between batches, and puts everything that is not thread-safe onto one thread.
"""

import asyncio
import sqlite3
import threading
from collections.abc import Awaitable, Callable, Collection, Coroutine
from typing import Any, TypeVar

from flows.core.errors import LlmopsError

T = TypeVar("T")
STOP_S = 5.0  # how long cancelled work may take to clean up


class LoopThread:
    """An event loop in a daemon thread."""

    def __init__(self, name: str) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name=name, daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Do the work on the loop and return its result; an interrupt cancels it."""
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def close(self) -> None:
        """Cancel what still runs, and stop."""
        asyncio.run_coroutine_threadsafe(_cancel_rest(), self._loop).result(STOP_S)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(STOP_S)
        self._loop.close()


async def _cancel_rest() -> None:
    rest = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in rest:
        task.cancel()
    await asyncio.gather(*rest, return_exceptions=True)


async def work_through(
    jobs: Collection[T], do: Callable[[T], Awaitable[None]], *, workers: int, stop: asyncio.Event
) -> None:
    """Do every job, `workers` at a time; after an error that stops a batch, start no more.

    Work in flight is finished, because it is paid for; `stop` tells it not to wait for another try.

    Raises:
        LlmopsError, OSError, sqlite3.Error: The first one that a job raised; a full disk is the latter two.
    """
    queue, errors = iter(jobs), list[Exception]()

    async def worker() -> None:
        for job in queue:
            if errors:
                return
            try:
                await do(job)
            except (LlmopsError, OSError, sqlite3.Error) as error:
                errors.append(error)
                stop.set()

    stop.clear()
    async with asyncio.TaskGroup() as group:
        for _ in range(min(workers, len(jobs))):
            group.create_task(worker())
    if errors:
        raise errors[0]

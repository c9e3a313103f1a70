"""A Python function as a target: `module:function(question, history)` in processes of its own.

The function returns a text or a mapping (`flows.evaluate.replies`), may be a coroutine, and may fail: an
exception, a wrong form, a crash of the process or a call beyond the time limit costs its question and
nothing else. A process that had to be killed is replaced. Nothing is cached: what a function depends
on cannot be known. History is a list of `{"role": …, "content": …}`, oldest first.
"""

import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from flows.core.errors import ContractError, UsageError
from flows.core.ids import content_id
from flows.core.progress import Progress
from flows.evaluate.answering import Wanted, turn_of
from flows.evaluate.replies import Reply, reply_of
from flows.evaluate.targets import Given

_WORKER = str(Path(__file__).with_name("targets_worker.py"))  # a file, so that it needs nothing but Python


class Function:
    """One function.

    Args:
        spec: `module:function`.
        folder: Searched for the module before everything else, and the folder the function runs in.
        timeout_s: Longest time for one question.
        workers: Processes, each answering one question at a time.
    """

    repeats_itself = False

    def __init__(self, spec: str, *, folder: Path, timeout_s: float, workers: int) -> None:
        self.name, self._spec, self._folder = spec, spec, folder
        self._timeout_s, self._workers = timeout_s, workers
        self.target_id = content_id("target", "function", spec)

    def answer(self, todo: Sequence[Wanted], *, progress: Progress) -> Given:
        """Call the function for every question.

        Raises:
            UsageError: The module or the function cannot be loaded.
        """
        idle: SimpleQueue[_Worker] = SimpleQueue()
        workers = [_Worker(self._spec, self._folder, self._timeout_s) for _ in range(min(self._workers, len(todo)))]
        said: list[str] = []
        done = [0]

        def one(item: Wanted) -> Reply:
            worker = idle.get()
            try:
                reply, why = worker.ask(item)
            finally:
                idle.put(worker)
            done[0] += 1
            progress("answers", done[0], len(todo))
            said.extend([why] if why else [])
            return reply

        try:
            for worker in workers:
                worker.start()
                idle.put(worker)
            with ThreadPoolExecutor(max(len(workers), 1)) as threads:
                replies = list(threads.map(one, todo))
        finally:
            for worker in workers:
                worker.stop()
        return Given(replies, [f"First failure of {self.name}: {said[0]}."] if said else [])


class _Worker:
    """A process that can be asked one question at a time and is replaced when it hangs or dies."""

    def __init__(self, spec: str, folder: Path, timeout_s: float) -> None:
        self._spec, self._folder, self._timeout_s = spec, folder, timeout_s
        self._process: subprocess.Popen[bytes] | None = None
        self._rest = b""

    def start(self) -> None:
        """Start the process and let it load the function."""
        self._rest = b""
        self._process = subprocess.Popen(
            [sys.executable, _WORKER, self._spec], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=self._folder
        )
        try:
            answer = self._read(time.monotonic() + self._timeout_s)
        except TimeoutError:
            answer = {"failed": f"nothing after {self._timeout_s:g} s"}
        except EOFError:
            answer = {"failed": "its process ended"}
        if "failed" in answer:
            self.stop()
            raise UsageError(
                f"{self._spec!r} cannot be loaded from {str(self._folder)!r}: {answer['failed']}. "
                "Give module:function, importable from the project's folder."
            )

    def ask(self, item: Wanted) -> tuple[Reply, str]:
        """Return the reply, and where it failed in words for people."""
        turn = turn_of(item)
        history = [{"role": message.role, "content": message.content} for message in turn.history]
        line = json.dumps({"question": turn.question, "history": history}) + "\n"
        if self._process is None:
            self.start()
        assert self._process is not None
        assert self._process.stdin is not None
        started = time.monotonic()
        try:
            self._process.stdin.write(line.encode())
            self._process.stdin.flush()
            answer = self._read(started + self._timeout_s)
        except TimeoutError:
            self.stop()
            return Reply(error="timeout"), f"no answer within {self._timeout_s:g} s"
        except (BrokenPipeError, EOFError):
            self.stop()
            return Reply(error="crash"), "its process ended"
        return _reply(answer, (time.monotonic() - started) * 1000)

    def _read(self, deadline: float) -> dict[str, Any]:
        assert self._process is not None
        assert self._process.stdout is not None
        stream = self._process.stdout.fileno()
        while b"\n" not in self._rest:
            ready, _, _ = select.select([stream], [], [], max(deadline - time.monotonic(), 0.0))
            if not ready:
                raise TimeoutError
            part = os.read(stream, 1 << 20)
            if not part:
                raise EOFError
            self._rest += part
        line, _, self._rest = self._rest.partition(b"\n")
        found: dict[str, Any] = json.loads(line)
        return found

    def stop(self) -> None:
        """End the process, whatever it does."""
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        for stream in (process.stdin, process.stdout):
            if stream:
                stream.close()
        process.wait()


def _reply(answer: dict[str, Any], latency_ms: float) -> tuple[Reply, str]:
    if "error" in answer:
        return Reply(error=answer["error"]), f"{answer['error']} at {answer['where']}"
    try:
        reply = reply_of(answer["said"])
    except ContractError as error:
        return Reply(error="wrong_form"), str(error).rstrip(".")
    timed = reply.latency_ms if reply.latency_ms is not None or reply.error else latency_ms
    return Reply(**(vars(reply) | {"latency_ms": timed})), ""

"""Run untrusted parsers in processes that may die: limits, deadline, replacement.

A parser that hangs, eats memory or crashes costs its own file and nothing else: the process is
killed, the file is quarantined as `timeout`, `memory` or `corrupt`, and the next file gets a fresh
process. Processes are started by exec, not by fork, and end when this one does.
"""

import json
import os
import queue
import select
import signal
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Self

from flows.ingest.drafts import ParsedFile, Rejected, parsed_file
from flows.ingest.params import IngestParams
from flows.ingest.parsing import Limits
from flows.ingest.worker import LENGTH, OUT_OF_MEMORY, write_frame

_ROOT = Path(__file__).resolve().parents[2]
_COMMAND = (sys.executable, "-m", "flows.ingest.worker")
_WALL_FACTOR = 6  # processor time is the limit; wall time ends only what sleeps, not what a busy machine delays
_START_ALLOWANCE_S = 20.0  # a fresh process imports its parser within the first request
_MEMORY_SIGNALS = {signal.SIGABRT, signal.SIGKILL}  # a failed allocation aborts; the kernel's own killer kills


class ParserPool:
    """Parser processes, each used by one thread at a time; started when first needed.

    Args:
        params: Number of processes, memory and time limits.
    """

    def __init__(self, params: IngestParams) -> None:
        self._params = params
        self._idle: queue.LifoQueue[_Worker | None] = queue.LifoQueue()
        for _ in range(params.parser_processes):
            self._idle.put(None)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        while not self._idle.empty():
            if worker := self._idle.get():
                worker.stop()

    def parse(self, data: bytes, media_type: str, limits: Limits) -> ParsedFile:
        """Parse in a process; blocks while all are busy.

        Raises:
            Rejected: The parser's verdict, or `timeout`, `memory`, `corrupt` for a process that died.
        """
        worker = self._idle.get() or _Worker(self._params)
        try:
            return worker.parse(data, media_type, limits)
        finally:
            self._idle.put(worker if worker.alive else None)


class _Worker:
    def __init__(self, params: IngestParams) -> None:
        self._timeout_s = params.parse_timeout_s
        self._fresh = True
        self._process = subprocess.Popen(
            [*_COMMAND, str(params.parse_memory_mb)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=_ROOT, env={}, close_fds=True,
        )  # fmt: skip

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def parse(self, data: bytes, media_type: str, limits: Limits) -> ParsedFile:
        plain = asdict(limits) | {"columns": limits.columns.model_dump() if limits.columns else None}
        request = {"media_type": media_type, "timeout_s": self._timeout_s, "limits": plain}
        deadline = time.monotonic() + _WALL_FACTOR * self._timeout_s + (_START_ALLOWANCE_S if self._fresh else 0.0)
        self._fresh = False
        assert self._process.stdin is not None
        try:
            write_frame(self._process.stdin, json.dumps(request).encode())
            write_frame(self._process.stdin, data)
            answer = json.loads(self._read(LENGTH.unpack(self._read(LENGTH.size, deadline))[0], deadline))
        except (BrokenPipeError, EOFError):
            raise self._obituary() from None
        except TimeoutError:
            self.stop()
            raise Rejected("timeout", "wall_time", f"{_WALL_FACTOR * self._timeout_s:g} s") from None
        if "rejected" in answer:
            raise Rejected(*answer["rejected"])
        return parsed_file(answer["parsed"])

    def _read(self, size: int, deadline: float) -> bytes:
        assert self._process.stdout is not None
        stream, parts = self._process.stdout.fileno(), []
        while size:
            ready, _, _ = select.select([stream], [], [], max(deadline - time.monotonic(), 0.0))
            if not ready:
                raise TimeoutError

            part = os.read(stream, min(size, 1 << 20))
            if not part:
                raise EOFError
            parts.append(part)
            size -= len(part)
        return b"".join(parts)

    def _obituary(self) -> Rejected:
        """Say why the process died, by its exit status."""
        code = self._process.wait()
        self.stop()
        if code == -signal.SIGXCPU:
            return Rejected("timeout", "processor_time", f"{self._timeout_s:g} s")
        if -code in _MEMORY_SIGNALS or code == OUT_OF_MEMORY:
            return Rejected("memory", "address_space", f"exit status {code}")
        return Rejected("corrupt", "parser_crash", f"exit status {code}")

    def stop(self) -> None:
        for stream in (self._process.stdin, self._process.stdout):
            if stream:
                try:
                    stream.close()
                except BrokenPipeError:
                    continue
        self._process.kill()
        self._process.wait()

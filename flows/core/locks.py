"""One writer at a time, by a lock that dies with its process.

`flock` is held by the kernel for as long as the process lives, so there are no stale locks to
clean up. The file's content only tells a human who holds it. Not for network file systems.
"""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from flows.core.clock import Clock, utc_now
from flows.core.errors import LockedError
from flows.core.files import make_folder


@contextmanager
def writer_lock(path: Path, *, what: str, wait: bool = False, clock: Clock = utc_now) -> Iterator[None]:
    """Hold the exclusive lock `path` for the block.

    Args:
        path: The lock file; created when missing, never deleted.
        what: What is being written, for the other process's error message.
        wait: Block until the lock is free instead of raising.
        clock: Source of the start time that is shown to others.

    Raises:
        LockedError: Another process holds it; says which and since when.
    """
    make_folder(path.parent)
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            raise LockedError(_busy(what, handle)) from None
        _sign(handle, clock())
        yield
    finally:
        os.close(handle)


def _sign(handle: int, now: datetime) -> None:
    os.ftruncate(handle, 0)
    os.pwrite(handle, json.dumps({"pid": os.getpid(), "since": now.isoformat(timespec="seconds")}).encode(), 0)


def _busy(what: str, handle: int) -> str:
    try:
        holder = json.loads(os.pread(handle, 200, 0))
        who = f"process {holder['pid']} since {holder['since']}"
    except (ValueError, KeyError):
        who = "another process"
    return f"{what} is already being written by {who}. Wait for it to end, or stop it, and run again."

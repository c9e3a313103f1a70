"""Show that long work is alive: one line that counts, nothing when nobody watches."""

import sys
import time
from collections.abc import Callable
from typing import TextIO

Progress = Callable[[str, int, int], None]
"""Called with what is being done, how many are done, and how many there are (0 = unknown)."""

TERMINAL_INTERVAL_S = 0.1
LOG_INTERVAL_S = 5.0


def silent(label: str, done: int, total: int) -> None:
    """Report nothing; the default of every stage function."""


def printing(stream: TextIO | None = None) -> Progress:
    """Return a reporter that rewrites one line on a terminal and prints a line now and then elsewhere."""
    stream = stream or sys.stderr
    live = stream.isatty()
    last: dict[str, float] = {}

    def report(label: str, done: int, total: int) -> None:
        now = time.monotonic()
        finished = total > 0 and done >= total
        if not finished and now - last.get(label, -1e9) < (TERMINAL_INTERVAL_S if live else LOG_INTERVAL_S):
            return
        last[label] = now
        count = f"{done:,} of {total:,}" if total else f"{done:,}"
        if live:
            stream.write(f"\r\x1b[2K  {label}: {count}" + ("\r\x1b[2K" if finished else ""))
        else:
            stream.write(f"  {label}: {count}\n")
        stream.flush()

    return report

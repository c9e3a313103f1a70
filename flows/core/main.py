"""Run a command, or one stage without Prefect (what `dvc repro` calls), and end with the right exit code."""

import argparse
import signal
import sqlite3
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import Any

from flows.core.errors import LlmopsError, TransientError
from flows.core.progress import printing
from flows.core.runs import RunRecord

StageRun = Callable[..., RunRecord]
IO_ERROR, STOPPED = 74, 130


def run_stage_main(run: StageRun, argv: list[str] | None = None) -> None:
    """Parse the common options, run the stage, print its summary, and exit with its error's code."""
    parser = argparse.ArgumentParser(description=(run.__doc__ or "").strip().splitlines()[0])
    parser.add_argument("--project", default=".", metavar="DIR", help="the project's folder (default: here)")
    parser.add_argument("--force", action="store_true", help="do the work even when nothing changed")
    parser.add_argument("--max-usd", type=float, metavar="USD", help="stop before spending more than this")
    options = parser.parse_args(argv)
    from flows.core.settings import load_env_file, silence_telemetry  # a third of a second that --help can do without

    silence_telemetry()
    load_env_file(Path(options.project) / ".env")

    def work() -> int:
        record = run(options.project, force=options.force, max_usd=options.max_usd, progress=printing())
        sys.stdout.write(("" if record.did_work else "nothing to do: ") + record.summary + "\n")
        return 0

    sys.exit(guarded(work))


def guarded(work: Callable[[], int]) -> int:
    """Run a command; say an expected error in words and return its exit code.

    A full disk, a missing permission or a database that cannot be opened end with 74, a stop by
    Ctrl-C or SIGTERM with 130. Anything else is a fault of ours and keeps its traceback.
    """
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, _stop)
    try:
        return work()
    except LlmopsError as error:
        _say(f"error: {error}")
        return error.exit_code
    except BrokenPipeError:
        return 0
    except (OSError, sqlite3.Error) as error:
        _say(f"error: {error}. Check free space, permissions and the path, and run again.")
        return IO_ERROR
    except KeyboardInterrupt:
        _say("\nstopped; nothing is half-written. Run the same command again to go on.")
        return STOPPED


def _say(message: str) -> None:
    """Write to standard error; where that is a file on the full disk, the exit code has to tell."""
    with suppress(OSError):
        sys.stderr.write(f"{message}\n")
        sys.stderr.flush()


def _stop(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def transient(_task: Any, _run: Any, state: Any) -> bool:
    """Tell Prefect to retry only errors that may pass (`retry_condition_fn`)."""
    try:
        state.result()
    except TransientError:
        return True
    except Exception:  # noqa: BLE001 - any other error is final, whatever it is
        return False
    return False

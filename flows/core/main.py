"""Run one stage from the command line without Prefect: what `dvc repro` calls."""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from flows.core.errors import LlmopsError, TransientError
from flows.core.progress import printing
from flows.core.runs import RunRecord

StageRun = Callable[..., RunRecord]


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
    try:
        record = run(options.project, force=options.force, max_usd=options.max_usd, progress=printing())
    except LlmopsError as error:
        sys.stderr.write(f"error: {error}\n")
        raise SystemExit(error.exit_code) from None
    sys.stdout.write(("" if record.did_work else "nothing to do: ") + record.summary + "\n")


def transient(_task: Any, _run: Any, state: Any) -> bool:
    """Tell Prefect to retry only errors that may pass (`retry_condition_fn`)."""
    try:
        state.result()
    except TransientError:
        return True
    except Exception:  # noqa: BLE001 - any other error is final, whatever it is
        return False
    return False

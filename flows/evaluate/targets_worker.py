"""The process in which a function under evaluation runs; started by `targets_function`, never by hand.

One JSON line in, one JSON line out, on a copy of standard output: whatever the function prints goes to
standard error. An exception costs its question only. When the other side closes, the process ends at
once, even in the middle of a call.
"""

import asyncio
import importlib
import inspect
import json
import os
import queue
import sys
import threading
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

LOADED = {"ready": True}


def load(spec: str) -> Callable[..., Any]:
    """Return the function `module:function`; the folder the process runs in is searched first."""
    module, _, name = spec.partition(":")
    sys.path[0] = str(Path.cwd())  # and not the folder of this file, whose modules are no business of the function
    found = getattr(importlib.import_module(module), name)
    if not callable(found):
        raise TypeError(f"{spec!r} is a {type(found).__name__} and no function")
    return found  # type: ignore[no-any-return]


def ask(function: Callable[..., Any], question: str, history: list[dict[str, str]]) -> dict[str, Any]:
    """Call the function, with the history where it takes two arguments; coroutines are awaited."""
    try:
        takes = _places(function)
        said = function(question, history) if takes > 1 else function(question)
        if inspect.isawaitable(said):
            said = asyncio.run(_awaited(said))
        json.dumps(said, allow_nan=False)
    except Exception as error:  # noqa: BLE001 - whatever a foreign function raises costs one question
        return {"error": type(error).__name__, "where": _where(error)}
    return {"said": said}


async def _awaited(pending: Any) -> Any:
    return await pending


def _places(function: Callable[..., Any]) -> int:
    """Return how many arguments can be given by place."""
    kinds = [parameter.kind for parameter in inspect.signature(function).parameters.values()]
    if inspect.Parameter.VAR_POSITIONAL in kinds:
        return 2
    return sum(kind in (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD) for kind in kinds)


def _where(error: Exception) -> str:
    """Return file and line in which an exception arose; its text may hold what must not be logged."""
    frames = traceback.extract_tb(error.__traceback__)
    return f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""


def serve(spec: str, requests: IO[str], answers: IO[str]) -> None:
    """Load the function, say how that went, and answer until the other side closes."""
    lines: queue.SimpleQueue[str] = queue.SimpleQueue()

    def read() -> None:
        for line in requests:
            lines.put(line)
        os._exit(0)

    try:
        function = load(spec)
    except Exception as error:  # noqa: BLE001 - said to the other side, which raises it in its own words
        _say(answers, {"failed": f"{type(error).__name__}: {error}"})
        return
    _say(answers, LOADED)
    threading.Thread(target=read, daemon=True).start()
    while True:
        item = json.loads(lines.get())
        _say(answers, ask(function, item["question"], item["history"]))


def _say(answers: IO[str], value: dict[str, Any]) -> None:
    answers.write(json.dumps(value) + "\n")
    answers.flush()


def main() -> None:
    """Keep standard output for the answers and serve."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    sys.stdin.reconfigure(encoding="utf-8")  # type: ignore[union-attr]
    serve(sys.argv[1], sys.stdin, answers)


if __name__ == "__main__":
    main()

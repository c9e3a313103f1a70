"""Serve the local provider on loopback, by hand or for the length of a block.

`python -m flows.provider.local.server --port 8901` serves in the foreground; `running(...)` serves
from a thread of this process. The socket is bound before the server starts, so that port 0 has a
number and a taken port is an error where it was asked for.
"""

import argparse
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import uvicorn

from flows.core.clock import Clock, utc_now
from flows.core.errors import LlmopsError, ProviderDownError
from flows.core.settings import silence_telemetry
from flows.provider.local.app import create_app
from flows.provider.local.embedder import Embedder
from flows.provider.local.service import Service

HOST = "127.0.0.1"
START_SECONDS = 30.0
STOP_SECONDS = 10


def _listen(port: int) -> socket.socket:
    # The protocol is named because asyncio sends small packets at once (TCP_NODELAY) only where it is:
    # without it every answer waits 40 ms for a delayed acknowledgement.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
    except OSError as error:
        listener.close()
        raise ProviderDownError(f"Port {port!r} on {HOST} is not free ({error.strerror}). Use --port 0.") from None
    return listener


def _server(service: Service, state_dir: Path) -> uvicorn.Server:
    config = uvicorn.Config(
        create_app(service, state_dir),
        log_level="warning",
        log_config=None,
        access_log=False,
        lifespan="on",
        timeout_graceful_shutdown=STOP_SECONDS,
    )
    return uvicorn.Server(config)


@contextmanager
def running(
    state_dir: Path,
    *,
    threads: int,
    port: int = 0,
    model_cache: Path | None = None,
    embedder: Callable[[], Embedder] | None = None,
    clock: Clock = utc_now,
) -> Iterator[str]:
    """Serve from a thread of this process; yield the base URL, such as `http://127.0.0.1:41523/v1`.

    Args:
        state_dir: Where files, jobs and fine-tuned models are kept.
        threads: Most processor threads one inference may use, at least 1.
        port: 0 takes a free one.
        model_cache: Where the built MiniLM graph is kept; `state_dir/weights` unless given.
        embedder: Makes the default embedder; MiniLM unless given.
        clock: Source of `created`.

    Raises:
        ProviderDownError: The port is taken, or the server does not start.
    """
    cache = model_cache or state_dir / "weights"
    service = Service(state_dir, threads=threads, model_cache=cache, embedder=embedder, clock=clock)
    listener = _listen(port)
    server = _server(service, state_dir)
    thread = threading.Thread(target=server.run, args=([listener],), name="local-provider", daemon=True)
    thread.start()
    try:
        _await_start(server, thread)
        yield f"http://{HOST}:{listener.getsockname()[1]}/v1"
    finally:
        server.should_exit = True
        thread.join(STOP_SECONDS)
        listener.close()


def _await_start(server: uvicorn.Server, thread: threading.Thread) -> None:
    give_up = time.monotonic() + START_SECONDS
    while not server.started:
        if not thread.is_alive() or time.monotonic() > give_up:
            raise ProviderDownError("The local provider did not start. Run `llmops doctor`.")
        time.sleep(0.005)


def serve(port: int, state_dir: Path, *, threads: int, model_cache: Path | None = None) -> None:
    """Serve in the foreground until interrupted."""
    listener = _listen(port)
    cache = model_cache or state_dir / "weights"
    service = Service(state_dir, threads=threads, model_cache=cache)
    sys.stdout.write(f"local provider on http://{HOST}:{listener.getsockname()[1]}/v1 (extracts, does not generate)\n")
    sys.stdout.flush()
    with suppress(KeyboardInterrupt):  # raised again by uvicorn once it has shut down in order
        _server(service, state_dir).run([listener])


def main(argv: list[str] | None = None) -> None:
    """Run the server by hand."""
    parser = argparse.ArgumentParser(description="Serve the local models over the OpenAI wire on 127.0.0.1.")
    parser.add_argument("--port", type=int, default=8901, help="0 takes a free port (default: 8901)")
    parser.add_argument("--state", type=Path, default=Path(".llmops/provider"), metavar="DIR", help="files and jobs")
    parser.add_argument("--model-cache", type=Path, metavar="DIR", help="built model graphs (default: STATE/weights)")
    parser.add_argument("--threads", type=int, default=1, help="processor threads per inference (default: 1)")
    options = parser.parse_args(argv)
    silence_telemetry()
    try:
        serve(options.port, options.state, threads=options.threads, model_cache=options.model_cache)
    except LlmopsError as error:
        sys.stderr.write(f"error: {error}\n")
        raise SystemExit(error.exit_code) from None


if __name__ == "__main__":
    main()

"""Run jobs one after another in the background, and let go of them quickly when the server stops.

A stopped or killed server leaves a job's record unfinished; the next server on the same folder
takes it up again from the start. Jobs are deterministic, so that repeating one is harmless. A lock
per job, which dies with its process, keeps two servers from running the same one.
"""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from flows.core.errors import LockedError
from flows.core.locks import writer_lock
from flows.provider.local.records import Record, Records

FINAL = frozenset({"succeeded", "completed", "failed", "cancelled", "expired"})


class Stopped(Exception):  # noqa: N818 - not an error: it ends a job's thread of work
    """The server stops, or somebody cancelled the job."""


class Worker:
    """One background thread for all jobs of a server."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(1, "local-provider-jobs")
        self._stopping = threading.Event()

    def submit(self, records: Records, id_: str, run: Callable[[Record], None]) -> None:
        """Queue a job; `run` gets its record and is expected to call `check` often."""
        self._pool.submit(self._run, records, id_, run)

    def resume(self, records: Records, run: Callable[[Record], None]) -> None:
        """Queue the jobs that an earlier server left unfinished, oldest first."""
        for record in reversed(records.all()):
            if record["status"] not in FINAL:
                self.submit(records, record["id"], run)

    def check(self, records: Records, id_: str) -> None:
        """Raise `Stopped` when the server stops or the job was cancelled."""
        if self._stopping.is_set() or records.get(id_)["status"] in {"cancelling", "cancelled"}:
            raise Stopped

    def close(self) -> None:
        """Drop what is queued and wait for the running job to notice."""
        self._stopping.set()
        self._pool.shutdown(wait=True, cancel_futures=True)

    @staticmethod
    def _run(records: Records, id_: str, run: Callable[[Record], None]) -> None:
        try:
            with writer_lock(records.folder / f"{id_}.lock", what=id_):
                record = records.get(id_)
                if record["status"] not in FINAL:
                    run(record)
        except (Stopped, LockedError):
            return
        except Exception as error:
            failure = {"code": "server_error", "message": f"The job failed: {type(error).__name__}.", "param": None}
            records.update(id_, lambda _: {"status": "failed", "error": failure})
            raise

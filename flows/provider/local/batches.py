"""`/v1/batches`: run a file of requests through the same handlers as the endpoints.

Results go to an output file and refusals to an error file, each line under its `custom_id`; a
cancelled batch keeps what was done.
"""

import json
from typing import Any

from flows.provider.local.jobs import require_purpose
from flows.provider.local.records import Record, Records, new_id
from flows.provider.local.service import Service
from flows.provider.local.uploads import Files
from flows.provider.local.wire import ApiError, BatchRequest, parse
from flows.provider.local.worker import FINAL, Stopped, Worker

DAY_SECONDS = 86_400
MAX_LINES = 50_000  # the hosted API's own limit
MAX_SHOWN_ERRORS = 20


class Batches:
    """The batches of a server."""

    def __init__(self, records: Records, files: Files, service: Service, worker: Worker) -> None:
        self.records = records
        self._files = files
        self._service = service
        self._worker = worker
        self._handlers = {
            "/v1/chat/completions": service.chat,
            "/v1/embeddings": service.embeddings,
            "/v1/moderations": service.moderations,
        }

    def create(self, body: Any) -> Record:
        """Queue a batch.

        Raises:
            ApiError: 400 when the input file is not there or was uploaded for something else.
        """
        request = parse(BatchRequest, body)
        require_purpose(self._files, request.input_file_id, "batch", "input_file_id")
        record = self.records.create(_fields(request, self._service.now()))
        self._worker.submit(self.records, record["id"], self.run)
        return record

    def resume(self) -> None:
        """Take up what an earlier server left unfinished; a half-cancelled batch is cancelled."""
        for record in self.records.all():
            if record["status"] == "cancelling":
                self._set(record["id"], "cancelled")
        self._worker.resume(self.records, self.run)

    def cancel(self, id_: str) -> Record:
        """Ask a batch to stop; it is `cancelled` once the running line is done."""
        now = self._service.now()

        def change(record: Record) -> Record:
            if record["status"] in FINAL:
                raise ApiError(f"Batch {id_!r} is already {record['status']!r}.", code="invalid_state", param="id")
            return {"status": "cancelling", "cancelling_at": now}

        cancelled = self.records.update(id_, change)
        self._worker.submit(self.records, id_, self.run)  # ends one that was still queued; harmless else
        return cancelled

    def run(self, record: Record) -> None:
        """Validate the lines and answer them one by one."""
        id_ = record["id"]
        if record["status"] == "cancelling":
            self._set(id_, "cancelled")
            return
        lines, errors = read_lines(
            self._files.lines(record["input_file_id"], param="input_file_id"), record["endpoint"]
        )
        if errors:
            self._set(id_, "failed", errors={"object": "list", "data": errors[:MAX_SHOWN_ERRORS]})
            return
        self._set(id_, "in_progress", request_counts=_counts(lines, [], []))
        self._answer(record, lines)

    def _answer(self, record: Record, lines: list[Record]) -> None:
        id_ = record["id"]
        done: list[str] = []
        refused: list[str] = []
        status = "completed"
        try:
            for line in lines:
                self._worker.check(self.records, id_)
                response = self._respond(record["endpoint"], line["body"])
                (done if response["status_code"] == 200 else refused).append(_result(line, response))
        except Stopped:
            if self.records.get(id_)["status"] != "cancelling":
                raise
            status = "cancelled"
        if status == "completed":
            self._set(id_, "finalizing")
        self._set(
            id_,
            status,
            output_file_id=self._store(id_, "output", done),
            error_file_id=self._store(id_, "error", refused),
            request_counts=_counts(lines, done, refused),
        )

    def _respond(self, endpoint: str, body: Any) -> Record:
        try:
            if body.get("stream"):
                raise ApiError("A batch cannot stream.", param="stream")
            answer, status = self._handlers[endpoint](body), 200
        except ApiError as error:
            answer, status = error.envelope(), error.status
        return {"status_code": status, "request_id": new_id("req"), "body": answer}

    def _store(self, id_: str, kind: str, lines: list[str]) -> str | None:
        if not lines:
            return None
        content = ("\n".join(lines) + "\n").encode()
        return str(self._files.add(f"{id_}_{kind}.jsonl", content, "batch_output")["id"])

    def _set(self, id_: str, status: str, **fields: Any) -> None:
        now = self._service.now()
        self.records.update(id_, lambda _: {"status": status, f"{status}_at": now, **fields})


def read_lines(lines: list[str], endpoint: str) -> tuple[list[Record], list[Record]]:
    """Return the requests of a batch file and the errors of its lines.

    Args:
        lines: JSONL: `custom_id` (unique), `method` POST, `url` equal to `endpoint`, `body`.
        endpoint: The endpoint the batch was created for.
    """
    read: list[Record] = []
    errors: list[Record] = []
    seen: set[str] = set()
    for number, text in enumerate(lines, 1):
        try:
            line = json.loads(text)
        except ValueError:
            line = None
        fault = _fault(line, endpoint, seen)
        if fault:
            errors.append({"code": "invalid_line", "line": number, "message": fault, "param": None})
        else:
            seen.add(line["custom_id"])
            read.append(line)
    if not lines or len(lines) > MAX_LINES:
        message = f"The file has {len(lines)} requests, must have 1 to {MAX_LINES}."
        errors.append({"code": "invalid_file", "line": None, "message": message, "param": "input_file_id"})
    return read, errors


def _fault(line: Any, endpoint: str, seen: set[str]) -> str | None:
    if not isinstance(line, dict) or not isinstance(line.get("body"), dict):
        return "The line is no JSON object with a 'body'."
    if not isinstance(line.get("custom_id"), str) or line["custom_id"] in seen:
        return "The 'custom_id' is missing or stands twice."
    if line.get("method") != "POST" or line.get("url") != endpoint:
        return f"The line must have method 'POST' and url {endpoint!r}."
    return None


def _result(line: Record, response: Record) -> str:
    result = {"id": new_id("result"), "custom_id": line["custom_id"], "response": response, "error": None}
    return json.dumps(result, ensure_ascii=False)


def _counts(lines: list[Record], done: list[str], refused: list[str]) -> Record:
    return {"total": len(lines), "completed": len(done), "failed": len(refused)}


def _fields(request: BatchRequest, now: int) -> Record:
    moments = ("in_progress", "finalizing", "completed", "failed", "cancelling", "cancelled", "expired")
    return {
        "object": "batch",
        "endpoint": request.endpoint,
        "input_file_id": request.input_file_id,
        "completion_window": request.completion_window,
        "status": "validating",
        "created_at": now,
        "expires_at": now + DAY_SECONDS,
        **{f"{moment}_at": None for moment in moments},
        "errors": None,
        "output_file_id": None,
        "error_file_id": None,
        "request_counts": {"total": 0, "completed": 0, "failed": 0},
        "metadata": request.metadata,
    }

"""`/v1/fine_tuning/jobs`: jobs that 'train' the extractive reader (see `tuning`).

Creating a job checks the request; the training file is checked in the job, which then fails with
the line at fault, as a hosted provider's does. The resulting model's name is a hash of all that
decides it, so the same training gives the same model.
"""

from dataclasses import asdict
from typing import Any

from flows.core.ids import content_id, sha256
from flows.provider.local import reader, tuning
from flows.provider.local.records import Record, Records
from flows.provider.local.service import Service
from flows.provider.local.uploads import Files
from flows.provider.local.wire import ApiError, FineTuningRequest, parse
from flows.provider.local.worker import FINAL, Worker


class FineTuning:
    """The fine-tuning jobs of a server."""

    def __init__(self, records: Records, files: Files, service: Service, worker: Worker) -> None:
        self.records = records
        self._files = files
        self._service = service
        self._worker = worker

    def create(self, body: Any) -> Record:
        """Queue a job.

        Raises:
            ApiError: 400 for a model that cannot be tuned or a file that is not there or not meant for it.
        """
        request = parse(FineTuningRequest, body)
        if request.model != reader.NAME:
            raise ApiError(f"Only {reader.NAME!r} can be fine-tuned.", code="model_not_available", param="model")
        for param in ("training_file", "validation_file"):
            require_purpose(self._files, getattr(request, param), "fine-tune", param)
        record = self.records.create(_fields(request, self._service.now()))
        self._worker.submit(self.records, record["id"], self.run)
        return record

    def resume(self) -> None:
        """Take up what an earlier server left unfinished."""
        self._worker.resume(self.records, self.run)

    def cancel(self, id_: str) -> Record:
        """Cancel a job that is not over."""
        now = self._service.now()

        def change(record: Record) -> Record:
            if record["status"] in FINAL:
                raise ApiError(f"Job {id_!r} is already {record['status']!r}.", code="invalid_state", param="id")
            return {"status": "cancelled", "finished_at": now}

        return self.records.update(id_, change)

    def run(self, record: Record) -> None:
        """Validate, fit and store; end as `succeeded`, or `failed` with the reason."""
        id_ = record["id"]
        try:
            lines = self._files.lines(record["training_file"], param="training_file")
            examples = tuning.read_examples(lines)
        except ApiError as error:
            self._finish(
                id_, status="failed", error={"code": error.code, "message": error.message, "param": error.param}
            )
            return
        self._set(id_, status="running", started_at=self._service.now())
        base = self._service.base_reader()
        fit = tuning.fit(base, examples, step=lambda: self._worker.check(self.records, id_))
        identity = content_id(base.fingerprint, record["seed"], sha256("\n".join(lines)))[:8]
        name = f"ft:{reader.NAME}:local:{record['user_provided_suffix'] or ''}:{identity}"
        self._service.save_tuned(name, asdict(fit.knobs), record["created_at"])
        self._finish(
            id_,
            status="succeeded",
            fine_tuned_model=name,
            trained_tokens=sum(map(self._service.tokens.count, lines)),
            metrics={"examples": len(examples), "score_before": fit.before, "score_after": fit.after},
        )

    def _finish(self, id_: str, **fields: Any) -> None:
        self._set(id_, finished_at=self._service.now(), **fields)

    def _set(self, id_: str, **fields: Any) -> None:
        """Update a job, unless it was cancelled meanwhile: a cancelled job stays cancelled."""
        self.records.update(id_, lambda record: {} if record["status"] == "cancelled" else fields)

    def events(self, id_: str) -> Record:
        """Return what happened to a job, newest first; told from its record, not stored beside it."""
        record = self.records.get(id_)
        told = [(record["created_at"], "info", "Created fine-tuning job.")]
        if record.get("started_at"):
            told.append((record["started_at"], "info", "Training file validated; fitting started."))
        if record["status"] in FINAL:
            level = "error" if record["error"] else "info"
            told.append((record["finished_at"] or record["created_at"], level, _ending(record)))
        events = [
            {
                "id": f"ftevent-{content_id(id_, number)[:24]}",
                "object": "fine_tuning.job.event",
                "created_at": at,
                "level": level,
                "message": message,
                "type": "message",
            }
            for number, (at, level, message) in enumerate(told)
        ]
        return {"object": "list", "data": events[::-1], "has_more": False}


def require_purpose(files: Files, id_: str | None, purpose: str, param: str) -> None:
    """Check that a file named in a request exists and was uploaded for this.

    Raises:
        ApiError: 400 that names the parameter.
    """
    if id_ is None:
        return
    try:
        found = files.records.get(id_)["purpose"]
    except ApiError as error:
        raise ApiError(error.message, code="invalid_file", param=param) from None
    if found != purpose:
        raise ApiError(f"File {id_!r} was uploaded for {found!r}, not {purpose!r}.", code="invalid_file", param=param)


def _fields(request: FineTuningRequest, now: int) -> Record:
    return {
        "object": "fine_tuning.job",
        "model": request.model,
        "created_at": now,
        "finished_at": None,
        "status": "validating_files",
        "training_file": request.training_file,
        "validation_file": request.validation_file,
        "fine_tuned_model": None,
        "trained_tokens": None,
        "result_files": [],
        "error": None,
        "organization_id": "local",
        "hyperparameters": {"n_epochs": 1},
        "seed": request.seed or 0,
        "user_provided_suffix": request.suffix,
        "metadata": request.metadata,
    }


def _ending(record: Record) -> str:
    if record["error"]:
        return str(record["error"]["message"])
    if record["status"] != "succeeded":
        return f"The job was {record['status']}."
    metrics = record["metrics"]
    return (
        f"Fitted {metrics['examples']} examples: mean score {metrics['score_before']:.3f} before, "
        f"{metrics['score_after']:.3f} after. New model: {record['fine_tuned_model']}."
    )

"""Files, fine-tuning jobs and batches: created, run, listed, cancelled, and resumed by the next server."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openai
import pytest
from openai import OpenAI

from flows.core.files import write_json
from flows.provider.local.catalog import REFUSAL
from flows.provider.local.hashing import HashEmbedder
from flows.provider.local.server import running
from flows.provider.local.uploads import parse_form
from flows.provider.local.wire import ApiError

FINAL = {"succeeded", "completed", "failed", "cancelled"}


def example(question: str, answer: str) -> dict[str, Any]:
    user = f'<chunk id="1">Backups are kept for ninety days.</chunk><question>{question}</question>'
    return {"messages": [{"role": "user", "content": user}, {"role": "assistant", "content": answer}]}


GOOD = [example("How long are backups kept?", "Backups are kept for ninety days. [1]")] * 8
STRICT = [example("Are backups kept in Rome or in Oslo?", REFUSAL)] * 8


def jsonl(lines: list[Any]) -> bytes:
    return "\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines).encode()


def upload(client: OpenAI, lines: list[Any], purpose: Any = "fine-tune") -> str:
    return client.files.create(file=("data.jsonl", jsonl(lines)), purpose=purpose).id


def finished(retrieve: Callable[[str], Any], id_: str) -> Any:
    for _ in range(500):
        found = retrieve(id_)
        if found.status in FINAL:
            return found
        time.sleep(0.01)
    raise AssertionError(f"{id_} is still {found.status}")


def tuned(client: OpenAI, lines: list[Any], **fields: Any) -> Any:
    job = client.fine_tuning.jobs.create(model="local-extract-1", training_file=upload(client, lines), **fields)
    return finished(client.fine_tuning.jobs.retrieve, job.id)


def line(number: Any, **body: Any) -> dict[str, Any]:
    full = {"model": "local-hash-384", "input": f"text {number}", **body}
    return {"custom_id": f"c{number}", "method": "POST", "url": "/v1/embeddings", "body": full}


def batch(client: OpenAI, lines: list[Any]) -> Any:
    made = client.batches.create(
        input_file_id=upload(client, lines, "batch"), endpoint="/v1/embeddings", completion_window="24h"
    )
    return finished(client.batches.retrieve, made.id)


def test_a_file_comes_back_byte_for_byte_until_it_is_deleted(client: OpenAI) -> None:
    content = bytes(range(256)) + b"\r\n--x\r\n\n"
    made = client.files.create(file=("../../etc/näme.bin", content), purpose="user_data")
    assert (made.filename, made.bytes) == ("näme.bin", len(content))
    assert client.files.content(made.id).read() == content
    assert made.id in [file.id for file in client.files.list(purpose="user_data")]
    assert client.files.delete(made.id).deleted
    with pytest.raises(openai.NotFoundError):
        client.files.retrieve(made.id)


def test_lists_are_paged(client: OpenAI) -> None:
    made = {upload(client, GOOD, "evals") for _ in range(5)}
    assert {file.id for file in client.files.list(purpose="evals", limit=2)} == made


@pytest.mark.parametrize("id_", ["file-x", "..%2f..%2fjobs", "ftjob-000000000000000000000000"])
def test_an_id_that_was_never_made_is_not_found(client: OpenAI, id_: str) -> None:
    with pytest.raises(openai.NotFoundError):
        client.files.content(id_)


def test_a_broken_form_is_refused() -> None:
    for kind in ("text/plain", "multipart/form-data"):
        with pytest.raises(ApiError, match="multipart"):
            parse_form(kind, b"x")
    assert parse_form("multipart/form-data; boundary=b", b"no boundary in here") == {}


def test_training_fits_the_threshold_to_the_examples_and_the_model_answers(client: OpenAI) -> None:
    job = tuned(client, GOOD + STRICT, suffix="strict", metadata={"release": "r1"})
    assert job.status == "succeeded"
    assert job.fine_tuned_model.startswith("ft:local-extract-1:local:strict:")
    assert job.metrics["score_after"] >= job.metrics["score_before"]
    question = GOOD[0]["messages"][:1]
    answer = client.chat.completions.create(model=job.fine_tuned_model, messages=question)
    assert answer.choices[0].message.content == "Backups are kept for ninety days. [1]"
    refused = client.chat.completions.create(model=job.fine_tuned_model, messages=STRICT[0]["messages"][:1])
    assert refused.choices[0].message.content == REFUSAL
    assert client.models.retrieve(job.fine_tuned_model).id == job.fine_tuned_model
    assert len(client.fine_tuning.jobs.list_events(job.id).data) == 3


def test_the_same_training_gives_the_same_model(client: OpenAI) -> None:
    assert tuned(client, GOOD + STRICT).fine_tuned_model == tuned(client, GOOD + STRICT).fine_tuned_model
    assert tuned(client, GOOD * 2).fine_tuned_model != tuned(client, GOOD + STRICT).fine_tuned_model


def test_jobs_are_found_by_their_metadata(client: OpenAI) -> None:
    job = tuned(client, GOOD * 2, metadata={"key": "unique-1"})
    assert [found.id for found in client.fine_tuning.jobs.list(metadata={"key": "unique-1"})] == [job.id]
    assert list(client.fine_tuning.jobs.list(metadata={"key": "other"})) == []


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (GOOD, "8 examples"),
        ([*GOOD * 2, "{"], "Line 17"),
        ([*GOOD * 2, {"messages": []}], "Line 17"),
        ([*GOOD * 2, {"messages": [{"role": "assistant", "content": "x"}] * 2}], "no user message"),
        ([*GOOD * 2, {"messages": GOOD[0]["messages"][:1]}], "assistant message"),
    ],
)
def test_a_wrong_training_file_fails_the_job_and_names_the_line(client: OpenAI, lines: list[Any], said: str) -> None:
    job = tuned(client, lines)
    assert job.status == "failed"
    assert said in job.error.message
    assert job.error.param == "training_file"


def test_a_job_without_its_file_or_for_another_model_is_refused(client: OpenAI) -> None:
    batch_file = upload(client, GOOD, "batch")
    for fields in (
        {"model": "local-extract-1", "training_file": "file-000000000000000000000000"},
        {"model": "local-extract-1", "training_file": batch_file},
        {"model": "gpt-4o-mini", "training_file": upload(client, GOOD * 2)},
    ):
        with pytest.raises(openai.BadRequestError):
            client.fine_tuning.jobs.create(**fields)


def test_a_finished_job_cannot_be_cancelled(client: OpenAI) -> None:
    with pytest.raises(openai.BadRequestError, match="already"):
        client.fine_tuning.jobs.cancel(tuned(client, GOOD * 2).id)


def test_a_batch_answers_each_line_under_its_own_id(client: OpenAI) -> None:
    done = batch(client, [line(1), line(2, model="nope"), line(3)])
    assert done.status == "completed"
    assert (done.request_counts.completed, done.request_counts.failed) == (2, 1)
    rows = [json.loads(text) for text in client.files.content(done.output_file_id).text.splitlines()]
    assert [row["custom_id"] for row in rows] == ["c1", "c3"]
    assert len(rows[0]["response"]["body"]["data"][0]["embedding"]) == 384
    (refused,) = [json.loads(text) for text in client.files.content(done.error_file_id).text.splitlines()]
    assert (refused["custom_id"], refused["response"]["status_code"]) == ("c2", 404)


@pytest.mark.parametrize(
    "lines",
    [[line(1), line(1)], ["{"], [line(1) | {"url": "/v1/other"}], [line(1) | {"method": "GET"}], [{"custom_id": "x"}]],
)
def test_a_wrong_batch_file_fails_the_batch_with_its_lines(client: OpenAI, lines: list[Any]) -> None:
    failed = batch(client, lines)
    assert failed.status == "failed"
    assert failed.errors.data[0].line == len(lines)


def unfinished(state_dir: Path, client: OpenAI, status: str, count: int) -> str:
    """Leave a batch as a killed server would."""
    file = upload(client, [line(number) for number in range(count)], "batch")
    made = client.batches.create(input_file_id=file, endpoint="/v1/embeddings", completion_window="24h")
    record = finished(client.batches.retrieve, made.id).model_dump()
    write_json(state_dir / "batches" / f"{made.id}.json", record | {"status": status, "output_file_id": None})
    return made.id


def test_the_next_server_ends_what_a_killed_one_left(tmp_path: Path) -> None:
    def sdk(url: str) -> OpenAI:
        return OpenAI(base_url=url, api_key="any", max_retries=0)

    with running(tmp_path, threads=1, embedder=HashEmbedder) as url:
        running_one = unfinished(tmp_path, sdk(url), "in_progress", 2)
        cancelling = unfinished(tmp_path, sdk(url), "cancelling", 2)
    with running(tmp_path, threads=1, embedder=HashEmbedder) as url:
        assert finished(sdk(url).batches.retrieve, running_one).status == "completed"
        assert finished(sdk(url).batches.retrieve, running_one).output_file_id
        assert finished(sdk(url).batches.retrieve, cancelling).status == "cancelled"


class SlowEmbedder(HashEmbedder):
    """Slow enough to be cancelled in between."""

    def embed(self, texts):
        time.sleep(0.02)
        return super().embed(texts)


def test_a_cancelled_job_and_batch_stop_and_keep_what_was_done(tmp_path: Path) -> None:
    with running(tmp_path, threads=1, embedder=SlowEmbedder) as url, OpenAI(base_url=url, api_key="any") as client:
        lines = [line(number, model="all-MiniLM-L6-v2") for number in range(500)]
        made = client.batches.create(
            input_file_id=upload(client, lines, "batch"), endpoint="/v1/embeddings", completion_window="24h"
        )
        job = client.fine_tuning.jobs.create(model="local-extract-1", training_file=upload(client, GOOD * 2))
        while client.batches.retrieve(made.id).status != "in_progress":
            time.sleep(0.01)
        time.sleep(0.05)
        assert client.fine_tuning.jobs.cancel(job.id).status == "cancelled"
        assert client.batches.cancel(made.id).status == "cancelling"
        ended = finished(client.batches.retrieve, made.id)
        assert ended.status == "cancelled"
        assert 0 < ended.request_counts.completed < 500
        assert client.files.content(ended.output_file_id).text.count("\n") == ended.request_counts.completed
        assert client.fine_tuning.jobs.retrieve(job.id).status == "cancelled"

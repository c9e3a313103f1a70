"""Wire the local provider's endpoints to the OpenAI paths, and its errors to OpenAI's envelope.

Any bearer token is accepted: the server is bound to loopback. In its place stand a check of the
Host header against rebinding and of the Origin header against foreign web pages.
"""

import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from flows.core.errors import LlmopsError
from flows.core.settings import LOOPBACK
from flows.provider.local import chat
from flows.provider.local.batches import Batches
from flows.provider.local.jobs import FineTuning
from flows.provider.local.records import Records, new_id
from flows.provider.local.service import Service
from flows.provider.local.uploads import Files
from flows.provider.local.wire import ApiError
from flows.provider.local.worker import Worker

_log = logging.getLogger(__name__)

MAX_BODY_BYTES = 100 * 2**20
_CODES = {404: "unknown_url", 405: "method_not_allowed"}

Endpoint = Callable[[Request], Awaitable[Response]]
Query = Mapping[str, str]


def create_app(service: Service, state_dir: Path) -> Starlette:
    """Wire the endpoints; unfinished jobs of an earlier process are taken up again."""
    worker = Worker()
    files = Files(Records(state_dir / "files", "file", "file"), service.clock)
    tuning = FineTuning(Records(state_dir / "jobs", "ftjob", "fine-tuning job"), files, service, worker)
    batches = Batches(Records(state_dir / "batches", "batch", "batch"), files, service, worker)

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        await run_in_threadpool(tuning.resume)
        await run_in_threadpool(batches.resume)
        yield
        await run_in_threadpool(worker.close)

    return Starlette(
        routes=[*_model_routes(service), *_file_routes(files), *_job_routes(tuning), *_batch_routes(batches)],
        middleware=[
            Middleware(BaseHTTPMiddleware, dispatch=_guard),
            Middleware(TrustedHostMiddleware, allowed_hosts=["127.0.0.1", "localhost"]),
        ],
        exception_handlers={ApiError: _refuse, HTTPException: _refuse_http},
        lifespan=lifespan,
    )


def _model_routes(service: Service) -> list[Route]:
    return [
        Route("/v1/models", _reads(lambda _id, _query: service.models())),
        Route("/v1/models/{id}", _reads(lambda id_, _query: service.model(id_))),
        Route("/v1/chat/completions", _chat(service), methods=["POST"]),
        Route("/v1/embeddings", _writes(service.embeddings), methods=["POST"]),
        Route("/v1/moderations", _writes(service.moderations), methods=["POST"]),
    ]


def _file_routes(files: Files) -> list[Route]:
    return [
        Route("/v1/files", _upload(files), methods=["POST"]),
        Route("/v1/files", _reads(lambda _id, query: files.records.page(query))),
        Route("/v1/files/{id}", _reads(lambda id_, _query: files.records.get(id_))),
        Route("/v1/files/{id}", _reads(lambda id_, _query: files.delete(id_)), methods=["DELETE"]),
        Route("/v1/files/{id}/content", _content(files)),
    ]


def _job_routes(tuning: FineTuning) -> list[Route]:
    jobs = "/v1/fine_tuning/jobs"
    return [
        Route(jobs, _writes(tuning.create), methods=["POST"]),
        Route(jobs, _reads(lambda _id, query: tuning.records.page(query))),
        Route(jobs + "/{id}", _reads(lambda id_, _query: tuning.records.get(id_))),
        Route(jobs + "/{id}/cancel", _reads(lambda id_, _query: tuning.cancel(id_)), methods=["POST"]),
        Route(jobs + "/{id}/events", _reads(lambda id_, _query: tuning.events(id_))),
    ]


def _batch_routes(batches: Batches) -> list[Route]:
    return [
        Route("/v1/batches", _writes(batches.create), methods=["POST"]),
        Route("/v1/batches", _reads(lambda _id, query: batches.records.page(query))),
        Route("/v1/batches/{id}", _reads(lambda id_, _query: batches.records.get(id_))),
        Route("/v1/batches/{id}/cancel", _reads(lambda id_, _query: batches.cancel(id_)), methods=["POST"]),
    ]


def _reads(handler: Callable[[str, Query], Any]) -> Endpoint:
    """Make an endpoint of a handler that takes the id in the path and the query."""

    async def endpoint(request: Request) -> Response:
        id_ = request.path_params.get("id", "")
        return JSONResponse(await run_in_threadpool(handler, id_, dict(request.query_params)))

    return endpoint


def _writes(handler: Callable[[Any], Any]) -> Endpoint:
    """Make an endpoint of a handler that takes the JSON body."""

    async def endpoint(request: Request) -> Response:
        return JSONResponse(await run_in_threadpool(handler, await _json(request)))

    return endpoint


def _chat(service: Service) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        body = await _json(request)
        completion = await run_in_threadpool(service.chat, body)
        if not body.get("stream"):
            return JSONResponse(completion)
        include_usage = bool((body.get("stream_options") or {}).get("include_usage"))
        return StreamingResponse(chat.stream(completion, include_usage=include_usage), media_type="text/event-stream")

    return endpoint


def _upload(files: Files) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        body = await _body(request)
        kind = request.headers.get("content-type", "")
        return JSONResponse(await run_in_threadpool(files.upload, kind, body))

    return endpoint


def _content(files: Files) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        content = await run_in_threadpool(files.content, request.path_params["id"])
        return Response(content, media_type="application/octet-stream")

    return endpoint


async def _body(request: Request) -> bytes:
    """Read the body, and no more of it than is allowed, whatever length it declares."""
    declared = request.headers.get("content-length", "0")
    too_large = ApiError(f"The body is larger than {MAX_BODY_BYTES} bytes.", status=413, code="request_too_large")
    if declared.isdecimal() and int(declared) > MAX_BODY_BYTES:
        raise too_large
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > MAX_BODY_BYTES:
            raise too_large
    return bytes(body)


async def _json(request: Request) -> Any:
    body = await _body(request)
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        raise ApiError("We could not parse the JSON body of your request.", code="invalid_json") from None
    if not isinstance(value, dict):
        raise ApiError("The JSON body must be an object.", code="invalid_json")
    return value


async def _guard(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
    """Refuse requests of foreign web pages, answer failures, and name every request."""
    origin = request.headers.get("origin")
    if origin is not None and urlsplit(origin).hostname not in LOOPBACK:
        response: Response = await _refuse(request, ApiError("Requests of web pages are refused.", status=403))
    else:
        try:
            response = await call_next(request)
        except Exception as error:  # noqa: BLE001 - whatever it is, the client gets an answer and keeps its connection
            response = await _fail(request, error)
    response.headers["x-request-id"] = new_id("req")
    return response


async def _refuse(_request: Request, error: Exception) -> Response:
    assert isinstance(error, ApiError)
    return JSONResponse(error.envelope(), status_code=error.status)


async def _refuse_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    said = f"{error.detail}: {request.method} {request.url.path[:80]}"
    return await _refuse(request, ApiError(said, status=error.status_code, code=_CODES.get(error.status_code)))


async def _fail(request: Request, error: Exception) -> Response:
    _log.debug("%s %s failed", request.method, request.url.path, exc_info=error)
    detail = str(error) if isinstance(error, LlmopsError) else type(error).__name__
    return await _refuse(request, ApiError(f"The local provider failed: {detail}", status=500, code="internal_error"))

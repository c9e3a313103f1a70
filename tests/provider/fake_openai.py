"""A small real HTTP server that speaks enough of the OpenAI wire and misbehaves on request.

`with FakeOpenAI() as fake:` answers well; `fake.script(Reply(429), …)` says what the next requests get.
"""

import base64
import hashlib
import json
import struct
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from flows.provider import tokens
from flows.provider.requests import Message

DIMS = 8


@dataclass
class Reply:
    """What one request gets instead of a good answer."""

    status: int = 200
    body: bytes | dict | None = None  # None = the good answer, or an error envelope
    headers: dict[str, str] = field(default_factory=dict)
    code: str | None = None
    message: str = "no"
    delay_s: float = 0.0
    cut: bool = False  # close after half of the body
    change: dict = field(default_factory=dict)  # merged into the good answer


def vector(text: str) -> list[float]:
    digest = hashlib.sha256(text.encode("utf-8", "replace")).digest()[:DIMS]
    return [byte - 127.5 for byte in digest]


def echo(request: dict) -> str:
    said = request["messages"][-1]["content"]
    return json.dumps(filled(request, said)) if "response_format" in request else f"You said: {said[:40]}"


def completion(request: dict, text: str) -> dict:
    choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text, "refusal": None}}
    usage = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}
    return {"id": "c", "model": request["model"], "system_fingerprint": "fp_fake", "choices": [choice], "usage": usage}


def filled(request: dict, said: str) -> dict:
    """An answer by the schema: the words said, more or fewer of them, the first chunk, no refusal."""
    values = {"string": said[: 40 + 7 * (len(said) % 40)], "array": [1], "boolean": False, "integer": 1, "number": 1.0}
    properties = request["response_format"]["json_schema"]["schema"]["properties"]
    return {name: kind["enum"][0] if "enum" in kind else values[kind["type"]] for name, kind in properties.items()}


def counted(request: dict, reply: dict) -> dict:
    """The usage a provider with OpenAI's vocabulary would report."""
    model = request["model"]
    if "input" in request:
        fed = sum(tokens.count(text, model) for text in request["input"])
        return {"prompt_tokens": fed, "total_tokens": fed}
    messages = [Message(item["role"], item["content"]) for item in request["messages"]]
    schema = request.get("response_format", {}).get("json_schema", {}).get("schema")
    fed = tokens.count_messages(messages, model, schema)
    made = tokens.count(reply["choices"][0]["message"]["content"], model)
    return {"prompt_tokens": fed, "completion_tokens": made, "total_tokens": fed + made}


def embeddings(request: dict) -> dict:
    vectors = [vector(text) for text in request["input"]]
    packed = [base64.b64encode(struct.pack(f"<{DIMS}f", *v)).decode() for v in vectors]
    data = [{"object": "embedding", "index": i, "embedding": text} for i, text in enumerate(packed)]
    return {"object": "list", "model": request["model"], "data": data, "usage": {"prompt_tokens": 2, "total_tokens": 2}}


class FakeOpenAI:
    """The server; `requests` holds what came in as (path, JSON body, headers, monotonic time).

    With `counting` its usage is what the texts really take; without, always 10 and 5 tokens.
    """

    def __init__(self, *, counting: bool = False) -> None:
        self.counting = counting
        self.requests: list[tuple[str, dict, dict, float]] = []
        self.busy_most = 0
        self._busy, self._replies, self._always = 0, deque[Reply](), Reply()
        self._lock = threading.Lock()
        self.says: Callable[[dict], str] = echo  # makes the text of a good answer from the request
        fake = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = -1  # head and body in one packet; else every answer waits 40 ms for an acknowledgement

            def log_message(self, *_args) -> None:
                pass

            def do_POST(self) -> None:
                fake._answer(self)

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.base_url = f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    def script(self, *replies: Reply) -> None:
        """Say what the next requests get; after them every answer is good again."""
        self._replies.extend(replies)

    def always(self, reply: Reply) -> None:
        """Say what every request gets that has no reply of its own."""
        self._always = reply

    def __enter__(self) -> "FakeOpenAI":
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return self

    def __exit__(self, *_args: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _answer(self, handler: BaseHTTPRequestHandler) -> None:
        request = json.loads(handler.rfile.read(int(handler.headers["Content-Length"])))
        with self._lock:
            self.requests.append((handler.path, request, dict(handler.headers), time.monotonic()))
            reply = self._replies.popleft() if self._replies else self._always
            self._busy += 1
            self.busy_most = max(self.busy_most, self._busy)
        time.sleep(reply.delay_s)
        with self._lock:
            self._busy -= 1
        try:
            _send(handler, reply, self._body(handler.path, request, reply))
        except OSError:
            handler.close_connection = True

    def _body(self, path: str, request: dict, reply: Reply) -> bytes:
        if isinstance(reply.body, bytes):
            return reply.body
        if reply.body is not None:
            return json.dumps(reply.body).encode()
        if reply.status >= 300:
            return json.dumps({"error": {"message": reply.message, "type": "fake", "code": reply.code}}).encode()
        good = completion(request, self.says(request)) if path.endswith("/chat/completions") else embeddings(request)
        if self.counting:
            good["usage"] = counted(request, good)
        return json.dumps(good | reply.change).encode()


def _send(handler: BaseHTTPRequestHandler, reply: Reply, body: bytes) -> None:
    handler.send_response(reply.status)
    handler.send_header("Content-Type", "application/json")
    handler.send_header("Content-Length", str(len(body)))
    for name, value in reply.headers.items():
        handler.send_header(name, value)
    handler.end_headers()
    if reply.cut:
        handler.wfile.write(body[: len(body) // 2])
        handler.close_connection = True
        return
    handler.wfile.write(body)

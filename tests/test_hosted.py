"""The same commands against a hosted provider: a key, a URL, prices; nothing else changes."""

import json
import os
import subprocess
import sys
import threading
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import yaml

from flows.cli.init import lay_out
from flows.core.calls import read_calls
from flows.core.files import read_json
from flows.core.project import Project
from flows.provider.local.server import running

pytestmark = pytest.mark.slow

KEY = "sk-canary-0123456789"
NAMES = {"hosted-chat": "local-extract-1", "hosted-embed": "local-hash-384"}
PAGE = """# Returns

A return is a parcel that a customer sends back. Returns are accepted within 30 days of delivery.

## Refunds

A refund is paid to the original payment method within five working days. Gift cards cannot be refunded.

## Exchanges

An exchange is a return with a new order. An exchange ships within two working days after the parcel arrived.
"""


def gateway(base_url, seen):
    """A hosted gateway: demands the key, knows its own model names, forwards to a real server."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            seen.append((self.path, body["model"]))
            if self.headers["Authorization"] != f"Bearer {KEY}":
                return self._answer(401, b'{"error": {"message": "wrong key", "code": "invalid_api_key"}}')
            body["model"] = NAMES[body["model"]]
            url, content = base_url + self.path.removeprefix("/v1"), {"Content-Type": "application/json"}
            request = urllib.request.Request(url, json.dumps(body).encode(), content)
            with urllib.request.urlopen(request, timeout=60) as reply:
                return self._answer(reply.status, reply.read())

        def _answer(self, status, body):
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    return ThreadingHTTPServer(("127.0.0.1", 0), Handler)


@pytest.fixture(scope="module")
def hosted(tmp_path_factory):
    """A project whose models are behind the gateway and priced: (project, environment, requests seen)."""
    root = tmp_path_factory.mktemp("hosted")
    lay_out(root / "p")
    project = Project.open(root / "p")
    project.data("sources", "returns.md").write_text(PAGE)
    params = yaml.safe_load(project.params_file.read_text())
    params["provider"] |= {"hosted_chat_model": "hosted-chat", "hosted_embedding_model": "hosted-embed"}
    project.params_file.write_text(yaml.safe_dump(params))
    price = {"provider": "127.0.0.1", "usd_per_mtok": 2.0, "source": "test"}
    price |= {"valid_from": "2026-01-01", "read_on": "2026-01-01"}
    rows = [price | {"model": model, "token_type": kind} for model in NAMES for kind in ("input", "output")]
    project.data("prices", "own.yaml").write_text(yaml.safe_dump({"prices": rows}, default_flow_style=False))
    seen = []
    with running(root / "server", threads=1) as base_url:
        server = gateway(base_url, seen)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/v1"
        yield project, os.environ | {"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": url, "LLMOPS_VERSIONING": "off"}, seen
        server.shutdown()
        server.server_close()


def llmops(project, env, *args):
    command = [sys.executable, "-m", "flows.cli.main", "--project", str(project.root), *args]
    return subprocess.run(command, env=env, capture_output=True, text=True, timeout=300)


def test_a_wrong_key_stops_at_once_and_names_the_variable(hosted):
    project, env, seen = hosted

    done = llmops(project, env | {"OPENAI_API_KEY": "sk-wrong"}, "run")

    assert done.returncode == 69
    assert "OPENAI_API_KEY" in done.stderr
    assert "sk-wrong" not in done.stdout + done.stderr
    assert len(seen) <= 2


def test_a_budget_of_zero_refuses_before_the_first_paid_call(hosted):
    project, env, seen = hosted
    before = len(seen)

    done = llmops(project, env, "run", "--max-usd", "0")

    assert done.returncode == 77
    assert len(seen) == before
    assert not project.data("embed", "manifest.json").exists()


def test_a_provider_that_is_down_is_tried_and_then_said(hosted):
    project, env, _ = hosted

    done = llmops(project, env | {"OPENAI_BASE_URL": "http://127.0.0.1:9/v1"}, "run")

    assert done.returncode in {75, 77}  # 77: at another address the models have no price
    assert "Traceback" not in done.stderr
    assert not project.data("embed", "manifest.json").exists()


def test_the_whole_dag_runs_priced_and_the_key_is_nowhere(hosted):
    project, env, seen = hosted

    done = llmops(project, env, "run")
    again = llmops(project, env, "run")

    assert done.returncode == 0, done.stderr
    assert {model for _, model in seen} == set(NAMES)
    calls = read_calls(project)
    assert set(calls["provider"]) == {"127.0.0.1"}
    assert calls["cost_usd"].sum() > 0
    assert read_json(project.data("evaluate", "verdict.json"), remedy="")["verdict"] in {"pass", "inconclusive", "fail"}
    assert "Nothing changed" in again.stdout
    leaks = [path for path in project.root.rglob("*") if path.is_file() and KEY.encode() in path.read_bytes()]
    assert leaks == []

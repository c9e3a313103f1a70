"""A real Prefect server and worker: deploy everything, and the DAG runs itself.

Also the regression test of the pins (docs/decisions/0002): with a newer SQLAlchemy a cron schedule
silently never creates a run, with a newer fastapi the CLI gets HTTP 422.
"""

import os
import socket
import subprocess
import sys
import time
from contextlib import contextmanager

import httpx
import pytest

from flows.cli.init import lay_out
from flows.core.project import STAGES

pytestmark = [pytest.mark.prefect, pytest.mark.slow]

START_S, CHAIN_S, POLL_S = 120, 420, 2
PAGE = """# Returns

A return is a parcel that a customer sends back. Returns are accepted within 30 days of delivery.

## Refunds

A refund is paid to the original payment method within five working days. Gift cards cannot be refunded.

## Exchanges

An exchange is a return with a new order. An exchange ships within two working days after the parcel arrived.
"""


@contextmanager
def process(args, **options):
    """A child that ends with the block, whatever happens."""
    child = subprocess.Popen(args, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **options)
    try:
        yield child
    finally:
        child.terminate()
        try:
            child.wait(20)
        except subprocess.TimeoutExpired:
            child.kill()


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until(condition, seconds, what):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(POLL_S)
    pytest.fail(f"not within {seconds} s: {what}")


@pytest.fixture(scope="module")
def prefect(tmp_path_factory):
    """A server, a project with one document, and everything deployed: (api client, run a prefect command, env)."""
    root = tmp_path_factory.mktemp("prefect")
    project = root / "project"
    lay_out(project)
    (project / "data" / "sources" / "returns.md").write_text(PAGE)
    api = f"http://127.0.0.1:{free_port()}/api"
    env = os.environ | {
        "PREFECT_HOME": str(root / "home"),
        "PREFECT_API_URL": api,
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
        "LLMOPS_HOME": str(project),
        "LLMOPS_VERSIONING": "off",
    }

    def command(*args):
        done = subprocess.run(
            [sys.executable, "-m", "prefect", *args], cwd=project, env=env, capture_output=True, text=True, timeout=300
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    server = [
        sys.executable,
        "-m",
        "prefect",
        "server",
        "start",
        "--host",
        "127.0.0.1",
        "--port",
        api[:-4].split(":")[-1],
    ]
    with process(server, env=env), httpx.Client(base_url=api, timeout=30) as client:
        wait_until(lambda: _healthy(client), START_S, "the server answers")
        command("work-pool", "create", "--type", "process", "llmops")
        command("--no-prompt", "deploy", "--all")
        yield client, command, env


def _healthy(client):
    try:
        return client.get("/health").status_code == 200
    except httpx.HTTPError:
        return False


def deployments(client):
    return {item["name"]: item["id"] for item in client.post("/deployments/filter", json={}).json()}


def runs(client, state):
    body = {"flow_runs": {"state": {"type": {"any_": [state]}}}, "limit": 200}
    found = client.post("/flow_runs/filter", json=body).json()
    names = {identifier: name for name, identifier in deployments(client).items()}
    return {names[run["deployment_id"]] for run in found if run["deployment_id"] in names}


def test_every_stage_is_deployed_under_its_name(prefect):
    client, command, _ = prefect

    assert set(deployments(client)) == set(STAGES)
    assert "evaluate/evaluate" in command("deployment", "ls")


def test_a_cron_schedule_creates_scheduled_runs(prefect):
    client, _, _ = prefect

    wait_until(lambda: runs(client, "SCHEDULED") == set(STAGES), 120, "a scheduled run of every deployment")


def test_events_carry_the_dag_from_ingest_to_report(prefect):
    """Three runs by hand; the triggers in prefect.yaml start the other six, and a worker completes all nine."""
    client, command, env = prefect
    worker = [sys.executable, "-m", "prefect", "worker", "start", "--pool", "llmops", "--type", "process"]

    with process(worker, env=env | {"PREFECT_WORKER_QUERY_SECONDS": "2"}):
        for name in ("ingest", "monitor", "forecast"):
            command("deployment", "run", f"{name}/{name}")
        wait_until(lambda: runs(client, "COMPLETED") == set(STAGES), CHAIN_S, "a completed run of every stage")

    assert runs(client, "FAILED") == runs(client, "CRASHED") == set()

"""A parser process has no network, no children and no files to write; who tries is found out."""

import os
import socket
import sys
from datetime import UTC, datetime

import pytest

from flows.core.project import Project
from flows.ingest import stage, workers
from flows.ingest.confinement import network_is_closed
from flows.ingest.drafts import Rejected
from flows.ingest.params import IngestParams
from flows.ingest.parsing import Limits
from flows.ingest.quarantine import show_quarantine
from flows.ingest.workers import ParserPool

pytestmark = pytest.mark.slow
LIMITS = Limits.of(IngestParams(), None)

PLANTED = """
import ctypes, os, socket, subprocess, sys
from flows.ingest import worker
from flows.ingest.drafts import Parsed, ParsedFile

def parse(data, media_type, limits):
    act, _, where = data.decode().removeprefix("<p>").partition(" ")
    said = "nothing was tried, and these are enough words"
    try:
        if act == "socket":
            socket.create_connection(("127.0.0.1", int(where)))
        elif act == "process":
            subprocess.run(["true"])
        elif act == "fork":
            os.fork()
        elif act == "write":
            open(where, "w").write("x")
        elif act == "descriptors":
            said = "open: " + " ".join(sorted(os.listdir("/proc/self/fd")))
        elif act == "environment":
            said = "keys: " + " ".join(os.environ)
        elif act == "native":
            said = "native: " + connect(int(where))
    except PermissionError:
        pass  # as a parser that hides its failure would
    return ParsedFile(media_type, "planted", (Parsed(said),))

def connect(port):
    libc = ctypes.CDLL(None, use_errno=True)
    address = bytes([2, 0]) + port.to_bytes(2, "big") + bytes([127, 0, 0, 1]) + bytes(8)
    handle = libc.socket(2, 1, 0)
    return "reached" if libc.connect(handle, address, len(address)) == 0 else "unreachable"

worker.parse = parse
worker.main()
"""


@pytest.fixture
def planted(monkeypatch):
    """A pool whose parser does what the bytes say."""
    monkeypatch.setattr(workers, "_COMMAND", (sys.executable, "-c", PLANTED))
    with ParserPool(IngestParams(parser_processes=1)) as pool:
        yield lambda text: pool.parse(text.encode(), "text/html", LIMITS).texts[0].text


@pytest.fixture
def listener():
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)
        yield server


@pytest.mark.parametrize(("act", "rule"), [("socket", "network"), ("process", "process"), ("fork", "process")])
def test_a_parser_that_tries_what_it_may_not_is_found_out_though_it_hides_the_refusal(planted, listener, act, rule):
    port = listener.getsockname()[1]
    with pytest.raises(Rejected) as caught:
        planted(f"{act} {port}")
    assert (caught.value.code, caught.value.rule) == ("forbidden", rule)
    with pytest.raises(TimeoutError):
        listener.accept()
    assert planted("next").startswith("nothing was tried")  # the attempt is not held against the next file


def test_native_code_finds_no_network_either(planted, listener):
    if not network_is_closed():
        pytest.skip("this kernel or container forbids network namespaces; then only Python code is held back")
    assert planted(f"native {listener.getsockname()[1]}") == "native: unreachable"
    with pytest.raises(TimeoutError):
        listener.accept()


def test_a_parser_writes_no_file_and_inherits_no_descriptor_and_no_key(planted, tmp_path, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "not-for-parsers")
    with (tmp_path / "ours").open("w") as held:
        held.write("kept")
        os.set_inheritable(held.fileno(), True)
        assert set(planted("descriptors").split()[1:]) <= {"0", "1", "2", "3"}  # 3 is the listing itself
    assert "OPENAI" not in planted("environment")
    with pytest.raises(Rejected, match="file"):
        planted(f"write {tmp_path / 'ours'}")
    assert (tmp_path / "ours").read_text() == "kept"


def test_the_file_goes_to_quarantine_and_the_others_come_in(tmp_path, monkeypatch, listener):
    monkeypatch.setattr(workers, "_COMMAND", (sys.executable, "-c", PLANTED))
    (tmp_path / "params.yaml").write_text("ingest: {}\n")
    project = Project.open(tmp_path)
    sources = project.data("sources")
    sources.mkdir(parents=True)
    (sources / "a.html").write_text(f"<p>socket {listener.getsockname()[1]}")
    (sources / "b.html").write_text("<p>good")
    (sources / "c.md").write_text("A text that needs no parser process, and is long enough.")
    record = stage.run(str(tmp_path), clock=lambda: datetime(2026, 11, 1, tzinfo=UTC))
    assert record.counts["documents"] == 2
    (row,) = show_quarantine(project, "a.html")
    assert (row["reason_code"], row["rule"]) == ("forbidden", "network")

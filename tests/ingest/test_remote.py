"""Sources behind URLs, from real servers on loopback: what comes in, what is refused, what ends in time."""

import datetime
import http.server
import importlib.util
import ipaddress
import ssl
import threading
import time

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from flows.core.errors import InputError, ParamsError
from flows.core.progress import silent
from flows.ingest.discover import discover
from flows.ingest.drafts import Rejected
from flows.ingest.memory import Memory
from flows.ingest.params import IngestParams
from flows.ingest.prepare import Task, prepare
from flows.ingest.reading import read
from flows.ingest.stock import take_stock

GUIDE = b"# Guide\n\nReturns are accepted within 30 days of delivery.\n"
PAGE = b"<html><body><h1>Page</h1><p>The fees of the year are on this page.</p></body></html>"


class Site(http.server.BaseHTTPRequestHandler):
    """A small web site with a few bad manners."""

    asked: list[tuple[str, str]]
    elsewhere = "http://127.0.0.1:1/internal"

    def do_HEAD(self):
        self.answer(with_body=False)

    def do_GET(self):
        self.answer(with_body=True)

    def answer(self, *, with_body):
        self.server.asked.append((self.command, self.path))
        name = self.path.partition("?")[0]
        if name == "/drip":
            return self.drip()
        if name in {"/moved", "/round", "/away", "/down"}:
            targets = {
                "/moved": "/guide.md",
                "/round": "/round",
                "/away": self.server.elsewhere,
                "/down": "file:///etc/passwd",
            }
            return self.send(302, b"a body nobody wants to index", with_body, {"Location": targets[name]})
        if name == "/gone":
            return self.send(404, b"not here, and these words are no document", with_body)
        if name == "/packed.md":
            return self.send(200, b"\x1f\x8b", with_body, {"Content-Encoding": "gzip"})
        if name == "/cut.md":
            return self.send(200, GUIDE, with_body, {"Content-Length": str(len(GUIDE) + 50)})
        if name == "/endless.txt":
            return self.endless(with_body)
        kind, body = {"/guide.md": ("text/markdown", GUIDE), "/page": ("text/html; charset=utf-8", PAGE)}[name]
        return self.send(200, body, with_body, {"Content-Type": kind, "ETag": '"1"'})

    def send(self, status, body, with_body, headers=()):
        self.send_response(status)
        for key, value in {"Content-Length": str(len(body)), **dict(headers)}.items():
            self.send_header(key, value)
        self.end_headers()
        if with_body:
            self.wfile.write(body)

    def endless(self, with_body):
        """No length, and more than anybody wants."""
        self.send_response(200)
        self.end_headers()
        for _ in range(64 if with_body else 0):
            self.wfile.write(b"words " * 10_000)

    def drip(self):
        """A byte at a time, each well within the timeout of a socket."""
        for byte in b"HTTP/1.1 200 OK\r\nX-Slow: " + b"a" * 2000:
            self.wfile.write(bytes([byte]))
            time.sleep(0.05)

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_):
        """A client that hangs up is what some tests want."""


def serve(context=None):
    server = Server(("127.0.0.1", 0), Site)
    server.asked, server.elsewhere = [], "http://127.0.0.1:1/internal"
    if context:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    return server


@pytest.fixture
def site():
    server = serve()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def secure_site(tmp_path, monkeypatch):
    """The same over TLS; its certificate is trusted through OpenSSL's own variable."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "loopback")])
    begun = datetime.datetime(2020, 1, 1)
    certificate = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
        .not_valid_before(begun).not_valid_after(begun.replace(year=2099))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    (tmp_path / "cert.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (tmp_path / "key.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "cert.pem"))
    server = serve(context)
    yield server
    server.shutdown()
    server.server_close()


def params(server, *paths, scheme="http", **options):
    sources = [{"uri": f"{scheme}://127.0.0.1:{server.server_port}{path}"} for path in paths]
    return IngestParams.model_validate({"sources": sources, "url_hosts_allowed": ["127.0.0.1"], **options})


def refusal(project, given):
    (item,) = discover(project, given)
    with pytest.raises(Rejected) as caught:
        read(item, given)
    return caught.value.code, caught.value.rule


def prepared(project, given):
    with Memory(project.state("ingest", "memory.sqlite")) as memory:
        return prepare(Task(take_stock(project, given, memory, silent), given), memory, silent)


def test_a_page_comes_in_by_its_content_and_is_asked_for_once_while_its_etag_stands(project, site):
    given = params(site, "/guide.md", "/page?id=ä", "/moved")
    made = prepared(project, given)
    assert ("GET", "/page?id=%C3%A4") in site.asked
    assert [[(draft.media_type, draft.title) for draft in item.drafts] for item in made.values()] == [
        [("text/markdown", "Guide")], [("text/markdown", "Guide")], [("text/html", "Page")]
    ]  # fmt: skip
    site.asked.clear()
    prepared(project, given)
    assert ("GET", "/guide.md") not in site.asked
    assert ("GET", "/page?id=%C3%A4") not in site.asked


@pytest.mark.slow
def test_tls_is_verified(project, secure_site, monkeypatch):
    given = params(secure_site, "/guide.md", scheme="https")
    (item,) = discover(project, given)
    assert read(item, given) == GUIDE
    monkeypatch.delenv("SSL_CERT_FILE")
    assert refusal(project, given) == ("unreadable", "connection")


def test_no_redirect_leads_to_another_origin(project, site):
    other = serve()
    try:
        for elsewhere in (
            f"http://127.0.0.1:{other.server_port}/guide.md",
            "http://localhost/x",
            "https://127.0.0.1/x",
        ):
            site.elsewhere = elsewhere
            assert refusal(project, params(site, "/away")) == ("unreadable", "redirect")
        assert other.asked == []
    finally:
        other.shutdown()
        other.server_close()
    assert refusal(project, params(site, "/down")) == ("unreadable", "redirect")
    assert refusal(project, params(site, "/round")) == ("unreadable", "redirect")


def test_what_is_no_document_is_told(project, site):
    assert refusal(project, params(site, "/gone")) == ("unreadable", "http_status")
    assert refusal(project, params(site, "/packed.md")) == ("unreadable", "content_encoding")
    assert refusal(project, params(site, "/cut.md")) == ("unreadable", "connection")
    site.shutdown()
    site.server_close()
    assert refusal(project, params(site, "/guide.md")) == ("unreadable", "connection")


def test_a_size_is_refused_when_it_is_announced_and_when_it_is_not(project, site):
    assert refusal(project, params(site, "/page?x", size_max_mb=0.00001)) == ("too_large", "size_max_mb")
    assert ("GET", "/page?x") not in site.asked
    assert refusal(project, params(site, "/endless.txt", size_max_mb=0.1)) == ("too_large", "size_max_mb")


@pytest.mark.slow
def test_a_server_that_drips_is_left_at_the_deadline(project, site):
    begun = time.monotonic()
    assert refusal(project, params(site, "/drip", url_timeout_s=0.3)) == ("unreadable", "deadline")
    assert time.monotonic() - begun < 10  # the headers alone would take a hundred seconds


def test_a_page_that_fails_stops_no_other(project, site):
    made = prepared(project, params(site, "/gone", "/guide.md"))
    assert [len(item.drafts) for item in made.values()] == [0, 1]


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("https://127.0.0.2/a.md", "is not allowed"),
        ("https://127.0.0.1.example/a.md", "is not allowed"),
        ("https://127.0.0.1:99999/a.md", "no valid port"),
        ("https://someone:hidden@127.0.0.1/a.md", "credentials"),
        ("s3://someone:hidden@bucket/a.md", "holds a password"),
        ("gss://bucket/a.md", "'gss://bucket/a.md' is of no kind that can be read. Did you mean 'gs'"),
        ("simplecache::https://127.0.0.2/a.md", "is of no kind that can be read"),
    ],
)
def test_what_may_not_be_asked_is_not_asked(project, url, message):
    given = IngestParams.model_validate({"sources": [{"uri": url}], "url_hosts_allowed": ["127.0.0.1"]})
    with pytest.raises(ParamsError, match=message) as caught:
        discover(project, given)
    assert "hidden" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "package"), [("s3://bucket/docs", "s3fs"), ("gs://bucket/docs", "gcsfs"), ("abfs://c/docs", "adlfs")]
)
def test_a_store_whose_driver_is_missing_says_what_to_install(project, url, package):
    if importlib.util.find_spec(package):
        pytest.skip(f"{package} is installed here")
    given = IngestParams.model_validate({"sources": [{"uri": url}]})
    with pytest.raises(ParamsError, match=f"no driver for '{url[:2]}.* Run `pip install {package}"):
        discover(project, given)


def test_a_store_that_does_not_answer_is_said_to_be_out_of_reach(project):
    given = IngestParams.model_validate({"sources": [{"uri": "ftp://127.0.0.1:1/docs"}]})
    with pytest.raises(InputError, match=r"cannot be listed \(ConnectionRefusedError\)\. Check the address"):
        discover(project, given)


@pytest.fixture
def store():
    """The memory file system of fsspec, by the code that serves s3:// and gs://."""
    import fsspec

    system = fsspec.filesystem("memory")
    system.pipe({"/bucket/docs/guide.md": GUIDE, "/bucket/docs/deep/page.html": PAGE, "/bucket/docs/x.bin": b"x"})
    yield system
    system.store.clear()
    system.pseudo_dirs[:] = [""]


@pytest.mark.parametrize(
    ("uri", "found"),
    [
        ("memory://bucket/docs", ["memory://bucket/docs/deep/page.html", "memory://bucket/docs/guide.md"]),
        ("memory://bucket/docs/*.md", ["memory://bucket/docs/guide.md"]),
        ("memory://bucket/docs/guide.md", ["memory://bucket/docs/guide.md"]),
    ],
)
def test_an_object_store_is_listed_and_read(project, store, uri, found):
    given = IngestParams.model_validate({"sources": [{"uri": uri}]})
    made = prepared(project, given)
    assert list(made) == found
    assert all(item.drafts for item in made.values())


def test_a_store_forgets_and_changes_what_its_owner_does(project, store):
    given = IngestParams.model_validate({"sources": [{"uri": "memory://bucket/docs"}], "size_max_mb": 0.0001})
    store.pipe("/bucket/docs/guide.md", b"# Guide\n\nReturns are accepted within 60 days.\n")
    store.rm("/bucket/docs/deep/page.html")
    (draft,) = prepared(project, given)["memory://bucket/docs/guide.md"].drafts
    assert "60 days" in draft.text
    store.pipe("/bucket/docs/guide.md", GUIDE * 10)
    assert prepared(project, given)["memory://bucket/docs/guide.md"].rejections[0].code == "too_large"
    store.rm("/bucket/docs", recursive=True)
    with pytest.raises(InputError, match="does not exist or is empty"):
        discover(project, given)

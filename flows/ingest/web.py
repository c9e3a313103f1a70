"""Read one document over http or https: allowed hosts, one origin, a size, a deadline.

A redirect is followed within its origin (scheme, host and port) only, so that no allowed host can send us
to an internal one. The deadline covers everything from the connection to the last byte: a watch closes the
socket, since the timeouts of sockets count from byte to byte. Bodies are taken uncompressed, certificates
are verified, proxies and credentials in addresses are not used.
"""

import http.client
import socket
import ssl
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Literal
from urllib.parse import SplitResult, quote, urljoin, urlsplit

from flows.core.errors import ParamsError
from flows.ingest.drafts import Rejected
from flows.ingest.sniff import BY_SUFFIX

SCHEMES = ("http", "https")
_REDIRECTS_MAX = 3
_REDIRECTS = (301, 302, 303, 307, 308)
_BLOCK_BYTES = 1 << 16
_SAFE = "/?%:@!$&'()*+,;=~-._"  # what an address may hold as it is
_HEADERS = {"Accept-Encoding": "identity", "User-Agent": "llmops-ingest"}
_SUFFIX_OF = {kind: suffix for suffix, kind in reversed(BY_SUFFIX.items())}


@dataclass(frozen=True)
class Answer:
    """A document, or with an empty body what its server says about it."""

    size: int
    stamp: str  # changes with the content, as far as the server tells; may be empty
    suffix: str  # of the media type the server names; `.txt` where it names none of ours
    body: bytes = b""


def check_address(url: str, hosts_allowed: Sequence[str]) -> None:
    """Raise unless the address may be asked at all.

    Raises:
        ParamsError: The host is not allowed, or the address holds credentials or no valid port.
    """
    parts = urlsplit(url)
    try:
        _ = parts.port
    except ValueError:
        raise ParamsError(f"a source at {parts.hostname!r} names no valid port. Mend its `uri`.") from None
    if parts.username or parts.password:
        raise ParamsError(
            f"a source at {parts.hostname!r} has credentials in its address. Remove them; such sources are public."
        )
    if parts.hostname not in hosts_allowed:
        raise ParamsError(
            f"host {parts.hostname!r} of a source is not allowed. "
            "Add it to ingest.url_hosts_allowed, or remove the source."
        )


def fetch(url: str, *, method: Literal["HEAD", "GET"], bytes_max: int, timeout_s: float) -> Answer:
    """Ask for a document, or with `HEAD` only about it.

    Args:
        url: An address that `check_address` has let pass.
        method: What to ask.
        bytes_max: Most bytes of a body; one more is read at most.
        timeout_s: From the connection to the last byte; a redirect starts anew.

    Raises:
        Rejected: `unreadable` by `redirect`, `http_status`, `content_encoding`, `deadline` or `connection`.
    """
    start = urlsplit(url)
    for _ in range(_REDIRECTS_MAX + 1):
        answer = _exchange(urlsplit(url), method, bytes_max, timeout_s)
        if isinstance(answer, Answer):
            return answer
        url = urljoin(url, answer)
        if (target := urlsplit(url))[:2] != start[:2]:
            raise Rejected("unreadable", "redirect", f"to {target.scheme}://{target.hostname or ''}, another origin")
    raise Rejected("unreadable", "redirect", f"more than {_REDIRECTS_MAX}")


def _exchange(url: SplitResult, method: str, bytes_max: int, timeout_s: float) -> Answer | str:
    """Return the answer, or where it redirects to."""
    target = quote((url.path or "/") + (f"?{url.query}" if url.query else ""), safe=_SAFE)
    connection = _connection(url, timeout_s)
    try:
        with _deadline(connection, timeout_s):
            connection.request(method, target, headers=_HEADERS)
            response = connection.getresponse()
            if response.status in _REDIRECTS:
                return response.headers.get("Location", "")
            return _answer(response, method, bytes_max)
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise Rejected("unreadable", "connection", type(error).__name__) from None
    finally:
        connection.close()


def _answer(response: http.client.HTTPResponse, method: str, bytes_max: int) -> Answer:
    if response.status != http.client.OK:
        raise Rejected("unreadable", "http_status", str(response.status))
    if response.headers.get("Content-Encoding", "identity") != "identity":
        raise Rejected("unreadable", "content_encoding", "compressed though it was not asked for")
    size = int(response.headers.get("Content-Length") or 0)
    stamp = response.headers.get("ETag") or response.headers.get("Last-Modified") or ""
    suffix = _SUFFIX_OF.get(response.headers.get_content_type(), ".txt")
    body = b"" if method == "HEAD" or size > bytes_max else _body(response, bytes_max)
    if method == "GET" and len(body) < size <= bytes_max:
        raise Rejected("unreadable", "connection", f"cut after {len(body)} of {size} bytes")
    return Answer(max(size, len(body)), stamp, suffix, body)


def _body(response: http.client.HTTPResponse, bytes_max: int) -> bytes:
    parts, left = [], bytes_max + 1
    while left and (part := response.read(min(left, _BLOCK_BYTES))):
        parts.append(part)
        left -= len(part)
    return b"".join(parts)


def _connection(url: SplitResult, timeout_s: float) -> http.client.HTTPConnection:
    if url.scheme == "https":
        context = ssl.create_default_context()
        return http.client.HTTPSConnection(url.hostname or "", url.port, timeout=timeout_s, context=context)
    return http.client.HTTPConnection(url.hostname or "", url.port, timeout=timeout_s)


@contextmanager
def _deadline(connection: http.client.HTTPConnection, timeout_s: float) -> Iterator[None]:
    """Connect, and end whatever waits for the connection when its time is over."""
    over = threading.Event()
    opened: list[socket.socket] = []  # the connection forgets its socket when the server will close it

    def end() -> None:
        over.set()
        for item in (*opened, connection.sock):
            with suppress(OSError, AttributeError):
                item.shutdown(socket.SHUT_RDWR)

    watch = threading.Timer(timeout_s, end)
    watch.daemon = True
    watch.start()
    try:
        connection.connect()
        opened.append(connection.sock)
        yield
    except (OSError, http.client.HTTPException, ValueError, Rejected):
        if not over.is_set():
            raise
    finally:
        watch.cancel()
    if over.is_set():  # a connection that was ended may look like the end of a body
        raise Rejected("unreadable", "deadline", f"{timeout_s:g} s")

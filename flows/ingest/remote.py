"""List and read sources behind URLs: `http(s)` by `web.py`, all others (`s3://`, `gs://`, `memory://`) by fsspec.

What a store says about a file (ETag, modification time, size) decides whether it is read again; where
it says nothing, it is read every time. A web page that does not answer is a problem of that page, a
store that does not answer ends the run: nobody can say what is in it.
"""

from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import urlsplit

from flows.core.errors import InputError, ParamsError, did_you_mean
from flows.ingest.archive import MEGABYTE
from flows.ingest.drafts import Rejected
from flows.ingest.params import IngestParams
from flows.ingest.sniff import BY_SUFFIX, REFUSED
from flows.ingest.web import SCHEMES, check_address, fetch

_PINS_FSSPEC = ("s3fs",)  # a release of it needs the fsspec of the same name, and would replace the installed one
_LOCAL = ("file", "local")
_STAMPS = ("ETag", "etag", "mtime", "LastModified", "last_modified", "updated", "created")


def list_remote(url: str, params: IngestParams) -> Iterator[tuple[str, str, int, str]]:
    """Yield (URL, name below the source, size in bytes, change token or "") of every file.

    Raises:
        ParamsError: The host is not allowed, or no driver for the scheme is installed.
        InputError: The place does not exist or cannot be reached.
    """
    if urlsplit(url).scheme in SCHEMES:
        yield _page(url, params)
        return
    system, root = _open_system(url)
    scheme = urlsplit(url).scheme
    try:
        found = _listing(system, root)
    except Exception as error:  # noqa: BLE001 - drivers raise what their own libraries do
        raise _out_of_reach(url, error) from None
    if not found:
        raise InputError(f"source {url!r} does not exist or is empty. Check ingest.sources in params.yaml.")
    base = str(system._strip_protocol(root)).rstrip("/")
    for path in sorted(found):
        info = found[path]
        name = path[len(base) :].lstrip("/") or path.rsplit("/", 1)[-1]
        stamp = next((str(info[key]) for key in _STAMPS if info.get(key)), "")
        size = int(info.get("size") or 0)
        yield _address(scheme, path), name, size, f"{stamp}:{size}" if stamp else ""


def read_remote(url: str, params: IngestParams) -> bytes:
    """Read a file, at most one byte beyond the size limit.

    Raises:
        Rejected: The web server's answer is no document; `too_large` for what it announces.
        OSError: It cannot be read.
    """
    bytes_max = int(params.size_max_mb * MEGABYTE)
    if urlsplit(url).scheme in SCHEMES:
        check_address(url, params.url_hosts_allowed)
        answer = fetch(url, method="GET", bytes_max=bytes_max, timeout_s=params.url_timeout_s)
        if answer.size > bytes_max:
            raise Rejected("too_large", "size_max_mb", f"{answer.size / MEGABYTE:.1f} MB")
        return answer.body
    system, path = _open_system(url)
    try:
        with system.open(path, "rb") as stream:
            data: bytes = stream.read(bytes_max + 1)
            return data
    except Exception as error:  # noqa: BLE001 - drivers raise what their own libraries do
        raise OSError(type(error).__name__) from None


def _page(url: str, params: IngestParams) -> tuple[str, str, int, str]:
    """Describe a web page; what is wrong with it is told when it is read."""
    check_address(url, params.url_hosts_allowed)
    name = PurePosixPath(urlsplit(url).path).name
    try:
        answer = fetch(url, method="HEAD", bytes_max=0, timeout_s=params.url_timeout_s)
    except Rejected:
        return url, name if _known(name) else f"{name}.txt", 0, ""
    token = f"{answer.stamp}:{answer.size}" if answer.stamp else ""
    return url, name if _known(name) else name + answer.suffix, answer.size, token


def _known(name: str) -> bool:
    suffix = PurePosixPath(name).suffix.lower()
    return suffix in BY_SUFFIX or suffix in REFUSED


def _open_system(url: str) -> tuple[Any, str]:
    import fsspec

    scheme = url.partition("://")[0]
    if urlsplit(url).password:
        raise ParamsError(
            f"a source of {scheme!r} holds a password. Give it to the driver by its own environment or file."
        )
    if scheme not in fsspec.available_protocols():  # nor a chain of two, which no list of hosts would see
        known = sorted({*SCHEMES, *fsspec.available_protocols()})
        raise ParamsError(
            f"source {url!r} is of no kind that can be read.{did_you_mean(scheme, known)} "
            "Write a path, a web page's address, or one such as 's3://bucket/folder'."
        )
    try:
        system, path = fsspec.core.url_to_fs(url)
    except ImportError:
        raise ParamsError(f"no driver for {scheme!r} sources is installed. {_driver(scheme)}.") from None
    except Exception as error:  # noqa: BLE001 - some drivers connect here, and raise what their own libraries do
        raise _out_of_reach(url, error) from None
    return system, path


def _driver(scheme: str) -> str:
    """Return what to install for a scheme, as fsspec knows it."""
    from importlib.metadata import version

    from fsspec.registry import known_implementations

    package = known_implementations[scheme]["class"].partition(".")[0]
    if package in _PINS_FSSPEC:
        return f"Run `pip install {package}=={version('fsspec')}` in the environment of llmops"
    if package == "fsspec":
        return str(known_implementations[scheme]["err"])
    return f"Run `pip install {package}` in the environment of llmops"


def _out_of_reach(url: str, error: Exception) -> InputError:
    return InputError(
        f"source {url!r} cannot be listed ({type(error).__name__}). Check the address and the access to it."
    )


def _listing(system: Any, root: str) -> dict[str, dict[str, Any]]:
    if any(char in root for char in "*?["):
        return {path: info for path, info in system.glob(root, detail=True).items() if info["type"] == "file"}
    found: dict[str, dict[str, Any]] = system.find(root, detail=True)
    return found


def _address(scheme: str, path: str) -> str:
    return path if "://" in path else f"{scheme}://{path if scheme in _LOCAL else path.lstrip('/')}"

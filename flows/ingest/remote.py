"""List and read sources behind fsspec URLs, such as `s3://`, `memory://` or `https://`.

`http` and `https` reach hosts of the params' allow-list only, and never follow a redirect to
another place. What a store says about a file (ETag, modification time, size) decides whether it is
read again; where it says nothing, it is read every time.
"""

from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import urlsplit

from flows.core.errors import InputError, ParamsError

_STAMPS = ("ETag", "etag", "mtime", "LastModified", "last_modified", "updated", "created")


def list_remote(url: str, hosts_allowed: Sequence[str]) -> Iterator[tuple[str, str, int, str]]:
    """Yield (URL, name below the source, size in bytes, change token or "") of every file.

    Raises:
        ParamsError: The host is not allowed, or no driver for the scheme is installed.
        InputError: The place does not exist or cannot be reached.
    """
    system, root = _open_system(url, hosts_allowed)
    scheme = urlsplit(url).scheme
    try:
        found = _listing(system, root, scheme)
    except (OSError, ValueError) as error:
        raise InputError(
            f"source {url!r} cannot be listed ({type(error).__name__}). Check the address and the access to it."
        ) from None
    if not found:
        raise InputError(f"source {url!r} does not exist or is empty. Check ingest.sources in params.yaml.")
    base = str(system._strip_protocol(root)).rstrip("/")
    for path in sorted(found):
        info = found[path]
        name = path[len(base) :].lstrip("/") or path.rsplit("/", 1)[-1]
        stamp = next((str(info[key]) for key in _STAMPS if info.get(key)), "")
        size = int(info.get("size") or 0)
        yield _address(scheme, path), name, size, f"{stamp}:{size}" if stamp else ""


def read_remote(url: str, hosts_allowed: Sequence[str], *, bytes_max: int) -> bytes:
    """Read a file, at most one byte beyond `bytes_max`.

    Raises:
        OSError: It cannot be read.
    """
    system, path = _open_system(url, hosts_allowed)
    with system.open(path, "rb") as stream:
        data: bytes = stream.read(bytes_max + 1)
        return data


def _open_system(url: str, hosts_allowed: Sequence[str]) -> tuple[Any, str]:
    import fsspec

    parts = urlsplit(url)
    options: dict[str, Any] = {}
    if parts.scheme in {"http", "https"}:
        if parts.hostname not in hosts_allowed:
            raise ParamsError(
                f"host {parts.hostname!r} of source {_address(parts.scheme, url)!r} is not allowed. "
                "Add it to ingest.url_hosts_allowed, or remove the source."
            )
        options = {"client_kwargs": {"trust_env": False}, "allow_redirects": False}
    try:
        system, path = fsspec.core.url_to_fs(url, **options)
    except (ImportError, ValueError) as error:
        raise ParamsError(
            f"no driver for {parts.scheme!r} sources is installed ({type(error).__name__}). Install the fsspec driver."
        ) from None
    return system, path


def _listing(system: Any, root: str, scheme: str) -> dict[str, dict[str, Any]]:
    if scheme in {"http", "https"}:
        return {root: system.info(root)}
    if any(char in root for char in "*?["):
        return {path: info for path, info in system.glob(root, detail=True).items() if info["type"] == "file"}
    found: dict[str, dict[str, Any]] = system.find(root, detail=True)
    return found


def _address(scheme: str, path: str) -> str:
    return path if "://" in path else f"{scheme}://{path.lstrip('/') if scheme != 'file' else path}"

"""Read an input's bytes once, safely, and remember their hash for as long as the file stands still.

The stat of a file (size, both times, inode) is taken before reading, and a hash is only believed
while the stat is the same; unchanged files are therefore never read again. A file that grew
beyond its listing, turned into a link or vanished is a problem of that file alone.
"""

import os
import stat

from flows.core.ids import sha256
from flows.ingest.archive import MEGABYTE
from flows.ingest.discover import Found
from flows.ingest.drafts import Rejected
from flows.ingest.gitsource import read_blob
from flows.ingest.params import IngestParams
from flows.ingest.remote import read_remote


def read(found: Found, params: IngestParams) -> bytes:
    """Return the bytes of an input.

    Raises:
        Rejected: `unreadable` or `too_large`.
    """
    bytes_max = int(params.size_max_mb * MEGABYTE)
    if found.problem:
        raise Rejected("unreadable", "folder", found.problem)
    if found.size > bytes_max:
        raise Rejected("too_large", "size_max_mb", f"{found.size / MEGABYTE:.1f} MB")
    try:
        if found.repository:
            data = read_blob(found.repository, found.path)
        elif found.remote:
            data = read_remote(found.path, params)
        else:
            data = _read_local(found.path, bytes_max)
    except OSError as error:
        raise Rejected("unreadable", "open", type(error).__name__) from None
    if len(data) > bytes_max:
        raise Rejected("too_large", "size_max_mb", f"more than {params.size_max_mb:g} MB")
    return data


def unread_sha256(found: Found) -> str:
    """Return the stand-in for the hash of bytes that were never read: of their place and size."""
    return sha256(f"unread:{found.uri}:{found.size}")


def _read_local(path: str, bytes_max: int) -> bytes:
    """Read at most one byte beyond the limit; never follows a link, never waits on a pipe."""
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(handle, "rb") as stream:
        info = os.fstat(handle)
        if not stat.S_ISREG(info.st_mode):
            raise OSError("not a regular file")
        data = stream.read(min(info.st_size, bytes_max) + 1)  # asking for more than there is costs its allocation
        return data if len(data) <= info.st_size else data + stream.read(bytes_max + 1 - len(data))

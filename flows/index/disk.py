"""Say a full or failing disk by its own name: Lance reports one as a RuntimeError with the reason in its text."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_DISK_ERROR = re.compile(r"LanceError\(IO\).*\(os error (\d+)\)", re.DOTALL)


@contextmanager
def disk_errors(root: Path) -> Iterator[None]:
    """Raise the OSError that a disk error inside the block is.

    Raises:
        OSError: With the system's number, such as ENOSPC, and `root` as its file.
    """
    try:
        yield
    except RuntimeError as error:
        if found := _DISK_ERROR.search(str(error)):
            number = int(found.group(1))
            raise OSError(number, os.strerror(number), str(root)) from error
        raise

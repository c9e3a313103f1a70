"""Write files so that a reader sees the old one or the new one, never half of either.

Bytes go to a neighbour on the same file system, are flushed to the disk, and take the place of
the old file by `os.replace`. A killed process leaves at most a `*.tmp-*` neighbour behind. After a
power cut only what was flushed is sure to be there: a file's bytes by flushing it, its name by
flushing its folder. So whatever is named by something published is flushed before that is.
"""

import json
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import file_digest
from pathlib import Path
from typing import Any

from flows.core.errors import InputError, IntegrityError


def sha256_file(path: Path) -> str:
    """Return the SHA-256 of a file as 64 hex digits."""
    with path.open("rb") as stream:
        return file_digest(stream, "sha256").hexdigest()


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary neighbour of `path` that becomes `path` when the block ends well."""
    make_folder(path.parent)
    temporary = path.with_name(f"{path.name}.tmp-{uuid.uuid4().hex[:8]}")
    try:
        yield temporary
        sync(temporary)
        temporary.replace(path)
        sync(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def write_bytes(path: Path, data: bytes) -> None:
    """Replace the file by `data`, atomically and durably."""
    with replacing(path) as temporary:
        temporary.write_bytes(data)


def write_text(path: Path, text: str) -> None:
    """Replace the file by `text` in UTF-8, atomically and durably."""
    write_bytes(path, text.encode())


def write_json(path: Path, value: Any) -> None:
    """Replace the file by readable JSON; NaN is refused because JSON has none."""
    write_text(path, json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n")


def read_json(path: Path, *, remedy: str) -> Any:
    """Read a JSON file that must be there.

    Args:
        path: The file.
        remedy: What the reader of the error should do, such as "Run `llmops embed`".

    Raises:
        InputError: The file is missing.
        IntegrityError: The file is not JSON; a torn file is never taken for an empty one.
    """
    try:
        return json.loads(path.read_bytes())
    except FileNotFoundError:
        raise InputError(f"{path.name!r} is missing in {str(path.parent)!r}. {remedy}.") from None
    except ValueError as error:
        raise IntegrityError(f"{str(path)!r} is not valid JSON ({error}). {remedy}.") from None


def sync(path: Path) -> None:
    """Flush a file or folder to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def make_folder(folder: Path) -> None:
    """Make a folder and those above it that are missing, and flush their names to the disk."""
    if not folder.is_dir():
        make_folder(folder.parent)
        folder.mkdir(exist_ok=True)
        sync(folder.parent)


def replace_folder(build: Path, target: Path) -> None:
    """Put the finished folder `build`, whose files are flushed, in the place of `target`.

    POSIX cannot exchange two folders in one step, so the old one is moved aside first; a kill in
    between leaves `target` absent and the old content beside it, which `recover_folder` undoes.
    """
    aside = target.with_name(target.name + ".old")
    shutil.rmtree(aside, ignore_errors=True)
    if target.exists():
        target.rename(aside)
    build.rename(target)
    sync(target.parent)  # the old content is removed only when the new one cannot be lost
    sync(build.parent)
    shutil.rmtree(aside, ignore_errors=True)


def recover_folder(target: Path) -> None:
    """Finish what a killed `replace_folder` left; the caller holds the lock of the folder's writers.

    The old content comes back if the new one is absent, and goes for good if the new one is there.
    """
    aside = target.with_name(target.name + ".old")
    if not aside.exists():
        return
    if target.exists():
        shutil.rmtree(aside)
    else:
        aside.rename(target)

"""Find the inputs of every source: local folders, files and globs here, URLs in `remote.py`.

Only regular files are inputs. A link, pipe or device is never opened, whatever it points to; it is
counted as ignored. An address is text that is safe to print and store: control and bidirectional
characters, `%`, `#` and bytes that are not UTF-8 are percent-encoded, everything else stands as
it is, so two names never share an address.
"""

import os
import re
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fnmatch import translate
from functools import cache
from itertools import pairwise
from pathlib import Path

from flows.core.errors import InputError, ParamsError, first_three
from flows.core.ids import sha256
from flows.core.project import Project
from flows.core.stamps import settled_before
from flows.ingest.gitsource import LINK, REGULAR, list_commit
from flows.ingest.params import IngestParams, Source
from flows.ingest.remote import list_remote
from flows.ingest.sniff import BY_SUFFIX, REFUSED

DEFAULT_ROOT = "data/sources"
_GLOB_CHARS = "*?["
_ROW_ID_CHARS_MAX = 200
_HIDDEN = re.compile(r"(?:^|/)\.(?!\.)")


@dataclass(frozen=True, slots=True)
class Found:
    """One thing that stands in a source.

    `ignored` or `problem` say why it is not read; `token` changes whenever its content may have, and
    is empty while a change could not be seen (`flows.core.stamps`).
    """

    uri: str
    source: int
    path: str  # local path, or URL
    suffix: str
    size: int = 0
    token: str = ""
    remote: bool = False
    repository: str = ""  # folder of a git repository; `path` is then the hash of a blob
    ignored: str = ""
    problem: str = ""


def discover(project: Project, params: IngestParams) -> list[Found]:
    """List everything in all sources, sorted by address.

    Raises:
        InputError: A source does not exist.
        ParamsError: Two sources give the same address, or a URL's host is not allowed.
    """
    found: list[Found] = []
    for number, source in enumerate(params.sources):
        found.extend(_listing(project, source, number, params))
    found.sort(key=lambda item: item.uri)
    repeated = [one.uri for one, other in pairwise(found) if one.uri == other.uri]
    if repeated:
        raise ParamsError(
            f"{len(repeated)} address(es) stand in two sources: {first_three(repeated)}. "
            "Give each entry of ingest.sources its own `name`."
        )
    return found


def address(name: str) -> str:
    """Return a file name or row id as the printable, one-to-one text that addresses use."""
    if name.isascii() and name.isprintable() and "%" not in name and "#" not in name:
        return name
    return "".join(map(_safe, name))


def row_address(row: str) -> str:
    """Return a row id for an address; very long ids keep their beginning and a hash."""
    safe = address(row)
    return safe if len(safe) <= _ROW_ID_CHARS_MAX else f"{safe[:_ROW_ID_CHARS_MAX]}~{sha256(safe)[:16]}"


def _safe(char: str) -> str:
    if "\udc80" <= char <= "\udcff":
        return f"%{ord(char) - 0xDC00:02X}"  # a byte of a name that is not UTF-8
    if char in "%#" or not char.isprintable():
        return "".join(f"%{byte:02X}" for byte in char.encode(errors="surrogatepass"))
    return char


def _listing(project: Project, source: Source, number: int, params: IngestParams) -> Iterator[Found]:
    root = source_root(project, source)
    if root is not None:
        return _local(project, source, number, root)
    if source.revision:
        return _commit(project.root / source.uri, source, number)
    return _remote(source, number, params)


def source_root(project: Project, source: Source) -> Path | None:
    """Return the file or folder that holds a local source; None for a remote one or a commit."""
    if source.revision or "://" in source.uri:
        return None
    return project.root / (_glob_root(source.uri) if _is_glob(source.uri) else source.uri)


def _is_glob(uri: str) -> bool:
    return any(char in uri for char in _GLOB_CHARS)


def _local(project: Project, source: Source, number: int, root: Path) -> Iterator[Found]:
    prefix = _prefix(source, root)
    settled = settled_before()
    if root.is_file() and not root.is_symlink():
        yield _entry(root.lstat(), str(root), root.name, prefix, number, source, settled)
        return
    if not root.is_dir():
        raise InputError(
            f"source {source.uri!r} does not exist (ingest.sources[{number}]). "
            "Create the folder and put documents into it, or mend the path in params.yaml."
        )
    below = len(str(root)) + 1
    pattern = source.uri.removeprefix(_glob_root(source.uri)).lstrip("/") if _is_glob(source.uri) else "*"
    for info, path in _walk(str(root)):
        name = path[below:]
        if _any_of((pattern,))(name):
            yield _entry(info, path, name, prefix, number, source, settled)


def _suffix(name: str) -> str:
    _, dot, last = name.rpartition("/")[2].rpartition(".")
    return (dot + last).lower() if dot else ""


def _glob_root(pattern: str) -> str:
    """Return the folders of a glob before its first wildcard."""
    fixed = []
    for part in pattern.split("/")[:-1]:
        if any(char in part for char in _GLOB_CHARS):
            break
        fixed.append(part)
    return "/".join(fixed) or "."


def _prefix(source: Source, root: Path) -> str:
    if source.name is not None:
        return address(source.name.strip("/")) + "/" if source.name.strip("/") else ""
    if source.uri.rstrip("/") == DEFAULT_ROOT or root.is_file():
        return ""
    return address(root.name) + "/"


def _walk(folder: str) -> Iterator[tuple[os.stat_result | None, str]]:
    """Yield everything below a folder that is not a folder; an unreadable folder yields itself."""
    todo = [folder]
    while todo:
        here = todo.pop()
        try:
            entries = list(os.scandir(here))
        except OSError:
            yield None, here
            continue
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                todo.append(entry.path)
            else:
                yield entry.stat(follow_symlinks=False), entry.path


def _entry(
    info: os.stat_result | None, path: str, name: str, prefix: str, number: int, source: Source, settled: int
) -> Found:
    uri = prefix + address(name)
    suffix = _suffix(name)
    if info is None:
        return Found(uri, number, path, suffix, problem="folder cannot be listed")
    token = f"{info.st_size}:{info.st_mtime_ns}:{info.st_ctime_ns}:{info.st_ino}"
    if max(info.st_mtime_ns, info.st_ctime_ns) >= settled:
        token = ""
    ignored = _why_ignored(name, suffix, info.st_mode, source)
    return Found(uri, number, path, suffix, info.st_size, token, ignored=ignored)


def _why_ignored(name: str, suffix: str, mode: int, source: Source) -> str:
    if stat.S_ISLNK(mode):
        return "link"
    if not stat.S_ISREG(mode):
        return "not_regular"
    return why_ignored(name, suffix, source)


def why_ignored(name: str, suffix: str, source: Source) -> str:
    """Return why a file of this name is not an input, or nothing."""
    if _HIDDEN.search(name):
        return "hidden"
    if source.exclude and _any_of(source.exclude)(name):
        return "excluded"
    if not _any_of(source.include)(name):
        return "not_included"
    return "" if suffix in BY_SUFFIX or suffix in REFUSED else "unsupported_suffix"


@cache
def _any_of(patterns: tuple[str, ...]) -> Callable[[str], re.Match[str] | None]:
    return re.compile("|".join(map(translate, patterns)) or "(?!)").match


def _remote(source: Source, number: int, params: IngestParams) -> Iterator[Found]:
    for url, name, size, token in list_remote(source.uri, params):
        suffix = _suffix(name)
        uri = address(url) if source.name is None else f"{address(source.name)}/{address(name)}"
        yield Found(uri, number, url, suffix, size, token, remote=True, ignored=why_ignored(name, suffix, source))


def _commit(folder: Path, source: Source, number: int) -> Iterator[Found]:
    prefix = _prefix(source, folder)
    for entry in list_commit(folder, source.revision or "HEAD"):
        ignored = "link" if entry.mode == LINK else "not_regular" if entry.mode not in REGULAR else ""
        suffix = _suffix(entry.name)
        yield Found(
            prefix + address(entry.name), number, entry.blob, suffix, entry.size, entry.blob,
            ignored=ignored or why_ignored(entry.name, suffix, source), repository=str(folder),
        )  # fmt: skip

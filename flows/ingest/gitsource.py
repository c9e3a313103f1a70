"""List and read a local git repository as it was at a revision, without checking it out.

The revision is resolved to a commit once per run, and files are read by the hash of their content:
what people do in the working tree meanwhile cannot be seen. Blobs are content-addressed, so an
unchanged file is never read again. A repository elsewhere is cloned first; ingest opens no network
for it.
"""

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from flows.core.errors import InputError

REGULAR = ("100644", "100755")
LINK = "120000"
_LFS = b"version https://git-lfs.github.com/spec/"


@dataclass(frozen=True)
class Entry:
    """A file in a commit: its name below the folder, its mode, the hash of its content, its size in bytes."""

    name: str
    mode: str
    blob: str
    size: int


def list_commit(folder: Path, revision: str) -> Iterator[Entry]:
    """Yield every file below `folder` in the commit that `revision` names.

    Raises:
        InputError: No repository is there, or it does not know the revision.
    """
    commit = _git(folder, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
    if commit is None:
        raise InputError(
            f"git revision {revision!r} is not in {str(folder)!r}, or no repository is there. "
            "Check `uri` and `revision` of the source in params.yaml; fetch the revision where it is missing."
        )
    listed = _git(folder, "ls-tree", "-r", "-z", "--long", commit.decode().strip()) or b""
    for line in filter(None, listed.split(b"\0")):
        head, _, name = line.partition(b"\t")
        mode, _, blob, size = head.decode().split()
        yield Entry(name.decode(errors="surrogateescape"), mode, blob, int(size) if size.isdigit() else 0)


def read_blob(folder: str, blob: str) -> bytes:
    """Return the content of a file.

    Raises:
        OSError: It is not there, or only a pointer to a large file kept elsewhere (git LFS).
    """
    data = _git(Path(folder), "cat-file", "blob", blob)
    if data is None:
        raise OSError("not in the repository")
    if data.startswith(_LFS):
        raise OSError("a git LFS pointer")
    return data


def _git(folder: Path, *words: str) -> bytes | None:
    if not folder.is_dir():
        return None
    done = subprocess.run(["git", "-C", str(folder), *words], capture_output=True, check=False)
    return done.stdout if done.returncode == 0 else None

"""A disk that loses its power: what is left of a folder when only what was flushed is sure to have reached it.

POSIX promises two things. `fsync` of a file keeps its bytes, `fsync` of a folder keeps its list of names.
Everything done since may be there or not, in any mixture and order. While a `Disk` watches, every `os.fsync`
of this process is noted with what it kept, so that at any moment a copy can be made of what a cut may leave.
What SQLite keeps is its own matter: it flushes by itself, and its log (`-wal`) may be lost where its
setting allows that (`synchronous = NORMAL`).
"""

import os
import shutil
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from unittest.mock import patch

MAY_LOSE_ITS_LOG = ("memory.sqlite-wal", "provider.sqlite-wal")


class Disk:
    """What of `root` is on the disk for sure; at the beginning all of it is."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._held: dict[int, int] = {}  # inode: a handle that keeps its number from being used again
        self._bytes: dict[int, bytes] = {}
        self._names: dict[int, dict[str, int]] = {}
        self._keep_all()

    @contextmanager
    def watching(self, moment: Callable[[], None]) -> Iterator[None]:
        """Note every flush, and call `moment` before each flush and each renaming."""
        flush, replace, flush_all = os.fsync, os.replace, os.sync

        def noted(handle: int) -> None:
            moment()
            flush(handle)
            self._keep(handle)

        def told(source: str, target: str, **options: int) -> None:
            moment()
            replace(source, target, **options)

        def noted_all() -> None:
            moment()
            flush_all()
            self._keep_all()

        replaced = {"fsync": noted, "sync": noted_all, "replace": told, "rename": told}
        with patch.multiple(os, **replaced):
            yield
            moment()
        for handle in self._held.values():
            os.close(handle)

    def _keep_all(self) -> None:
        for folder, _, names in os.walk(self.root):
            for path in [Path(folder), *(Path(folder, name) for name in names)]:
                handle = os.open(path, os.O_RDONLY)
                self._keep(handle)
                os.close(handle)

    def _keep(self, handle: int) -> None:
        info = os.fstat(handle)
        if info.st_ino not in self._held:
            self._held[info.st_ino] = os.dup(handle)
        if stat.S_ISDIR(info.st_mode):
            self._names[info.st_ino] = self._listed(handle)
        else:
            self._bytes[info.st_ino] = os.pread(handle, info.st_size, 0)

    @staticmethod
    def _listed(handle: int) -> dict[str, int]:
        return {name: os.stat(name, dir_fd=handle).st_ino for name in os.listdir(handle)}

    def after_a_cut(self, target: Path, chance: float, seed: int) -> Path:
        """Write what a cut now may leave.

        Args:
            target: A folder to be made.
            chance: How likely a change that was not flushed is there all the same, 0 to 1.
            seed: Of the draws.
        """
        random = Random(seed)
        self._leave(self.root.stat().st_ino, self._places(), target, lambda: random.random() < chance)
        return target

    def _places(self) -> dict[int, Path]:
        return {path.lstat().st_ino: path for path in [self.root, *self.root.rglob("*")]}

    def _leave(self, inode: int, places: dict[int, Path], target: Path, luck: Callable[[], bool]) -> None:
        if not self._is_folder(inode, places):
            self._leave_file(inode, places, target, luck)
            return
        target.mkdir()
        sure, now = self._names.get(inode, {}), {}
        if inode in places:
            now = {path.name: path.lstat().st_ino for path in places[inode].iterdir()}
        for name in sorted({*sure, *now}):
            found = now if ".sqlite" in name or sure.get(name) == now.get(name) or luck() else sure
            if name in found and not (name in MAY_LOSE_ITS_LOG and not luck()):
                self._leave(found[name], places, target / name, luck)

    def _is_folder(self, inode: int, places: dict[int, Path]) -> bool:
        return inode in self._names or (inode not in self._bytes and inode in places and places[inode].is_dir())

    def _leave_file(self, inode: int, places: dict[int, Path], target: Path, luck: Callable[[], bool]) -> None:
        if inode in places and (".sqlite" in target.name or luck()):
            shutil.copyfile(places[inode], target)
        else:
            target.write_bytes(self._bytes.get(inode, b""))

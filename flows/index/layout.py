"""Which files on disk a version of a Lance table is made of.

The Python API does not tell, and a whole-folder listing would not do: other versions share the
folder and retention removes their files. A version's own manifest file does tell. By the Lance
format (versions 2.x) it names data files by their file name, deletion files by a random 64-bit
id, and, in the section it begins with, index folders by the 16 bytes of their UUID. Names of that
length do not occur by chance, so the bytes are searched instead of parsed. A test copies exactly
the listed files elsewhere and queries the version there.
"""

import struct
import uuid
from collections.abc import Iterator
from pathlib import Path

from flows.core.errors import IntegrityError

LAST_VERSION = 2**64 - 1  # manifests are named so that the newest sorts first
REMEDY = "Run `llmops embed`, which repairs the index from the chunks"


def table_folder(database: Path, table: str) -> Path:
    """Return the folder of a table."""
    return database / f"{table}.lance"


def tables_on_disk(database: Path) -> list[str]:
    """Return the names of the tables, sorted."""
    return sorted(path.stem for path in database.glob("*.lance"))


def manifest_path(folder: Path, version: int) -> Path:
    """Return the path of a version's manifest file."""
    return folder / "_versions" / f"{LAST_VERSION - version}.manifest"


def tag_files(folder: Path) -> dict[str, Path]:
    """Return the file of each tag of the table, by its name."""
    return {path.stem: path for path in (folder / "_refs" / "tags").glob("*.json")}


def versions_on_disk(folder: Path) -> list[int]:
    """Return the table's version numbers, newest first."""
    return sorted((LAST_VERSION - int(path.stem) for path in (folder / "_versions").glob("*.manifest")), reverse=True)


def files_of_version(folder: Path, version: int) -> list[Path]:
    """Return the files that a reader of `version` needs, its manifest first.

    Raises:
        IntegrityError: The manifest is missing or cut short.
    """
    path = manifest_path(folder, version)
    indices, body = manifest_sections(path)
    return [path, *sorted([*_data_files(folder, body), *_index_files(folder, indices)])]


def manifest_sections(path: Path) -> tuple[bytes, bytes]:
    """Return the two parts of a version's manifest file: the list of its indices, and the rest.

    Raises:
        IntegrityError: The file is missing or cut short.
    """
    try:
        data = path.read_bytes()
        body_at = struct.unpack("<Q", data[-16:-8])[0]
        index_end = 4 + struct.unpack("<I", data[:4])[0]
    except (OSError, struct.error):
        raise IntegrityError(f"{str(path)!r} is not a readable manifest of a version. {REMEDY}.") from None
    if data[-4:] != b"LANC" or body_at > len(data):
        raise IntegrityError(f"{str(path)!r}, the manifest of a version, is cut short. {REMEDY}.")
    return (data[:index_end] if index_end <= body_at else b""), data[body_at:]


def _data_files(folder: Path, body: bytes) -> Iterator[Path]:
    for path in (folder / "data").glob("*.lance"):
        if path.name.encode() in body:
            yield path
    for path in (folder / "_deletions").glob("*-*-*"):  # a kill may leave a file with a temporary name
        if _varint(int(path.stem.rsplit("-", 1)[1])) in body:
            yield path


def _index_files(folder: Path, section: bytes) -> Iterator[Path]:
    for index in (folder / "_indices").glob("*"):
        if uuid.UUID(index.name).bytes in section:
            yield from (path for path in index.rglob("*") if path.is_file())


def _varint(number: int) -> bytes:
    """Encode a number as Protocol Buffers does: seven bits a byte, lowest first."""
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*encoded, number])

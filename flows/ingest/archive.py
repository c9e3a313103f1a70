"""Look into a zip-based document (DOCX, PPTX, XLSX, EPUB) before any parser does.

Refused are: names that leave the folder, two members of one name, members or totals that unpack
beyond the limits (checked while unpacking, since the directory may lie), encrypted members, and
XML that declares entities. Method after the rules of the OWASP file-upload and XXE sheets.
"""

import io
import zipfile
from collections import Counter
from pathlib import PurePosixPath

from flows.ingest.drafts import Rejected

MEGABYTE = 1 << 20
_BLOCK_BYTES = 1 << 16
_RATIO_FROM_BYTES = MEGABYTE  # small members may well shrink a thousandfold: empty sheets do
_XML = (".xml", ".rels", ".xhtml", ".html", ".htm", ".opf", ".ncx", ".vml")
_ENTITY = (b"<!ENTITY", "<!ENTITY".encode("utf-16-le"), "<!ENTITY".encode("utf-16-be"))


def check_archive(data: bytes, *, unpacked_max_mb: float, ratio_max: float) -> tuple[str, ...]:
    """Check an archive and return flags, such as `macros`.

    Args:
        data: The zip file.
        unpacked_max_mb: Most megabytes all members together may unpack to.
        ratio_max: Most a member may grow by unpacking.

    Raises:
        Rejected: `unsafe_archive`, `archive_bomb`, `xml_entities`, `encrypted` or `corrupt`.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = archive.infolist()
            _check_names([member.filename for member in members])
            left = int(unpacked_max_mb * MEGABYTE)
            for member in members:
                left -= _check_member(archive, member, left, ratio_max)
    except (zipfile.BadZipFile, NotImplementedError, EOFError, OSError, ValueError) as error:
        raise Rejected("corrupt", "zip", type(error).__name__) from None
    return ("macros",) if any("vbaproject" in member.filename.lower() for member in members) else ()


def _check_names(names: list[str]) -> None:
    for index, name in enumerate(names):
        path = PurePosixPath(name.replace("\\", "/"))
        if path.is_absolute() or ".." in path.parts or ":" in name or "\\" in name:
            raise Rejected("unsafe_archive", "member_leaves_folder", f"member {index} of {len(names)}")
    repeated = sum(count > 1 for count in Counter(names).values())
    if repeated:
        raise Rejected("unsafe_archive", "repeated_member", f"{repeated} name(s) stand twice")


def _check_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo, left: int, ratio_max: float) -> int:
    """Unpack one member in blocks, keep nothing, and return its true size in bytes."""
    if member.flag_bits & 1:
        raise Rejected("encrypted", "zip_member")
    size, tail = 0, b""
    is_xml = member.filename.lower().endswith(_XML)
    with archive.open(member) as stream:
        while block := stream.read(_BLOCK_BYTES):
            size += len(block)
            if size > left:
                raise Rejected("archive_bomb", "unpacked_size", f"more than {size / MEGABYTE:.0f} MB")
            if size > _RATIO_FROM_BYTES and size > ratio_max * member.compress_size:
                raise Rejected("archive_bomb", "unpack_ratio", f"more than {ratio_max:g} times")
            if is_xml and any(mark in tail + block for mark in _ENTITY):
                raise Rejected("xml_entities", "entity_declaration")
            tail = block[-20:]
    return size

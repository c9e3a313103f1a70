"""Decide what a file is from its bytes; the name only chooses among kinds of plain text.

Method: magic numbers, the member names of a zip, and for text a look at its first characters. A
name that promises a container (`.docx`) over other bytes is a damaged file, not another type.
"""

import io
import zipfile

from flows.ingest.drafts import Rejected

MARKDOWN, PLAIN, HTML = "text/markdown", "text/plain", "text/html"
CSV, JSON, JSONL = "text/csv", "application/json", "application/x-ndjson"
PDF, RST, EML = "application/pdf", "text/x-rst", "message/rfc822"
_OOXML = "application/vnd.openxmlformats-officedocument."
DOCX = _OOXML + "wordprocessingml.document"
PPTX = _OOXML + "presentationml.presentation"
XLSX = _OOXML + "spreadsheetml.sheet"
EPUB = "application/epub+zip"
PARQUET = "application/vnd.apache.parquet"
ARCHIVES = (DOCX, PPTX, XLSX, EPUB)

BY_SUFFIX = {
    ".md": MARKDOWN, ".markdown": MARKDOWN, ".txt": PLAIN, ".text": PLAIN, ".html": HTML, ".htm": HTML, ".xhtml": HTML,
    ".csv": CSV, ".tsv": CSV, ".json": JSON, ".ipynb": JSON, ".jsonl": JSONL, ".ndjson": JSONL, ".rst": RST,
    ".eml": EML, ".pdf": PDF, ".docx": DOCX, ".docm": DOCX, ".pptx": PPTX, ".xlsx": XLSX, ".epub": EPUB,
    ".parquet": PARQUET,
}  # fmt: skip
REFUSED = (".xml", ".svg", ".yaml", ".yml")  # looks like content, is not taken in: said, not ignored
CONTAINERS = (PDF, PARQUET, *ARCHIVES)

_MAGIC = {
    b"\x89PNG": "image/png", b"\xff\xd8\xff": "image/jpeg", b"GIF8": "image/gif", b"\x7fELF": "application/x-elf",
    b"MZ": "application/x-executable", b"\x1f\x8b": "application/gzip", b"BZh": "application/x-bzip2",
    b"\xfd7zXZ": "application/x-xz", b"7z\xbc\xaf": "application/x-7z", b"Rar!": "application/x-rar",
    b"PAR1": PARQUET, b"SQLite format 3": "application/x-sqlite",
}  # fmt: skip
_OLE = b"\xd0\xcf\x11\xe0"
_MEMBERS = {"word/document.xml": DOCX, "ppt/presentation.xml": PPTX, "xl/workbook.xml": XLSX}
_HEAD_BYTES = 1024


def media_type(data: bytes, suffix: str) -> str:
    """Return the media type by which `data` must be parsed.

    Args:
        data: The whole file, not empty.
        suffix: The name's suffix in lower case, with the dot.

    Raises:
        Rejected: `unsupported`, `encrypted` or `corrupt`, when no parser of ours may see it.
    """
    declared = BY_SUFFIX.get(suffix)
    found = _container(data)
    if suffix in REFUSED and found is None:
        raise _refused(data, suffix)
    if declared in CONTAINERS and found != declared:
        raise Rejected("corrupt", "type_mismatch", f"named {suffix}, content is {found or 'no such container'}")
    if found is None:
        return _text_kind(data, declared or PLAIN)
    if found not in CONTAINERS:
        raise Rejected("unsupported", "content_type", f"named {suffix}, content is {found}")
    return found


def _container(data: bytes) -> str | None:
    if data.startswith(_OLE):
        if "EncryptedPackage".encode("utf-16-le") in data:
            raise Rejected("encrypted", "office_encryption")
        return "application/x-ole"
    if b"%PDF-" in data[:_HEAD_BYTES]:
        return PDF
    if data.startswith(b"PK\x03\x04"):
        return _zip_kind(data)
    return next((kind for magic, kind in _MAGIC.items() if data.startswith(magic)), None)


def _zip_kind(data: bytes) -> str:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            names = set(archive.namelist())
    except (zipfile.BadZipFile, NotImplementedError, ValueError, OSError):
        raise Rejected("corrupt", "zip_directory", f"{len(data)} bytes") from None
    if "META-INF/container.xml" in names:
        return EPUB
    return next((kind for member, kind in _MEMBERS.items() if member in names), "application/zip")


def _text_kind(data: bytes, declared: str) -> str:
    start = data[:_HEAD_BYTES].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if declared == PLAIN and start.startswith((b"<!doctype html", b"<html")):
        return HTML
    return declared


def _refused(data: bytes, suffix: str) -> Rejected:
    if suffix in {".xml", ".svg"} and b"<!ENTITY" in data.replace(b"\0", b""):
        return Rejected("xml_entities", "entity_declaration")
    return Rejected("unsupported", "suffix", f"{suffix} files are not taken in")

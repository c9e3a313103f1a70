"""Turn the bytes of a text file into text, or say why that cannot be done truthfully.

Order: byte order mark, UTF-8, the encoding the document declares, the fallback of params. The
fallback would accept any bytes, so it is only used where the bytes look like a Western one-byte
encoding: no valid multi-byte sequences beside invalid ones (two encodings in one file), no long
runs of high bytes (another alphabet, or binary), no overlong forms.
"""

import codecs
import re

from flows.ingest.drafts import Rejected

_BOMS = (
    (codecs.BOM_UTF32_LE, "utf-32"), (codecs.BOM_UTF32_BE, "utf-32"), (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"),
)  # fmt: skip
_MULTIBYTE = re.compile(rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}")
_OVERLONG = re.compile(rb"[\xc0\xc1][\x80-\xbf]")
_HIGH_RUN = re.compile(rb"[\x80-\xff]{5,}")  # longer than any run of accented letters in Western text
_NUL_SHARE_MAX = 0.2  # UTF-16 without a mark is half NUL; stray NULs are far rarer
_META_CHARSET = re.compile(rb"<meta[^>]{0,200}charset\s{0,3}=\s{0,3}[\"']?([A-Za-z0-9_.:-]{2,40})", re.IGNORECASE)


def decode(data: bytes, *, fallback: str, declared: str | None = None) -> tuple[str, tuple[str, ...]]:
    """Return the text and flags that say what was assumed.

    Args:
        data: The bytes.
        fallback: `cp1252`, `latin-1` or `none`.
        declared: Encoding the document names for itself.

    Raises:
        Rejected: `encoding`; the bytes are not text in one known encoding.
    """
    for mark, name in _BOMS:
        if data.startswith(mark):
            return _strict(data, name), ("removed_bom:1" if name == "utf-8-sig" else f"decoded:{name}",)
    if data.count(0) > _NUL_SHARE_MAX * len(data):
        raise Rejected("encoding", "nul_bytes", f"{data.count(0)} of {len(data)} bytes")
    try:
        return data.decode("utf-8"), ()
    except UnicodeDecodeError as error:
        position = error.start
    for encoding in (_known(declared), None if fallback == "none" else fallback):
        if encoding and (encoding != fallback or _looks_western(data)):
            try:
                return data.decode(encoding), (f"decoded:{encoding}",)
            except UnicodeDecodeError:
                continue
    raise Rejected("encoding", "not_one_encoding", f"first invalid byte at {position} of {len(data)}")


def declared_charset(data: bytes) -> str | None:
    """Return the encoding named by a `<meta charset>` in the first two kilobytes of HTML."""
    found = _META_CHARSET.search(data[:2048])
    return found.group(1).decode("ascii") if found else None


def _strict(data: bytes, name: str) -> str:
    try:
        return data.decode(name)
    except UnicodeDecodeError as error:
        raise Rejected("encoding", "invalid_after_mark", f"{name}, byte {error.start} of {len(data)}") from None


def _known(name: str | None) -> str | None:
    try:
        info = codecs.lookup(name or "")
    except (LookupError, ValueError):
        return None
    return info.name if info._is_text_encoding and info.name != "utf-8" else None


def _looks_western(data: bytes) -> bool:
    return not (_MULTIBYTE.search(data) or _OVERLONG.search(data) or _HIGH_RUN.search(data))

"""Choose the parser for a media type and run it on a file's bytes.

Markdown, text, CSV and JSON are parsed by our own code, because offsets and structure must be
exact. HTML goes through the standard library's tokenizer; PDF, Office, EPUB, mail and RST through
kreuzberg. `flows.ingest.workers` runs all of them in processes with limits (`CONFINED`), but for
Markdown and text: those are decoded and searched in linear time (docs/decisions/0006-plain-text.md).
"""

import re
from dataclasses import dataclass
from importlib.metadata import version

from flows.ingest.archive import check_archive
from flows.ingest.columnar import parse_parquet
from flows.ingest.decoding import declared_charset, decode
from flows.ingest.drafts import Parsed, ParsedFile, Rejected
from flows.ingest.markup import parse_html
from flows.ingest.params import Columns, IngestParams
from flows.ingest.pdfrows import with_rows
from flows.ingest.plain import parse_text
from flows.ingest.rows import Rows, parse_csv, parse_json, parse_jsonl
from flows.ingest.sniff import ARCHIVES, CSV, EML, HTML, JSON, JSONL, PARQUET, PDF, RST

CONFINED = frozenset({HTML, PDF, RST, EML, CSV, JSON, JSONL, PARQUET, *ARCHIVES})
_OWN = "llmops"
_ACTIVE_PDF = re.compile(rb"/(?:JavaScript|JS|Launch|EmbeddedFile)\b")
_ESCAPED = re.compile(r"\\([\\`*_{}\[\]()<>#+.!|~-])")
_IMAGE = re.compile(r"!\[([^\]\n]{0,300})\]\((?:<[^>\n]*>|[^)\s]{0,2000})\)")


@dataclass(frozen=True)
class Limits:
    """The part of the params that parsers need, as plain values."""

    fallback_encoding: str
    nesting_max: int
    cell_chars_max: int
    unpacked_max_mb: float
    unpack_ratio_max: float
    columns: Columns | None = None

    @classmethod
    def of(cls, params: IngestParams, columns: Columns | None) -> "Limits":
        """Take the limits from the params of the stage and the mapping of a source."""
        return cls(
            params.fallback_encoding, params.nesting_max, params.cell_chars_max,
            params.unpacked_max_mb, params.unpack_ratio_max, columns,
        )  # fmt: skip


def parse(data: bytes, media_type: str, limits: Limits) -> ParsedFile:
    """Parse a file of a known type.

    Raises:
        Rejected: With the reason code of whatever makes the file unusable.
    """
    if media_type in {CSV, JSON, JSONL}:
        return _parse_rows(data, media_type, limits)
    if media_type == HTML:
        text, flags = decode(data, fallback=limits.fallback_encoding, declared=declared_charset(data))
        return _one(media_type, f"{_OWN}/html", parse_html(text), flags)
    if media_type == PARQUET:
        return _parse_table(data, limits)
    if media_type in CONFINED:
        return _parse_foreign(data, media_type, limits)
    text, flags = decode(data, fallback=limits.fallback_encoding)
    return _one(media_type, f"{_OWN}/text", parse_text(text, nesting_max=limits.nesting_max), flags)


def _parse_rows(data: bytes, media_type: str, limits: Limits) -> ParsedFile:
    text, flags = decode(data, fallback=limits.fallback_encoding)
    cells = limits.cell_chars_max
    if media_type == CSV:
        rows = parse_csv(text, limits.columns, cell_chars_max=cells)
    elif media_type == JSONL:
        rows = parse_jsonl(text, limits.columns or Columns(), cell_chars_max=cells)
    else:
        rows = parse_json(text, limits.columns or Columns(), cell_chars_max=cells)
    return _many(media_type, rows, flags)


def _parse_table(data: bytes, limits: Limits) -> ParsedFile:
    if limits.columns is None:
        raise Rejected("unsupported", "no_columns", "a Parquet table is taken in where its source names its columns")
    cells, unpacked = limits.cell_chars_max, limits.unpacked_max_mb
    rows = parse_parquet(data, limits.columns, cell_chars_max=cells, unpacked_max_mb=unpacked)
    return _many(PARQUET, rows, ())


def _many(media_type: str, rows: Rows, flags: tuple[str, ...]) -> ParsedFile:
    texts = tuple(_flagged(item, flags) for item in rows.texts)
    return ParsedFile(media_type, f"{_OWN}/rows", texts, rows.rejections, rows.inputs, rows.superseded, rows.repeated)


def _one(media_type: str, parser: str, parsed: Parsed, flags: tuple[str, ...]) -> ParsedFile:
    return ParsedFile(media_type, parser, (_flagged(parsed, flags),))


def _flagged(parsed: Parsed, flags: tuple[str, ...]) -> Parsed:
    values = (parsed.text, parsed.title, parsed.row, (*parsed.flags, *flags), parsed.hidden, parsed.access)
    return Parsed(*values) if flags else parsed


def _parse_foreign(data: bytes, media_type: str, limits: Limits) -> ParsedFile:
    flags: tuple[str, ...] = ()
    if media_type in ARCHIVES:
        flags = check_archive(data, unpacked_max_mb=limits.unpacked_max_mb, ratio_max=limits.unpack_ratio_max)
    elif media_type == PDF and _ACTIVE_PDF.search(data):
        flags = ("active_content",)
    text, title = _extract(data, media_type)
    if not text.strip():
        raise Rejected("no_text", "no_text_layer" if media_type == PDF else "no_text", f"{len(data)} bytes")
    return _one(media_type, f"kreuzberg/{version('kreuzberg')}", Parsed(text=text, title=title), flags)


def _extract(data: bytes, media_type: str) -> tuple[str, str]:
    import kreuzberg

    drawn_lines = media_type == PDF
    config = kreuzberg.ExtractionConfig(
        use_cache=False, output_format="markdown", include_document_structure=drawn_lines
    )
    try:
        result = kreuzberg.extract_bytes_sync(data, media_type, config)
    except kreuzberg.KreuzbergError as error:
        if "password" in str(error).lower() or "encrypt" in str(error).lower():
            raise Rejected("encrypted", "password") from None
        raise Rejected("corrupt", "parser", type(error).__name__) from None  # its message may quote the content
    nodes = result.document["nodes"] if result.document else []
    return _unescape(with_rows(result.content, nodes)), str(result.metadata.get("title") or "")


def _unescape(markdown: str) -> str:
    """Undo what only a Markdown renderer needs: backslashes, numeric tabs, pictures (keep their words)."""
    return _ESCAPED.sub(r"\1", _IMAGE.sub(r"\1", markdown)).replace("&#9;", "\t")

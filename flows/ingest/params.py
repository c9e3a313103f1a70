"""The `ingest` section of params.yaml: what is taken in, within which limits, and how it is cut."""

from typing import ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from flows.core.access import joined, read_labels
from flows.core.params import Section
from flows.ingest.pii import PiiKind

Policy = Literal["allow", "redact", "tokenize", "quarantine"]
PII: dict[PiiKind, Policy] = {
    "card": "redact",
    "iban": "redact",
    "us_ssn": "redact",
    "uk_nino": "redact",
    "es_dni": "redact",
    "de_tax_id": "redact",
    "fr_nir": "redact",
    "it_tax_code": "redact",
    "nl_bsn": "redact",
}
EXCLUDED = ("README.md", "*~", "*.swp", "*.tmp", "*.part", "*.crdownload", "*~$*", "*Thumbs.db", "*desktop.ini")


class Columns(BaseModel):
    """Which columns of a CSV, JSONL or Parquet file make a document of each row."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str = Field("id", min_length=1, description="Column with the row's id, unique in its file.")
    title: str = Field("title", min_length=1, description="Column with the title; may be absent.")
    text: str = Field("text", min_length=1, description="Column with the text.")
    access: str = Field("access", min_length=1, description="Column with access labels; may be absent or blank.")
    version: str = Field("version", min_length=1, description="Column that orders rows of one id; may be absent.")


class Source(BaseModel):
    """One place documents come from."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    uri: str = Field(min_length=1, description="Folder or file (relative to the project), glob, or fsspec URL.")
    name: str | None = Field(None, description="Prefix of the documents' addresses; default: the folder's name.")
    include: tuple[str, ...] = Field(("*",), description="Patterns of paths below `uri`; `*` also matches `/`.")
    exclude: tuple[str, ...] = Field(EXCLUDED, description="Patterns to leave out; counted as ignored.")
    revision: str | None = Field(
        None, min_length=1, description="Branch, tag or commit, where `uri` is a folder of a local git repository."
    )
    documents_max: int | None = Field(
        None, ge=1, description="Most documents taken from here, by address; the others are quarantined."
    )
    owner: str = Field("", description="Who answers for this source.")
    access: str = Field("public", description="Labels a reader must hold, joined by commas; documents can add some.")
    columns: Columns | None = Field(
        None,
        description="Column mapping; without it a CSV file is one document, JSONL uses id, title, text, "
        "and Parquet is refused.",
    )

    @field_validator("access")
    @classmethod
    def _labels(cls, value: str) -> str:
        return joined(*read_labels(value))


class Quality(BaseModel):
    """Bounds whose breach is a warning on the quality page; breaking a table's contract stops the run."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    unknown_language_share_max: float = Field(0.2, ge=0, le=1, description="Share of documents of language `und`.")
    suspicious_share_max: float = Field(0.05, ge=0, le=1, description="Share of documents with suspicious content.")
    repeated_chunks_share_max: float = Field(0.2, ge=0, le=1, description="Share of chunks whose text stands twice.")
    chunk_tokens_median_min: int = Field(20, ge=0, le=8192, description="Median tokens of a chunk, from below.")


class IngestParams(Section):
    """What `ingest` takes in and how."""

    section: ClassVar[str] = "ingest"

    sources: tuple[Source, ...] = Field((Source(uri="data/sources"),), min_length=1, description="Where to read.")
    url_hosts_allowed: tuple[str, ...] = Field((), description="Hosts that http(s) sources may name; none by default.")
    url_timeout_s: float = Field(30.0, gt=0, le=3600, description="Most seconds for one file of an http(s) source.")

    size_max_mb: float = Field(50.0, gt=0, le=4096, description="Larger files are quarantined unread.")
    unpacked_max_mb: float = Field(200.0, gt=0, le=16384, description="Most an archive (DOCX, XLSX, …) may unpack to.")
    unpack_ratio_max: float = Field(200.0, ge=1, le=10000, description="Most a member of an archive may grow.")
    parse_timeout_s: float = Field(
        20.0, gt=0, le=3600, description="Processor time for one file; six times that on the wall clock."
    )
    parse_memory_mb: int = Field(1024, ge=512, le=65536, description="Address space of a parser process.")
    parser_processes: int = Field(2, ge=1, le=64, description="Parser processes; does not change results.")

    chars_min: int = Field(10, ge=1, le=10000, description="Shorter texts are quarantined as too_short.")
    text_chars_max: int = Field(
        10_000_000, ge=1000, le=1_000_000_000, description="Longer texts are quarantined, whatever their format."
    )
    word_chars_max: int = Field(10000, ge=100, le=1000000, description="A longer unbroken word is not text.")
    cell_chars_max: int = Field(131072, ge=100, le=10000000, description="Rows with a longer cell are quarantined.")
    nesting_max: int = Field(100, ge=10, le=1000, description="Deeper nested quotes, brackets or JSON are refused.")
    combining_marks_max: int = Field(4, ge=1, le=100, description="Further marks on one letter are removed.")
    fallback_encoding: Literal["cp1252", "latin-1", "none"] = Field(
        "cp1252", description="For bytes that are not UTF-8 and declare nothing; `none` quarantines them."
    )

    duplicates: Literal["collapse", "keep"] = Field(
        "keep",
        description="Equal texts: `keep` keeps every document with its own citations, `collapse` the first address.",
    )
    near_duplicate_threshold: float = Field(
        0.85, gt=0, le=1, description="Estimated overlap of 5-word sequences from which a document is flagged; 1 = off."
    )
    restricted_documents: Literal["index", "quarantine"] = Field(
        "index", description="Documents that are not `public`; `quarantine` keeps them from any embedding provider."
    )
    secrets: Literal["quarantine", "flag"] = Field("quarantine", description="Documents that hold keys or passwords.")
    suspicious: Literal["flag", "quarantine"] = Field(
        "flag", description="Documents that give orders to a model, or that repeat keywords."
    )
    pii: dict[PiiKind, Policy] = Field(
        PII,
        description="`allow`, `redact`, `tokenize` or `quarantine` by kind; one not named keeps its default: "
        "`redact` for these nine, else `allow`.",
    )

    chunk_tokens_max: int = Field(200, ge=16, le=8192, description="Most tokens of the embedding model in a chunk.")
    chunk_overlap_tokens: int = Field(0, ge=0, le=1024, description="Tokens repeated from the chunk before.")

    quality: Quality = Field(Quality(), description="Bounds of the quality suite.")

    @field_validator("pii")
    @classmethod
    def _others_keep_their_default(cls, value: dict[PiiKind, Policy]) -> dict[PiiKind, Policy]:
        return PII | value

    @model_validator(mode="after")
    def _overlap_leaves_room(self) -> Self:
        if 2 * self.chunk_overlap_tokens > self.chunk_tokens_max:
            raise ValueError("chunk_overlap_tokens must be at most half of chunk_tokens_max")
        return self

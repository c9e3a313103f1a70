"""The section `embed` of params.yaml: how versions of the index are built and what they must reach."""

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from flows.core.params import Section

if TYPE_CHECKING:
    from flows.index.kinds import Build


class EmbedParams(Section):
    """Parameters of the stage; the defaults come from measurements (docs/decisions, benchmarks)."""

    section: ClassVar[str] = "embed"

    on_model_change: Literal["refuse", "re_embed"] = Field(
        "refuse", description="When the embedding model differs from the live index: stop with a plan, or re-embed."
    )
    recall_min: float = Field(
        0.95, ge=0.5, le=1.0, description="Recall@10 against exact search below which nothing is published."
    )
    recall_queries: int = Field(200, ge=1, le=10_000, description="Most stored vectors that recall is measured with.")
    recall_texts: int = Field(20, ge=0, le=1_000, description="Texts embedded as queries that recall is measured with.")
    exact_rows_max: int = Field(20_000, ge=1, le=1_000_000, description="Up to so many rows: exact search.")
    sq_rows_max: int = Field(50_000, ge=1, le=100_000_000, description="Up to so many rows: IVF_SQ, quick to build.")
    hnsw_rows_max: int = Field(
        1_000_000, ge=1, le=100_000_000, description="Up to so many rows: IVF_HNSW_SQ, quick to ask; above: IVF_RQ."
    )
    refine_factor: int = Field(
        10, ge=1, le=100, description="Candidates per hit that IVF_SQ and IVF_RQ compare again by exact vectors."
    )
    probes_min: int = Field(20, ge=1, le=4_096, description="Cells a query looks into at first; doubled until recall.")
    ef_min: int = Field(40, ge=20, le=4_096, description="Width of the beam in a graph at first; doubled until recall.")
    segments_max: int = Field(8, ge=1, le=100, description="A vector index in more pieces is built anew.")
    fragments_max: int = Field(20, ge=1, le=10_000, description="A table in more pieces is compacted.")
    deleted_share_max: float = Field(0.1, ge=0, le=1, description="So is one with a larger share of deleted rows.")
    keep_versions: int = Field(5, ge=1, le=1_000, description="Newest index versions that stay, beside pinned ones.")
    write_rows: int = Field(
        50_000, ge=1, le=100_000, description="Rows per commit; a killed run repeats at most these."
    )
    language: str = Field("English", min_length=2, description="Language of stems and stop words in the text index.")
    seed: int = Field(0, ge=0, le=2**32 - 1, description="Decides which vectors and texts recall is measured with.")

    def build(self) -> "Build":
        """Return what the index needs to know of this."""
        from flows.index.kinds import Build  # loads numpy, which a run without work does not need

        names = set(Build.__dataclass_fields__)
        return Build(**{name: value for name, value in self.model_dump().items() if name in names})

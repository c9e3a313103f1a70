"""Parameters of the application under operation; a release freezes all of them.

Defaults: five chunks of hybrid retrieval hold the answer for 9 of 10 questions of the sample
project, and 3,000 tokens hold five of the largest chunks that `ingest` cuts by default.
"""

from typing import ClassVar, Literal

from pydantic import Field, field_validator

from flows.core.access import PUBLIC, read_labels
from flows.core.params import Section
from flows.rag.template import NAME


class RagParams(Section):
    """The section `rag` of params.yaml."""

    section: ClassVar[str] = "rag"

    prompt: str = Field("answer", pattern=rf"^{NAME}$", description="Answer prompt: a file in data/prompts.")
    rewrite: bool = Field(False, description="Make a question of a conversation stand alone before retrieval.")
    rewrite_prompt: str = Field("rewrite", pattern=rf"^{NAME}$", description="Prompt of the rewrite step.")
    retrieval_k: int = Field(5, ge=1, le=100, description="Chunks retrieved per question.")
    retrieval_mode: Literal["hybrid", "vector", "text"] = Field("hybrid", description="What the search looks at.")
    rerank: float = Field(
        0.0, ge=0.0, le=1.0, description="Weight of a second ranking, by each chunk's nearest passage; 0 = off."
    )
    access: tuple[str, ...] = Field(
        (PUBLIC,), min_length=1, description="Labels that answers may draw on where a request names none; so in tests."
    )
    context_tokens_max: int = Field(
        3000, ge=256, le=200_000, description="Chunks beyond this many tokens are left out."
    )
    question_chars_max: int = Field(8000, ge=50, le=100_000, description="Longer questions are not asked.")
    temperature: float = Field(0.0, ge=0.0, le=2.0, description="0 = as repeatable as the model can be.")
    max_output_tokens: int = Field(512, ge=16, le=32_000, description="Longer answers are cut, which is a failure.")
    seed: int = Field(0, ge=0, le=2**31 - 1, description="Sent with each request; providers promise little about it.")
    quote_words_min: int = Field(
        4, ge=1, le=100, description="Quotations of at least this many words must stand in a retrieved chunk."
    )

    @field_validator("access")
    @classmethod
    def _labels(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(sorted({label for text in value for label in read_labels(text)}))

"""Section `testset` of params.yaml: how many questions of which kind, and what makes one poor."""

from typing import ClassVar, Literal

from pydantic import Field, field_validator

from flows.core.challenges import CHALLENGE
from flows.core.contracts import QUESTION_TYPES
from flows.core.errors import did_you_mean
from flows.core.params import Section

WANTED = {
    "simple": 70, "complex": 40, "distracting": 30, "situational": 20, "double": 20, "conversational": 20,
    "unanswerable": 30,
}  # fmt: skip


class TestsetParams(Section):
    """What the test set shall contain."""

    __test__: ClassVar[bool] = False  # its name begins with `Test`; it is no test
    section: ClassVar[str] = "testset"

    seed: int = Field(1, ge=0, description="Chooses among equally good questions.")
    questions_per_type: dict[str, int] = Field(
        WANTED,
        description="Questions wanted per type; fewer are made where the corpus does not give them.",
    )
    challenges_per_kind: int = Field(
        4, ge=0, le=1000, description="Challenges wanted of each kind, attacks and pairs; fewer where texts run out."
    )
    topics: int = Field(12, ge=1, le=200, description="Topics that the documents are sorted into.")
    questions_per_document_max: int = Field(8, ge=1, le=1000, description="No document gets more questions than this.")
    train_share: float = Field(
        0.0, ge=0, lt=1, description="Share of documents kept for training; their questions are exported, never asked."
    )
    languages: tuple[str, ...] = Field(
        ("en", "und"), description="Languages the offline templates may be used on; `und` = undetermined."
    )
    question_words_min: int = Field(3, ge=1, le=50, description="A shorter question is refused.")
    question_words_max: int = Field(48, ge=5, le=500, description="A longer question is refused.")
    answer_words_max: int = Field(60, ge=1, le=1000, description="A longer reference answer (per span) is refused.")
    new_words_min: int = Field(
        3, ge=1, le=20, description="Content words (or a number) the answer must add to the question's own."
    )
    mentions_min: int = Field(
        3, ge=1, le=20, description="Sentences and headings of its document that must speak of `the X` asked about."
    )
    anchor_words_min: int = Field(
        4, ge=1, le=50, description="Shortest imported text, in words, that is looked for in all documents."
    )
    near_duplicate_similarity: float = Field(
        0.8, gt=0, le=1, description="Share of common content words from which two questions count as one."
    )
    review_questions: int = Field(30, ge=1, le=10_000, description="Questions in the sample that people review.")
    generator: Literal["offline", "llm"] = Field(
        "offline", description="`llm` lets the configured chat model propose simple questions too."
    )

    @field_validator("questions_per_type")
    @classmethod
    def _known_types(cls, value: dict[str, int]) -> dict[str, int]:
        for name, count in value.items():
            if name not in QUESTION_TYPES:
                raise ValueError(f"type {name!r} does not exist.{did_you_mean(name, QUESTION_TYPES)} {QUESTION_TYPES}")
            if name == CHALLENGE:
                raise ValueError("challenges are counted by challenges_per_kind")
            if not 0 <= count <= 100_000:
                raise ValueError(f"{count} questions of type {name!r}: give a number from 0 to 100000")
        return value

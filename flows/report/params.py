"""Section `report` of params.yaml."""

from typing import ClassVar

from pydantic import Field

from flows.core.params import Section


class ReportParams(Section):
    """How much the page shows; the tables beside it are always whole."""

    section: ClassVar[str] = "report"

    title: str = Field("LLM operations", min_length=1, max_length=80, description="Title of the page.")
    worst_questions: int = Field(10, ge=1, le=100, description="Questions shown with both answers.")
    quarantine_rows: int = Field(30, ge=1, le=1000, description="Quarantined inputs shown.")
    history_days: int = Field(90, ge=7, le=730, description="Days of past cost in the forecast's picture.")

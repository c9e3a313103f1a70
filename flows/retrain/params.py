"""Section `retrain` of params.yaml: when a signal fires, what a repair costs and restores, what a point is worth.

The figures in USD and points are business decisions with defaults of the simulated year in
statistics research §3; `cost_usd`, `gain`, `points_assumed` and `confidence` may be given in part,
what is left out keeps its default.
"""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, ValidationInfo, field_validator

from flows.core.params import Section

Cause = Literal["provider_change", "stale_index", "input_drift", "quality_drop", "cost_rise", "availability"]
Repair = Literal["re_embed", "refresh_few_shots", "change_prompt", "fine_tune", "roll_back", "none"]
Confidence = Literal["shown", "likely", "possible"]
Usd = Annotated[float, Field(ge=0, le=1_000_000)]
Points = Annotated[float, Field(ge=0, le=100)]
Share = Annotated[float, Field(ge=0, le=1)]

COST_USD: dict[Repair, float] = {
    "re_embed": 15, "refresh_few_shots": 30, "change_prompt": 60, "fine_tune": 300, "roll_back": 0, "none": 0,
}  # fmt: skip
GAIN: dict[Repair, dict[Cause, float]] = {
    "re_embed": {"stale_index": 0.9, "input_drift": 0.2},
    "refresh_few_shots": {"input_drift": 0.6, "provider_change": 0.3, "quality_drop": 0.3},
    "change_prompt": {"provider_change": 0.7, "quality_drop": 0.5, "input_drift": 0.3, "cost_rise": 0.4},
    "fine_tune": {"quality_drop": 0.9, "input_drift": 0.4},
    "roll_back": {"provider_change": 0.9, "quality_drop": 0.9, "cost_rise": 0.9, "availability": 0.9},
    "none": {},
}
POINTS: dict[Cause, float] = {
    "provider_change": 6, "stale_index": 2, "input_drift": 2, "quality_drop": 5, "cost_rise": 1, "availability": 5,
}  # fmt: skip
CONFIDENCE: dict[Confidence, float] = {"shown": 1.0, "likely": 0.6, "possible": 0.3}
DEFAULTS: dict[str, dict[Any, Any]] = {
    "cost_usd": COST_USD, "gain": GAIN, "points_assumed": POINTS, "confidence": CONFIDENCE,
}  # fmt: skip


class RetrainParams(Section):
    """Which evidence asks for action, and which action is worth its price."""

    section: ClassVar[str] = "retrain"

    recent_days: int = Field(28, ge=1, le=365, description="An episode whose last alarm is older is history.")
    episode_gap_days: int = Field(
        14, ge=1, le=365, description="Alarms no further apart are one episode and become history together."
    )
    cooldown_days: int = Field(7, ge=0, le=365, description="Nights after a proposal without another for its cause.")
    retrieval_metric: str = Field("retrieval_recall", description="The metric that tells a stale index.")
    retrieval_min: float = Field(
        0.6, ge=0, le=1, description="Its smallest mean where evaluate has no guardrail for it."
    )
    other_metrics: tuple[str, ...] = Field(
        ("retrieval_recall", "retrieval_precision", "mrr", "latency_ms", "cost_usd"),
        description="Metrics that say nothing about the answer itself; all others are answer metrics.",
    )
    stale_share_max: float = Field(0.2, ge=0, le=1, description="Share of stale questions that is still normal.")
    labelled_failures_min: int = Field(
        200, ge=10, le=1_000_000, description="Labelled failures without which fine-tuning is never proposed."
    )
    labelled_failures: int | None = Field(
        None, ge=0, description="Labelled failures of production at hand; null = as monitor counts them, if it does."
    )
    value_usd_per_point_day: float = Field(
        10.0, gt=0, le=1_000_000, description="What a point (a hundredth of quality) is worth for a day."
    )
    horizon_days: int = Field(28, ge=1, le=3650, description="Days that a repair is expected to last.")
    points_tolerated: float = Field(1.0, ge=0, le=100, description="A repair that leaves no more than this suffices.")
    cost_usd: dict[Repair, Usd] = Field(COST_USD, description="Price of each repair, work included.")
    gain: dict[Repair, dict[Cause, Share]] = Field(
        GAIN, description="Share of the points lost to a cause that a repair restores; left out = 0."
    )
    points_assumed: dict[Cause, Points] = Field(
        POINTS, description="Points a cause takes away where no evaluation measured them."
    )
    confidence: dict[Confidence, Share] = Field(
        CONFIDENCE, description="Weight of a cause by how well its evidence fits."
    )

    @field_validator("cost_usd", "gain", "points_assumed", "confidence", mode="before")
    @classmethod
    def _over_defaults(cls, value: Any, info: ValidationInfo) -> Any:
        return {**DEFAULTS[str(info.field_name)], **value} if isinstance(value, Mapping) else value

    @field_validator("cost_usd", "gain")
    @classmethod
    def _doing_nothing_is_free(cls, value: dict[Repair, Any]) -> dict[Repair, Any]:
        if value["none"]:
            raise ValueError("doing nothing ('none') costs 0 and restores nothing")
        return value

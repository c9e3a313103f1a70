"""Section `monitor` of params.yaml."""

from typing import ClassVar

from pydantic import Field

from flows.core.params import Section


class MonitorParams(Section):
    """What is watched, and how many false alarms are affordable."""

    section: ClassVar[str] = "monitor"

    own_use_cases: list[str] = Field(
        ["evaluation", "indexing", "testset"], description="Use cases of our own work; they are not traffic."
    )
    false_alarm_days: int = Field(
        365, ge=7, le=3650, description="One false alarm in so many days, over all channels together."
    )
    reference_days: int = Field(28, ge=14, le=90, description="Days with calls before a channel is watched.")
    allowance: float = Field(0.35, ge=0, le=2, description="Daily z that is forgiven; covers the estimated reference.")
    calls_per_day_min: int = Field(
        20, ge=1, le=10_000, description="A day with fewer answers is no observation of a channel."
    )
    provider_share_min: float = Field(
        0.05, ge=0.001, le=1, description="Share of a day's answers a new model snapshot needs to be reported."
    )

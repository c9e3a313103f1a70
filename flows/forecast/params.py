"""The `forecast` section of params.yaml: how far, which budget, which known events, and the forecaster's numbers.

The defaults of the forecaster and of its intervals are the measured ones: research, statistics §5.
"""

import datetime
from typing import ClassVar, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from flows.core.params import Section

OWN_USE_CASES = ("evaluation", "indexing", "testset", "monitor", "retrain", "judge", "compliance")


class Event(BaseModel):
    """Something planned, with one effect: usage changes by a factor, grows, goes to another model, or costs a sum."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    name: str = Field(min_length=1, description="What people call it; becomes the driver of a one-off cost.")
    date: datetime.date
    until: datetime.date | None = None  # first day it no longer holds (or grows); None = it stays
    series: str = Field(
        "*",
        min_length=1,
        description="Pattern of `<use_case>/<model>/<token type>` or `own_work/<stage>`, with * and ?.",
    )
    multiplier: float | None = Field(None, gt=0, le=1e6, description="Tokens times this, from `date` on.")
    growth_per_month: float | None = Field(
        None, gt=-1, le=10, description="Grows by this share a month from `date` on."
    )
    model: str | None = Field(None, min_length=1, description="The series go to this model on `date`.")
    provider: str | None = Field(None, min_length=1, description="Who serves `model`; null = who did before.")
    cost_usd: float | None = Field(None, ge=0, le=1e9, description="Paid on `date` (re-embedding, training).")
    every_days: int | None = Field(None, ge=1, le=3660, description="`cost_usd` is paid again after so many days.")

    @model_validator(mode="after")
    def _one_effect(self) -> Self:
        effects = (self.multiplier, self.growth_per_month, self.model, self.cost_usd)
        if sum(effect is not None for effect in effects) != 1:
            raise ValueError("an event has one of multiplier, growth_per_month, model and cost_usd")
        if self.until is not None and (self.until <= self.date or self.model is not None):
            raise ValueError("`until` must lie after `date`; a model switch has none, going back is another event")
        if (self.every_days is not None and self.cost_usd is None) or (
            self.provider is not None and self.model is None
        ):
            raise ValueError("`every_days` belongs to `cost_usd`, `provider` to `model`")
        return self


class Rules(BaseModel):
    """The numbers of the three methods and of their weights; a step is a UTC day, a season is a week."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    season_steps: int = Field(7, ge=1, le=366, description="Steps after which the pattern repeats.")
    profile_seasons: int = Field(4, ge=1, le=52, description="Seasons behind the weekday means.")
    level_seasons: int = Field(2, ge=1, le=52, description="Seasons behind the smoothed level.")
    level_alpha: float = Field(0.1, gt=0, lt=1, description="Weight of the newest step in the smoothed level.")
    weekday_weight: float = Field(0.3, ge=0, le=1, description="Share of the weekday means; the level has the rest.")
    trend_seasons: int = Field(8, ge=3, le=104, description="Seasons behind the log trend; with fewer, no trend.")
    trend_max: float = Field(0.05, ge=0, le=1, description="Largest log growth a season that is carried forward.")
    cold_start_seasons: int = Field(3, ge=1, le=52, description="With fewer seasons: a flat mean, and it says so.")
    mean_seasons: int = Field(1, ge=1, le=52, description="Seasons behind the flat mean.")
    mean_prior: float = Field(0.7, gt=0, lt=1, description="Weight of the flat mean before any error is known.")
    choice_seasons: int = Field(6, ge=1, le=52, description="Seasons of past errors that weigh the methods.")


class ForecastParams(Section):
    """The section `forecast` of params.yaml."""

    section: ClassVar[str] = "forecast"

    horizon_days: int = Field(28, ge=1, le=366, description="UTC days to look ahead.")
    levels: tuple[int, ...] = Field((80, 95), min_length=1, description="Coverage of the intervals in per cent.")
    budget_usd_per_month: float | None = Field(None, ge=0, le=1e9, description="The budget; null = none.")
    own_use_cases: tuple[str, ...] = Field(
        OWN_USE_CASES, description="Use cases that are our own work and no traffic; forecast from their schedule."
    )
    own_runs_per_week: dict[str, float] = Field(
        {"evaluate": 7.0}, description="Own work by stage: runs a week at the cost of its last run."
    )
    events: tuple[Event, ...] = Field((), description="What is planned: name, date, series, and one effect.")
    forecaster: Rules = Field(Rules(), description="Numbers of the forecaster; a step is a day, a season a week.")
    gap_days_max: int = Field(90, ge=7, le=3660, description="Days without a call that part a log into pieces.")
    backtest_origins: int = Field(120, ge=1, le=2000, description="Past days from which a forecast is repeated.")
    backtest_horizons: tuple[int, ...] = Field((7, 14, 28), description="Totals over so many days are backtested.")
    library_origins: int = Field(
        12, ge=0, le=365, description="Past days from which a library model is fitted for comparison; 0 = none."
    )
    aci_step: float = Field(0.02, ge=0, le=0.5, description="How fast an interval's level follows hits and misses.")
    alpha_min: float = Field(0.002, gt=0, lt=0.5, description="Smallest error probability that is ever asked for.")
    borrowed_windows: float = Field(
        2.0, ge=1, le=100, description="Windows that the scale of the next shorter horizon counts as in an interval."
    )
    ratio_max: float = Field(1000.0, gt=1, le=1e9, description="No bound lies farther than this factor away.")
    floor_share: float = Field(
        0.01, gt=0, le=1, description="Days below this share of the series' mean count as this share in log errors."
    )
    bursty_wape: float = Field(0.5, gt=0, le=100, description="Daily error from which a series is called bursty.")
    calls_priced_gap: float = Field(
        0.1, gt=0, le=10, description="Note when logged cost and tokens x price differ by more than this share."
    )
    outlier_factor: float = Field(
        10.0, gt=1, le=1e6, description="A logged cost beyond this times tokens x price is an outlier, in no mean."
    )
    anomaly_watch_days: int = Field(28, ge=1, le=366, description="Newest days in which anomalies are looked for.")
    anomaly_reference_days: int = Field(28, ge=8, le=366, description="Days before them that say what is usual.")
    anomaly_sd_min: float = Field(
        0.01, gt=0, le=1, description="Smallest believable day-to-day log deviation; steadier series count as this."
    )
    days_per_false_alarm: int = Field(365, ge=1, le=36600, description="One false anomaly in so many days, in all.")

    @model_validator(mode="after")
    def _levels_are_per_cent(self) -> Self:
        if not all(50 <= level <= 99 for level in self.levels) or len(set(self.levels)) < len(self.levels):
            raise ValueError("levels are different whole per cents from 50 to 99")
        if not all(0 <= runs <= 10_000 for runs in self.own_runs_per_week.values()):
            raise ValueError("own_runs_per_week holds runs a week from 0 to 10000")
        return self

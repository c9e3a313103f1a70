"""Section `evaluate` of params.yaml: which metrics decide, how much may be lost, what must hold."""

import re
from datetime import date
from typing import ClassVar, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator

from flows.core.errors import did_you_mean
from flows.core.params import Section
from flows.evaluate.registry import JUDGED, METRICS, metric_of
from flows.rag.template import NAME
from flows.stats.judges import JudgePolicy


class Guardrail(BaseModel):
    """An interval in which a metric must stay, with the person who decided it."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    low: float | None = Field(None, description="Smallest allowed mean; null = open.")
    high: float | None = Field(None, description="Largest allowed mean; null = open.")
    unit: str = Field("share", min_length=1, description="Unit of the limits.")
    owner: str = Field(min_length=1, description="Person or role who decided it.")
    reason: str = Field(min_length=1, description="One sentence: why this number.")
    decided: date = Field(description="Day of the decision.")
    review_by: date = Field(description="Day by which it must be looked at again.")
    action: str = Field("do not promote", min_length=1, description="What happens outside the interval.")

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        if self.low is None and self.high is None:
            raise ValueError("a guardrail needs low or high")
        if self.low is not None and self.high is not None and self.low >= self.high:
            raise ValueError(f"low {self.low!r} is not below high {self.high!r}")
        if self.review_by <= self.decided:
            raise ValueError("review_by is not after decided")
        return self


class JudgeParams(BaseModel):
    """One judge: a model that is asked to score answers."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    prompt: str = Field(pattern=rf"^{NAME}$", description="Prompt in data/prompts with the output judge or preference.")
    model: str | None = Field(None, min_length=1, description="Model that is asked; null = provider.chat_model.")
    repeats: int = Field(1, ge=1, le=20, description="Times each answer is judged; repeats are separate samples.")
    temperature: float = Field(0.0, ge=0, le=2, description="Of the judge; repeats need more than 0 to differ.")
    max_output_tokens: int = Field(512, ge=16, le=8000, description="Longer replies are cut, and then unscored.")


def _sample(low: float, reason: str) -> Guardrail:
    """A guardrail of the sample project; one's own project writes its own owner and reason."""
    return Guardrail(
        low=low, owner="sample project", reason=reason, decided=date(2026, 11, 1), review_by=date(2027, 11, 1)
    )


GUARDRAILS = {
    "correctness": _sample(0.35, "An assistant that is mostly wrong helps nobody."),
    "groundedness": _sample(0.8, "What is said must stand in the documents."),
    "retrieval_recall": _sample(0.6, "The answer cannot be better than what was found."),
    "refusal_correctness": _sample(0.6, "Guessing is worse than refusing."),
    "format_validity": _sample(0.95, "Programs read the answers."),
}
REFUSALS = (
    "i don't know", "i do not know", "i'm not sure", "i cannot answer", "i can't answer", "cannot be answered",
    "no information", "not mentioned", "does not say", "do not say", "unable to answer", "i'm sorry, but",
)  # fmt: skip
GATED = (
    "correctness", "groundedness", "retrieval_recall", "citation_precision", "citation_recall", "refusal_correctness",
    "format_validity", "cost_usd",
)  # fmt: skip


class EvaluateParams(Section):
    """How releases are judged."""

    section: ClassVar[str] = "evaluate"

    judges: dict[str, JudgeParams] = Field(
        {}, description="Judges by name; their metrics are judge_<name> and inform until `llmops judge calibrate`."
    )
    judge_kappa_min: float = Field(
        JudgePolicy.kappa_min, gt=0, le=1, description="Agreement with people below which a judge never decides."
    )
    judge_labels_min: int = Field(
        JudgePolicy.labels_min, ge=10, le=100_000, description="Labels by people below which a judge never decides."
    )
    judge_batch: int = Field(40, ge=1, le=10_000, description="Answers that stand or fall with the same anchors.")
    judge_anchors: int = Field(4, ge=0, le=100, description="Items with a known answer per batch; 0 = none.")
    judge_anchors_right_min: float = Field(
        0.75, gt=0, le=1, description="Share of a batch's anchors that must be right, else the batch is unscored."
    )

    candidate_samples: int = Field(1, ge=1, le=20, description="Answers per question of the release on trial.")
    baseline_samples: int = Field(
        4, ge=1, le=50, description="Answers per question of production; 1 is used where its model repeats itself."
    )
    gated_metrics: tuple[str, ...] = Field(
        GATED, min_length=1, description="Metrics that must be shown not to be worse; the others inform."
    )
    margins: dict[str, float] = Field(
        {}, description="Largest tolerated loss per metric, over the registry's defaults; natural log for cost."
    )
    guardrails: dict[str, Guardrail] = Field(GUARDRAILS, description="Interval per metric that must hold by itself.")
    guardrail_grace_days: int = Field(
        30, ge=0, le=3650, description="Days after review_by from which an overdue guardrail makes the gate invalid."
    )
    alpha: float = Field(0.05, gt=0, lt=0.5, description="One-sided error of each bound.")
    documents_min: int = Field(8, ge=2, le=10_000, description="Fewer documents never decide.")
    missing_share_max: float = Field(0.05, ge=0, le=1, description="More missing answers make the gate invalid.")
    early_looks: bool = Field(
        False, description="Ask about 25, 50, 75, 100 % of the documents and stop when the verdict is clear."
    )
    looks_seed: int = Field(20261101, ge=0, description="Order in which documents are asked about.")
    smoke_questions: int = Field(10, ge=0, le=1000, description="Asked before all others; 0 = no such check.")
    smoke_share_min: float = Field(
        0.5, ge=0, le=1, description="Share of them that must bring a usable answer, else nothing more is asked."
    )
    questions_max: int | None = Field(
        None, ge=1, description="Questions asked at first; the rest is a reserve that can be bought. null = all."
    )
    evidence_rounds: int = Field(
        2, ge=0, le=4, description="How often --max-usd may double the answers per question while undecided."
    )
    evidence_alpha_share: float = Field(
        0.3, gt=0, lt=1, description="Share of alpha for looks that are bought; the price of buying."
    )
    evidence_chance_min: float = Field(
        0.1, ge=0, le=1, description="Chance to decide below which nothing more is bought."
    )

    refusal_phrases: tuple[str, ...] = Field(
        REFUSALS, description="An answer whose first sentence holds one is a refusal, where a target does not say."
    )
    correctness_beta: float = Field(2.0, gt=0, le=10, description="How much recall of facts outweighs precision.")
    number_weight: float = Field(3.0, ge=1, le=100, description="Weight of a number or negation; a word weighs 1.")
    support_min: float = Field(0.8, gt=0, le=1, description="Share of a sentence's facts a cited chunk must hold.")
    span_hit_share: float = Field(0.5, gt=0, le=1, description="Share of a gold span a chunk must cover to be a hit.")
    leak_words_min: int = Field(
        8, ge=3, le=1000, description="Words in a row, equal to the system prompt's, that make a leak."
    )
    worst_questions: int = Field(10, ge=0, le=1000, description="Rows of worst.json.")

    @field_validator("judges")
    @classmethod
    def _judges(cls, value: dict[str, JudgeParams]) -> dict[str, JudgeParams]:
        for name in value:
            if not re.fullmatch(NAME, name):
                raise ValueError(f"judge {name!r} is no name of small letters, digits and _")
        return value

    @field_validator("gated_metrics")
    @classmethod
    def _known(cls, value: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        _require_metrics(value, info)
        if len(set(value)) < len(value):
            raise ValueError("a metric stands twice")
        return value

    @field_validator("margins")
    @classmethod
    def _margins(cls, value: dict[str, float], info: ValidationInfo) -> dict[str, float]:
        _require_metrics(tuple(value), info)
        for name, margin in value.items():
            if margin < 0:
                raise ValueError(f"margin {margin!r} of {name!r} is below 0")
        return value

    @field_validator("guardrails")
    @classmethod
    def _guardrails(cls, value: dict[str, Guardrail], info: ValidationInfo) -> dict[str, Guardrail]:
        _require_metrics(tuple(value), info)
        for name, rail in value.items():
            low, high = metric_of(name).bounds
            outside = [limit for limit in (rail.low, rail.high) if limit is not None and not low <= limit <= high]
            if outside:
                raise ValueError(f"limit {outside[0]!r} of {name!r} lies outside the metric's range [{low}, {high}]")
        return value

    @property
    def known_metrics(self) -> tuple[str, ...]:
        """Every metric by name: those of the registry, then the judges'."""
        return (*METRICS, *(f"{JUDGED}{name}" for name in sorted(self.judges)))

    def margin(self, metric: str) -> float:
        """Return the loss of a metric that is tolerated."""
        return self.margins.get(metric, metric_of(metric).margin)


def _require_metrics(names: tuple[str, ...], info: ValidationInfo) -> None:
    known = [*METRICS, *(f"{JUDGED}{name}" for name in info.data.get("judges", {}))]
    for name in names:
        if name not in known:
            raise ValueError(f"metric {name!r} does not exist.{did_you_mean(name, known)} Known: {', '.join(known)}")

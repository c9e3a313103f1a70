"""`gate.yaml`: which metrics guard a release, how each is read, and how much of it may be lost.

The file is the fixed interface of `llmops gate`, so it is strict: an unknown key, a value outside its
bounds or a key that does not fit the metric's kind is an error that names it.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from flows.core.errors import UsageError, did_you_mean
from flows.core.params import Section, read_yaml
from flows.stats.effects import MetricKind, MetricSpec
from flows.stats.gate import GatePolicy

DEFAULT_SPEC = MetricSpec(kind="bounded", low=0.0, high=1.0, higher_is_better=True, margin=0.05)


class MetricConfig(BaseModel):
    """How one metric is read."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    kind: MetricKind = Field(description="`bounded` (low to high), `unbounded` or `ratio` (of totals).")
    low: float | None = Field(None, description="Smallest possible score; required for `bounded`.")
    high: float | None = Field(None, description="Largest possible score; required for `bounded`.")
    higher_is_better: bool | None = Field(None, description="Direction; required unless `bounded` (true).")
    margin: float = Field(ge=0, description="Tolerated loss in score units; natural log for `ratio`.")

    @model_validator(mode="after")
    def _fits_its_kind(self) -> Self:
        if self.kind == "bounded" and (self.low is None or self.high is None):
            raise ValueError("a bounded metric needs low and high, such as 0 and 1")
        if self.kind != "bounded" and self.higher_is_better is None:
            raise ValueError("say higher_is_better: true or false; cost and latency are false")
        if self.low is not None and self.high is not None and self.low >= self.high:
            raise ValueError(f"low {self.low!r} is not below high {self.high!r}")
        if self.kind == "bounded" and self.margin >= (self.high or 0.0) - (self.low or 0.0):
            raise ValueError(f"margin {self.margin!r} tolerates the loss of the whole range")
        return self

    def spec(self) -> MetricSpec:
        """Return how `flows.stats` reads the metric."""
        given = {name: value for name in ("low", "high") if (value := getattr(self, name)) is not None}
        return MetricSpec(
            kind=self.kind, margin=self.margin, higher_is_better=self.higher_is_better is not False, **given
        )


class GateConfig(Section):
    """The whole file; everything has a default."""

    section: ClassVar[str] = "gate"

    alpha: float = Field(0.05, gt=0, lt=0.5, description="One-sided error of each bound.")
    documents_min: int = Field(8, ge=2, le=10_000, description="Fewer documents never decide.")
    missing_share_max: float = Field(0.05, ge=0, le=1, description="More missing answers make a metric invalid.")
    metrics: dict[str, MetricConfig] | None = Field(
        None, min_length=1, description="The metrics that decide; left out = every metric of the files, at a default."
    )

    @property
    def policy(self) -> GatePolicy:
        """How sure the gate must be."""
        return GatePolicy(self.alpha, self.documents_min, self.missing_share_max)

    def specs(self, present: Sequence[str]) -> dict[str, MetricSpec]:
        """Return the metrics that decide: those of the file, or all that are `present` at the default."""
        if self.metrics is None:
            return dict.fromkeys(present, DEFAULT_SPEC)
        return {name: metric.spec() for name, metric in self.metrics.items()}

    @classmethod
    def _explain(cls, item: Any) -> str:
        if item["type"] == "extra_forbidden" and len(item["loc"]) > 1:
            *above, key = map(str, item["loc"])
            return (
                f"gate.{'.'.join(above)}.{key}: this key does not exist.{did_you_mean(key, MetricConfig.model_fields)}"
            )
        return super()._explain(item)


def read_config(path: Path | None) -> GateConfig:
    """Read gate.yaml, or return the defaults when there is none.

    Raises:
        UsageError: The file does not exist.
        ParamsError: Names every wrong key and value at once.
    """
    if path is None:
        return GateConfig()
    if not path.is_file():
        raise UsageError(f"{str(path)!r} does not exist. Give the path of a gate.yaml, or leave --config out.")
    return GateConfig.parse(read_yaml(path), where=path.name)

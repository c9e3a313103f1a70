"""Say when fine-tuning pays for itself against few-shot examples in the prompt, if ever.

    saving per request  s = few-shot input at its prices + its output - the tuned model's input and output
    requests            F / s               never when s <= 0
    days                -ln(1 - h F / (s V)) / h   with hazard h of the model's retirement; never when h F >= s V
    expected value      s V (1 - exp(-h H)) / h - F

An unchanging start of the prompt is billed at the cached price, which takes away most of what
fine-tuning could save; comparing with the full price flatters it (statistics research §3).
"""

from dataclasses import dataclass
from math import expm1, log1p

MTOK = 1_000_000
DAYS_PER_YEAR = 365


@dataclass(frozen=True)
class Request:
    """An average request: tokens, of which `cached_tokens` of the input are billed at the cached price."""

    input_tokens: float
    output_tokens: float
    input_usd_per_mtok: float
    output_usd_per_mtok: float
    cached_tokens: float = 0.0
    cached_usd_per_mtok: float = 0.0

    @property
    def cost_usd(self) -> float:
        """What one request costs."""
        fresh = self.input_tokens - self.cached_tokens
        usd = fresh * self.input_usd_per_mtok + self.cached_tokens * self.cached_usd_per_mtok
        return (usd + self.output_tokens * self.output_usd_per_mtok) / MTOK


@dataclass(frozen=True)
class BreakEven:
    """When it pays; None = never. `ev_usd` is the expected saving over the horizon minus the price."""

    saving_usd: float
    requests: float | None
    days: float | None
    ev_usd: float


def break_even(
    few_shot: Request,
    tuned: Request,
    *,
    fixed_usd: float,
    requests_per_day: float,
    horizon_days: float,
    retired_within_year: float = 0.0,
) -> BreakEven:
    """Compare a tuned model with few-shot examples.

    Args:
        few_shot: An average request as it is now, the unchanging start of the prompt at its cached price.
        tuned: The same request to the tuned model.
        fixed_usd: Training, evaluation and labels, at least 0.
        requests_per_day: Volume, at least 0.
        horizon_days: Days to look ahead, at least 0.
        retired_within_year: Chance, from 0 to below 1, that the base model is retired within a year.
    """
    saving = few_shot.cost_usd - tuned.cost_usd
    hazard = -log1p(-retired_within_year) / DAYS_PER_YEAR
    per_day = saving * requests_per_day
    risk = hazard * horizon_days
    lived_days = horizon_days * (-expm1(-risk) / risk if risk else 1.0)  # a quotient that is exact near no risk
    return BreakEven(
        saving_usd=saving,
        requests=fixed_usd / saving if saving > 0 else None,
        days=_days(fixed_usd, per_day, hazard),
        ev_usd=per_day * lived_days - fixed_usd,
    )


def _days(fixed_usd: float, per_day: float, hazard: float) -> float | None:
    if per_day <= 0 or hazard * fixed_usd >= per_day:
        return None
    days = fixed_usd / per_day
    risk = hazard * days
    return days * (-log1p(-risk) / risk if risk else 1.0)

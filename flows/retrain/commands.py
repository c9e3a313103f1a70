"""Further verbs of `llmops retrain`: `break-even` says when fine-tuning pays against few-shot examples."""

import argparse
from typing import Any

from flows.core.errors import UsageError
from flows.retrain.break_even import BreakEven, Request, break_even

NUMBERS: tuple[tuple[str, float | None, str], ...] = (
    ("few-shot-tokens", None, "input tokens of a request with its examples"),
    ("cached-tokens", 0.0, "of these, the unchanging start that the provider bills at the cached price"),
    ("tuned-tokens", None, "input tokens of the same request to the tuned model"),
    ("output-tokens", None, "tokens of an answer"),
    ("input-price", None, "USD per million input tokens"),
    ("cached-price", 0.0, "USD per million cached input tokens"),
    ("output-price", None, "USD per million output tokens"),
    ("tuned-input-price", None, "USD per million input tokens of the tuned model"),
    ("tuned-output-price", None, "USD per million output tokens of the tuned model"),
    ("fixed-usd", None, "training, evaluation and labels"),
    ("requests-per-day", 1000.0, "volume"),
    ("horizon-days", 365.0, "days to look ahead"),
    ("retired-within-year", 0.0, "chance that the base model is retired within a year"),
)


def add_to(verbs: Any) -> None:
    """Add the verbs."""
    text = "say when fine-tuning pays against few-shot examples"
    parser = verbs.add_parser("break-even", help=text, description=f"{text.capitalize()}.")
    for name, default, meaning in NUMBERS:
        parser.add_argument(
            f"--{name}", type=float, required=default is None, default=default, metavar="N", help=meaning
        )
    parser.set_defaults(handler=show)


def show(options: argparse.Namespace) -> int:
    """Compare and print one line."""
    values = {name.replace("-", "_"): getattr(options, name.replace("-", "_")) for name, _, _ in NUMBERS}
    wrong = sorted(name for name, value in values.items() if not 0 <= value < float("inf"))
    if wrong or values["retired_within_year"] >= 1 or values["cached_tokens"] > values["few_shot_tokens"]:
        raise UsageError(
            f"numbers out of range: {', '.join(wrong) or 'retired-within-year or cached-tokens'}. Give numbers from 0 "
            "on, a chance below 1, and no more cached tokens than tokens."
        )
    print(_sentence(_compare(values)))  # noqa: T201
    return 0


def _compare(values: dict[str, float]) -> BreakEven:
    few_shot = Request(
        values["few_shot_tokens"], values["output_tokens"], values["input_price"], values["output_price"],
        values["cached_tokens"], values["cached_price"],
    )  # fmt: skip
    tuned = Request(
        values["tuned_tokens"], values["output_tokens"], values["tuned_input_price"], values["tuned_output_price"]
    )
    return break_even(
        few_shot,
        tuned,
        fixed_usd=values["fixed_usd"],
        requests_per_day=values["requests_per_day"],
        horizon_days=values["horizon_days"],
        retired_within_year=values["retired_within_year"],
    )


def _sentence(found: BreakEven) -> str:
    per_request = f"saves ${found.saving_usd:.6f} a request"
    if found.requests is None:
        return f"never pays: {per_request}"
    days = "never, at this volume and this chance of retirement" if found.days is None else f"{found.days:,.0f} days"
    return f"pays after {found.requests:,.0f} requests ({days}); {per_request}; expected value ${found.ev_usd:,.2f}"

"""`llmops compare`: prompts, models and retrieval settings on the test set, side by side."""

import argparse
import json
from typing import TYPE_CHECKING, Any

from flows.cli import output
from flows.core.errors import UsageError, did_you_mean
from flows.core.project import Project

if TYPE_CHECKING:
    from flows.evaluate.selection import Measured

MARKS = {"front": "*", "beaten": " ", "unknown": "?"}
HEAD = (
    "",
    "prompt",
    "model",
    "search",
    "quality",
    "change (interval)",
    "USD / 1000 answers",
    "ms",
    "outside guardrail",
)


def add_to(commands: Any) -> None:
    """Add the command."""
    text = "measure prompts, models and retrieval settings on the test set, side by side; nothing is promoted"
    parser = commands.add_parser("compare", help=text, description=f"{text.capitalize()}.")
    parser.add_argument("--prompts", nargs="+", default=[], metavar="NAME", help="answer prompts in data/prompts")
    parser.add_argument("--models", nargs="+", default=[], metavar="NAME", help="chat models, local or hosted")
    parser.add_argument("--modes", nargs="+", default=[], metavar="MODE", help="hybrid, vector, text")
    parser.add_argument("--k", nargs="+", default=[], type=int, metavar="K", help="chunks retrieved per question")
    parser.add_argument("--metric", default="correctness", metavar="NAME", help="what quality is (%(default)s)")
    parser.add_argument("--samples", type=int, default=1, metavar="N", help="answers per question (%(default)s)")
    parser.add_argument("--max-usd", type=float, metavar="USD", help="most this run may spend")
    parser.add_argument("--json", action="store_true", help="print everything that was measured as JSON")
    parser.set_defaults(handler=handle)


def handle(options: argparse.Namespace) -> int:
    """Measure every combination and print the table, the current params first.

    Raises:
        UsageError: The metric is none that can be quality, or there are no samples.
    """
    from flows.core.progress import printing
    from flows.evaluate.selection import combinations, compare, current

    require_quality(options.metric)
    if options.samples < 1:
        raise UsageError(f"--samples {options.samples!r} is below 1. Ask each question at least once.")
    project = Project.open(options.project)
    todo = combinations(
        current(project), prompts=options.prompts, models=options.models, modes=options.modes, ks=options.k
    )
    found = compare(
        project, todo, metric=options.metric, samples=options.samples, max_usd=options.max_usd,
        progress=printing(),
    )  # fmt: skip
    if options.json:
        output.line(json.dumps([one.to_json() for one in found], indent=2))
    else:
        show(found, options.metric)
    return 0


def require_quality(metric: str) -> None:
    """Raise UsageError unless a metric is a share that is better when higher."""
    from flows.evaluate.registry import METRICS

    good = [name for name, known in METRICS.items() if known.unit == "share" and known.higher_is_better]
    if metric not in good:
        raise UsageError(f"--metric {metric!r} cannot be quality.{did_you_mean(metric, good)} Use {', '.join(good)}.")


def show(found: "list[Measured]", metric: str) -> None:
    """Print one line per combination, and how to read them."""
    rows = [HEAD, *(_row(one) for one in found)]
    widths = [max(len(row[place]) for row in rows) for place in range(len(HEAD))]
    for row in rows:
        output.line("  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip())
    output.line()
    output.line(f"Quality is {metric}; the first line is what params.yaml says now, the others are held against it.")
    output.line("* no other is at least as good, as cheap and as fast; ? something is unknown; ms is the median.")
    output.line("The best of many looks better than it is. Nothing was promoted: put it into params.yaml for the gate.")


def _row(one: "Measured") -> tuple[str, ...]:
    item, option = one.combination, one.option
    change = "" if one.change is None else f"{one.change:+.3f} ({one.lower:+.3f} to {one.upper:+.3f})"
    return (
        MARKS[one.place], item.prompt, item.chat_model, f"{item.retrieval_mode} {item.retrieval_k}",
        _number(option.quality, ".3f"), change,
        _number(None if option.cost_usd is None else 1000 * option.cost_usd, ".4g"), _number(option.latency_ms, ".0f"),
        ", ".join(one.outside),
    )  # fmt: skip


def _number(value: float | None, form: str) -> str:
    return "unknown" if value is None else format(value, form)

"""`llmops <stage>`: run one stage, or one of the further verbs its room declares."""

import argparse
import importlib
import importlib.util
from typing import Any

from flows.cli import output
from flows.core.runs import RunRecord

HELP = {
    "ingest": "parse, check, deduplicate and chunk the documents; quarantine what is unfit",
    "embed": "bring the index up to date with the chunks and publish a version of it",
    "testset": "make the questions follow the documents",
    "evaluate": "answer the questions with the candidate release and judge it against production",
    "release": "promote the candidate if the gate passed; list, roll back, verify",
    "monitor": "turn the calls log into daily channels; find drift and provider changes",
    "retrain": "propose the cheapest sufficient repair for the triggers that fired",
    "forecast": "forecast tokens and cost, with intervals and the odds of the budget",
    "report": "write the page for analysts, each number linked to its artifact",
}


def add_to(commands: Any, name: str, *, with_verbs: bool) -> None:
    """Add the stage's command; `with_verbs` imports the verbs of its room."""
    parser = commands.add_parser(name, help=HELP[name], description=f"{HELP[name].capitalize()}.")
    parser.add_argument("--force", action="store_true", help="do the work even when nothing changed")
    parser.add_argument("--max-usd", type=float, metavar="USD", help="stop before spending more than this")
    parser.set_defaults(handler=handle, stage=name)
    module = f"flows.{name}.commands"
    if with_verbs and importlib.util.find_spec(module):
        verbs = parser.add_subparsers(title="verbs", metavar="VERB", required=False, parser_class=type(parser))
        importlib.import_module(module).add_to(verbs)


def handle(options: argparse.Namespace) -> int:
    """Run the stage and print what it did."""
    record = run_stage(options.project, options.stage, force=options.force, max_usd=options.max_usd)
    output.line(("" if record.did_work else "nothing to do: ") + record.summary)
    for note in record.notes:
        output.line(f"  note: {note}")
    return 0


def run_stage(project: str, name: str, *, force: bool = False, max_usd: float | None = None) -> RunRecord:
    """Run a stage in this process, without Prefect, and record it in DVC where the project uses it."""
    from flows.core import versions
    from flows.core.progress import printing

    run = importlib.import_module(f"flows.{name}.stage").run
    record: RunRecord = run(project, force=force, max_usd=max_usd, progress=printing())
    versions.record(project, name)
    return record

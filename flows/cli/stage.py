"""`llmops <stage>`: run one stage, or one of the further verbs its room declares.

A room may declare in `flows/<stage>/commands.py`: `add_to(verbs)` for verbs, and `add_options(parser)` with
`handle(options) -> int | None` for options of its own command; None means "run the stage as usual".
"""

import argparse
import importlib
import importlib.util
from typing import Any

from flows.cli import estimate, output
from flows.core.runs import RunRecord
from flows.core.scope import one_run

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
    estimate.add_option(parser)
    parser.set_defaults(handler=handle, stage=name)
    room: Any = _room(name) if with_verbs else None
    if hasattr(room, "add_options"):
        room.add_options(parser)
    if hasattr(room, "add_to"):
        room.add_to(parser.add_subparsers(title="verbs", metavar="VERB", required=False, parser_class=type(parser)))


def _room(name: str) -> Any:
    module = f"flows.{name}.commands"
    return importlib.import_module(module) if importlib.util.find_spec(module) else None


def handle(options: argparse.Namespace) -> int:
    """Run the stage and print what it did, unless the room's own options ask for something else."""
    if options.estimate:
        return estimate.show(options.project, [options.stage], force=options.force, max_usd=options.max_usd)
    room = _room(options.stage)
    code: int | None = room.handle(options) if hasattr(room, "add_options") else None
    if code is not None:
        return code
    with one_run(options.max_usd):
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

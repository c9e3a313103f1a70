"""`llmops run`: the main job. All stages in order, or the ones asked for, doing only what changed.

The stages run in this process. With a Prefect server configured (PREFECT_API_URL), or with
`--prefect`, each stage runs as its Prefect flow instead, so that the server has the history; the
work and its result are the same (docs/decisions/0003).
"""

import argparse
import importlib
import inspect
from typing import Any

from flows.cli import estimate, output
from flows.cli.stage import run_stage
from flows.core.clock import utc_now
from flows.core.errors import InputError, UsageError, did_you_mean
from flows.core.project import STAGES, Project
from flows.core.runs import RunRecord, last_record
from flows.core.scope import one_run
from flows.core.settings import load_settings


def add_to(commands: Any) -> None:
    """Add the command."""
    text = "run the whole DAG, or a part of it; only what changed is done again"
    parser = commands.add_parser("run", help=text, description=output.sentence(text))
    parser.add_argument("--stages", metavar="A,B,…", help=f"only these stages, in DAG order; of {', '.join(STAGES)}")
    parser.add_argument("--force", action="store_true", help="do the work even when nothing changed")
    parser.add_argument("--max-usd", type=float, metavar="USD", help="stop before the run spends more than this in all")
    estimate.add_option(parser)
    parser.add_argument("--json", action="store_true", help="with --estimate: print JSON")
    parser.add_argument("--prefect", action="store_true", help="run every stage as its Prefect flow")
    parser.set_defaults(handler=handle)


def handle(options: argparse.Namespace) -> int:
    """Run the stages and print the summary."""
    project = Project.open(options.project)
    stages = chosen_stages(options.stages)
    if options.json and not options.estimate:
        raise UsageError("--json belongs to --estimate.")
    if options.estimate:
        return estimate.show(
            options.project, stages, force=options.force, max_usd=options.max_usd, as_json=options.json
        )
    as_flows = options.prefect or load_settings().prefect_api_url is not None
    started = utc_now()
    records: list[RunRecord] = []
    run = _run_flow if as_flows else run_stage
    with one_run(options.max_usd):
        for number, name in enumerate(stages, 1):
            output.line(f"[{number}/{len(stages)}] {name}")
            record = run(options.project, name, force=options.force, max_usd=options.max_usd)
            output.line(f"      {f'done in {record.duration_s:.1f} s' if record.did_work else 'nothing to do'}")
            records.append(record)
    _summarise(project, records, duration_s=(utc_now() - started).total_seconds())
    return 0


def chosen_stages(text: str | None) -> list[str]:
    """Return the stages named in `text` in DAG order; all when it is None.

    Raises:
        UsageError: A name is no stage.
    """
    if text is None:
        return list(STAGES)
    names = [name.strip() for name in text.split(",") if name.strip()]
    for name in names:
        if name not in STAGES:
            raise UsageError(f"{name!r} is no stage.{did_you_mean(name, STAGES)} Stages: {', '.join(STAGES)}.")
    return [name for name in STAGES if name in names]


def _run_flow(project: str, name: str, *, force: bool, max_usd: float | None) -> RunRecord:
    before = last_record(Project.open(project), name)
    flow = getattr(importlib.import_module(f"flows.{name}.flow"), name)
    spends = "max_usd" in inspect.signature(flow.fn).parameters
    flow(project=project, force=force, **({"max_usd": max_usd} if spends else {}))
    record = last_record(Project.open(project), name)
    if record is None:
        raise InputError(f"flow {name!r} left no record. Read its run in the Prefect UI.")
    record.did_work = before is None or before.run_id != record.run_id
    return record


def _summarise(project: Project, records: list[RunRecord], *, duration_s: float) -> None:
    worked = [record for record in records if record.did_work]
    output.line()
    if not worked:
        output.line(f"Nothing changed, so nothing was done ({duration_s:.1f} s). The last result:")
    rows = [(record.stage, record.summary) for record in records]
    unpriced = any(record.cost_usd is None for record in worked)
    spent = sum(record.cost_usd or 0.0 for record in worked)
    calls = sum(record.calls for record in worked)
    cost = f"{calls:,} calls, ${spent:.4f}" + (" and some unpriced calls" if unpriced else "")
    output.table([*rows, ("this run", f"{cost}, {duration_s:.1f} s")])
    page = project.data("report", "index.html")
    if page.is_file():
        output.line(f"\nOpen the report: {page}")

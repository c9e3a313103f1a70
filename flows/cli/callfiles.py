"""`llmops cost import` and `llmops cost export`: the calls log from and to other tools."""

import argparse
import json
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flows.cli import output
from flows.core.clock import utc_day, utc_now
from flows.core.errors import InputError, UsageError
from flows.core.project import Project

if TYPE_CHECKING:
    import pandas as pd


def add_to(verbs: Any) -> None:
    """Add the two verbs."""
    text = "import call records of other tools; exact in any order, however often, killed or not"
    parser = verbs.add_parser("import", help=text, description=output.sentence(text))
    parser.add_argument("files", nargs="+", metavar="FILE", help="JSON lines, JSON or CSV")
    parser.add_argument(
        "--format", default="auto", metavar="F", help="auto, openai, anthropic, litellm, langfuse, otlp, generic"
    )
    parser.add_argument("--mapping", metavar="FILE", help="YAML for the generic format: fields, constants, time_unit")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(handler=import_calls)
    text = "send the log to an OpenTelemetry collector, or write cost rows in the form of FOCUS"
    parser = verbs.add_parser("export", help=text, description=output.sentence(text))
    parser.add_argument("--otlp", metavar="URL", help="such as http://127.0.0.1:4318/v1/traces")
    parser.add_argument("--focus", metavar="FILE", help="CSV to write")
    parser.add_argument("--since", type=utc_day, metavar="DATE", help="first UTC day")
    parser.add_argument("--until", type=utc_day, metavar="DATE", help="last UTC day")
    parser.set_defaults(handler=export_calls)


def import_calls(options: argparse.Namespace) -> int:
    """Import, and say what became of every record."""
    from flows.core.progress import printing
    from flows.forecast import rejected
    from flows.forecast.callrow import Reader
    from flows.forecast.importing import import_files
    from flows.forecast.mappings import read_mapping
    from flows.provider.params import ProviderParams
    from flows.provider.prices import load_prices

    project = Project.open(options.project)
    paths = [Path(name) for name in options.files]
    missing = [path.name for path in paths if not path.is_file()]
    if missing:
        raise InputError(f"{missing[0]!r} is no file. Name files, such as `logs/*.jsonl`.")
    mapping = read_mapping(Path(options.mapping)) if options.mapping else None
    params = ProviderParams.load(project)
    reader = Reader(utc_now(), load_prices(project), params.calls_privacy, text_chars_max=params.import_text_chars_max)
    report = import_files(project, paths, reader, form=options.format, mapping=mapping, progress=printing())
    values = {
        "records": report.records, "kept": report.kept, "exact_copies": report.copies, "blank_lines": report.blank,
        "not_calls": report.not_calls, "quarantined": report.rejected.total(), "demoted": report.demoted,
        "quarantined_by_reason": {code: count for code, count in sorted(report.rejected.items()) if count},
        "quarantine_so_far": rejected.by_reason(project),
        "quarantine_file": project.relative(rejected.path_of(project)),
    }  # fmt: skip
    if options.json:
        output.line(json.dumps(values, indent=2))
    else:
        output.table([(name.replace("_", " "), _shown(value)) for name, value in values.items()])
    return 0


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {count:,}" for name, count in value.items()) or "none"
    return f"{value:,}" if isinstance(value, int) else str(value)


def export_calls(options: argparse.Namespace) -> int:
    """Send or write; exit code 1 when the collector refused spans."""
    from flows.core.files import write_text
    from flows.forecast.exporting import focus_csv, send_spans

    if bool(options.otlp) == bool(options.focus):
        raise UsageError("name either --otlp URL or --focus FILE.")
    calls = _calls(options)
    if options.focus:
        write_text(Path(options.focus), focus_csv(calls))
        output.line(f"{len(calls):,} calls as cost rows in {options.focus}")
        return 0
    taken, refused = send_spans(calls, options.otlp)
    output.line(f"{taken:,} spans taken, {refused:,} refused by the collector")
    return 1 if refused else 0


def _calls(options: argparse.Namespace) -> "pd.DataFrame":
    from flows.core.calls import compact, read_calls

    project = Project.open(options.project)
    compact(project)
    return read_calls(project, since=options.since, until=options.until + timedelta(days=1) if options.until else None)

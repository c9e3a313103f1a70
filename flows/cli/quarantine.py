"""`llmops quarantine`: what `ingest` rejected and why, and letting something in after looking at it."""

import argparse
import json
from collections import Counter
from typing import Any

from flows.cli import output
from flows.core.project import Project


def add_to(commands: Any) -> None:
    """Add the command."""
    text = "list what ingest rejected, show why, and let something in"
    parser = commands.add_parser("quarantine", help=text, description=f"{text.capitalize()}.")
    verbs = parser.add_subparsers(title="verbs", metavar="VERB", required=True, parser_class=type(parser))
    listing = _add(verbs, "list", "what is in quarantine, by reason", list_rows)
    listing.add_argument("--reason", metavar="CODE", help="only this reason code, such as `policy`")
    showing = _add(verbs, "show", "all that is known of one source; never its content", show)
    releasing = _add(verbs, "release", "let this content in past the rule that rejected it", release)
    for verb in (showing, releasing):
        verb.add_argument("source", metavar="SOURCE", help="its source_uri, as `list` shows it")
    for verb in (listing, showing):
        verb.add_argument("--json", action="store_true", help="one JSON array for programs")
    releasing.add_argument("--rule", metavar="RULE", help="the rule, where there are several")
    releasing.add_argument("--why", required=True, metavar="TEXT", help="the reason, for the record")
    releasing.add_argument("--who", metavar="NAME", help="who decides (default: you)")


def _add(verbs: Any, name: str, text: str, handler: Any) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = verbs.add_parser(name, help=text, description=f"{text.capitalize()}.")
    parser.set_defaults(handler=handler)
    return parser


def list_rows(options: argparse.Namespace) -> int:
    """Print one line per rejected input, and how many there are by reason."""
    from flows.ingest.quarantine import list_quarantine

    everything = list_quarantine(Project.open(options.project))
    rows = [row for row in everything if options.reason in {None, row["reason_code"]}]
    if options.json:
        return _json(rows)
    output.table([(row["source_uri"], f"{row['reason_code']}: {row['rule']} {_in_brackets(row)}") for row in rows])
    counts = Counter(row["reason_code"] for row in rows)
    by_reason = ", ".join(f"{count} {code}" for code, count in counts.most_common())
    output.line(f"{len(rows)} in quarantine: {by_reason}" if rows else "nothing of that is in quarantine")
    return 0


def show(options: argparse.Namespace) -> int:
    """Print every field of a source's rows, and what has been decided about them."""
    from flows.ingest.quarantine import show_quarantine
    from flows.ingest.releases import read_releases

    project = Project.open(options.project)
    rows = show_quarantine(project, options.source)
    if options.json:
        return _json(rows)
    releases = read_releases(project)
    for row in rows:
        output.table([(name, str(value)) for name, value in row.items()])
        for item in releases:
            if (item.sha256, item.rule) == (row["sha256"], row["rule"]):
                output.line(f"  released {item.at} by {item.who}: {item.why}; `llmops ingest` takes it")
    return 0


def release(options: argparse.Namespace) -> int:
    """Record a release; the next run of ingest takes it."""
    from flows.core.clock import utc_now
    from flows.ingest.releases import release as record
    from flows.release.registry import user_name

    project = Project.open(options.project)
    who = options.who or user_name()
    new = record(project, options.source, rule=options.rule, who=who, why=options.why, now=utc_now())
    for item in new:
        output.line(f"released: {item.source_uri} past {item.rule!r}, by {item.who}")
    output.line("Next: `llmops ingest` takes it." if new else "released before; nothing was added")
    return 0


def _in_brackets(row: dict[str, Any]) -> str:
    return f"({row['detail']})" if row["detail"] else ""


def _json(rows: list[dict[str, Any]]) -> int:
    output.line(json.dumps(rows, default=str, ensure_ascii=False, indent=2))
    return 0

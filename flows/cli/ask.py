"""`llmops ask`: one question to the application, with citations that lead back to the documents."""

import argparse
import json
from datetime import UTC, datetime, time
from typing import Any

from flows.cli import output
from flows.core.errors import UsageError
from flows.core.project import Project


def add_to(commands: Any) -> None:
    """Add the command."""
    text = "ask the application a question; the answer cites its documents"
    parser = commands.add_parser("ask", help=text, description=f"{text.capitalize()}.")
    parser.add_argument("question", help="the question, in quotes")
    version = parser.add_mutually_exclusive_group()
    version.add_argument("--as-of", metavar="WHEN", help="read the index as it was at that time, or on that day (UTC)")
    version.add_argument("--index-version", metavar="N", help="read this version of the index, by number or tag")
    parser.add_argument("--access", metavar="LABELS", help="labels the asker holds, by commas (default: rag.access)")
    parser.add_argument("--json", action="store_true", help="print the answer with its whole lineage as JSON")
    parser.set_defaults(handler=handle)


def handle(options: argparse.Namespace) -> int:
    """Answer, cite, and say which release, index version and model it was."""
    from flows.rag.ask import ask

    project = Project.open(options.project)
    access = held_labels(options.access)
    reply = ask(project, options.question, index_version=chosen_version(project, options), access=access)
    if options.json:
        output.line(json.dumps(reply.to_json(), indent=2, ensure_ascii=False))
        return 0
    output.line(reply.answer.text)
    output.line()
    for number, hit in reply.cited():
        place = f"{hit.source_uri}, characters {hit.start}-{hit.end}"
        output.line(f"  [{number}] {hit.heading or hit.title} ({place})")
    output.line(f"  {reply.origin()}")
    return 0


def held_labels(text: str | None) -> tuple[str, ...] | None:
    """Return the labels that `text` names, or None for those of the release.

    Raises:
        UsageError: It names something that is no label.
    """
    from flows.core.access import read_labels

    try:
        return None if text is None else read_labels(text)
    except ValueError as error:
        raise UsageError(f"--access {text!r}: {error}. Write public,finance.") from None


def chosen_version(project: Project, options: argparse.Namespace) -> int | str | None:
    """Return the index version that the options name, or None for the release's own."""
    from flows.index.manifest import version_as_of

    if options.as_of is not None:
        return version_as_of(project, moment(options.as_of)).tag
    version: str | None = options.index_version
    return int(version) if version and version.isdecimal() else version


def moment(text: str) -> datetime:
    """Return the time that `text` names in ISO 8601; a day stands for its end, no zone for UTC.

    Raises:
        UsageError: It names none.
    """
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(f"--as-of {text!r} is no time. Write 2026-10-01 or 2026-10-01T14:30.") from None
    if len(text) <= len("2026-10-01"):
        found = datetime.combine(found, time.max)
    return found if found.tzinfo else found.replace(tzinfo=UTC)

"""`llmops ask`: one question to the application, with citations that lead back to the documents."""

import argparse
import json
from typing import Any

from flows.cli import output
from flows.core.project import Project


def add_to(commands: Any) -> None:
    """Add the command."""
    text = "ask the application a question; the answer cites its documents"
    parser = commands.add_parser("ask", help=text, description=f"{text.capitalize()}.")
    parser.add_argument("question", help="the question, in quotes")
    parser.add_argument("--json", action="store_true", help="print the answer with its whole lineage as JSON")
    parser.set_defaults(handler=handle)


def handle(options: argparse.Namespace) -> int:
    """Answer, cite, and say which release, index version and model it was."""
    from flows.rag.ask import ask

    reply = ask(Project.open(options.project), options.question)
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

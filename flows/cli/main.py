"""`llmops`: the command line. It parses, calls one function, prints, and exits by error class.

Nothing heavy is imported before a command needs it, so `llmops --help` answers at once. A stage
that has more verbs than "run" declares them in its own room, `flows/<stage>/commands.py`.
"""

import argparse
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from flows.cli import ask, compare, cost, doctor, erase, gate, index, init, judge, quarantine, run, stage
from flows.core.errors import UsageError, did_you_mean
from flows.core.main import guarded
from flows.core.project import STAGES
from flows.core.settings import load_env_file, silence_telemetry

COMMANDS = (run, ask, compare, cost, gate, judge, index, quarantine, erase, doctor, init)  # named after modules
_UNKNOWN = re.compile(r"argument (?:COMMAND|VERB): invalid choice: '(.*)' \(choose from (.*)\)$", re.S)
DESCRIPTION = """\
Operate an LLM application as one versioned, scheduled DAG:

  documents -> ingest -> embed -> testset -> evaluate -> release -> monitor -> retrain -> forecast -> report

Start with `llmops run`. It works without a key; a second run does only what changed."""

EPILOG = """\
exit codes: 0 done; 1 refused by a gate, or failed; 2 wrong usage, params or environment; 65 data breaks its
contract; 66 an input is missing; 69 the provider refused; 70 stored bytes are damaged; 74 disk or permission;
75 try again later; 77 over budget; 130 stopped by you.   Every command explains itself: llmops COMMAND --help"""


class Parser(argparse.ArgumentParser):
    """argparse that raises our error with the nearest command instead of listing every choice."""

    def error(self, message: str) -> NoReturn:
        """Raise a `UsageError`, so that one place prints errors and picks the exit code."""
        if found := _UNKNOWN.match(message):
            wrong, offered = found.groups()
            message = f"unknown command {wrong!r}.{did_you_mean(wrong, re.findall(r'[a-z-]+', offered))}"
        raise UsageError(f"{message.rstrip('.?')}{'?' if message.endswith('?') else '.'} Run `{self.prog} --help`.")


def build_parser(chosen: str | None = None) -> argparse.ArgumentParser:
    """Return the parser; the verbs of the stage `chosen` are imported, those of the others are not."""
    parser = Parser(
        prog="llmops", description=DESCRIPTION, epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--project", default=".", metavar="DIR", help="the project's folder (default: here)")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True, parser_class=Parser)
    for command in COMMANDS:
        command.add_to(commands)
    for name in STAGES:
        stage.add_to(commands, name, with_verbs=name == chosen)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; return its exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    silence_telemetry()

    def work() -> int:
        chosen = next((word for word in arguments if word in STAGES), None)
        options = build_parser(chosen).parse_args(arguments)
        load_env_file(Path(options.project) / ".env")
        code: int = options.handler(options)
        return code

    return guarded(work)


if __name__ == "__main__":
    sys.exit(main())

"""Further verbs of `llmops release`: look, promote, roll back, verify."""

import argparse
from typing import Any

from flows.core import versions
from flows.core.project import Project
from flows.release import actions

SHOWN = 20  # decisions printed by `status`


def add_to(verbs: Any) -> None:
    """Add the verbs."""
    _add(verbs, "status", "show the releases with their states, and the last decisions", status)
    promoting = _add(verbs, "promote", "promote evaluate's candidate; needs its passing verdict", promote)
    promoting.add_argument("release_id", metavar="ID", help="the release, or its first 8 digits or more")
    rolling = _add(verbs, "roll-back", "put the previous release back into production", roll_back)
    for parser in (promoting, rolling):
        parser.add_argument("--why", required=True, metavar="TEXT", help="the reason, for the decision log")
    _add(verbs, "verify", "check the decision log, every release and every piece of evidence", verify)


def _add(verbs: Any, name: str, text: str, handler: Any) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = verbs.add_parser(name, help=text, description=f"{text.capitalize()}.")
    parser.set_defaults(handler=handler)
    return parser


def status(options: argparse.Namespace) -> int:
    """Print the releases and decisions."""
    found = actions.status(options.project)
    for row in found.releases:
        note = " (rolled back)" if row.rolled_back else ""
        _say(f"{row.release_id}  {row.state}{note} since {row.since[:19]}Z")
    if not found.releases:
        _say("there is no release yet; `llmops run` makes one")
    if found.code_changed:
        _say("note: this installation's code differs from the code production was judged with; run `llmops evaluate`")
    for item in found.decisions[-SHOWN:]:
        _say(f"{item.seq:>4}  {item.at[:19]}Z  {item.actor}: {item.action} {item.release_id[:12]} ({item.why})")
    return 0


def promote(options: argparse.Namespace) -> int:
    """Promote the candidate and put the new state under DVC."""
    _say(actions.promote(options.project, options.release_id, options.why))
    return _snapshot(options.project)


def roll_back(options: argparse.Namespace) -> int:
    """Roll back and put the new state under DVC."""
    _say(actions.roll_back(options.project, options.why))
    return _snapshot(options.project)


def verify(options: argparse.Namespace) -> int:
    """Say what was checked; the command line turns the error into an exit code."""
    _say(actions.verify(options.project))
    return 0


def _snapshot(project: str) -> int:
    versions.snapshot(project, [Project.open(project).data("release")])
    return 0


def _say(text: str) -> None:
    print(text)  # noqa: T201 - what a command says goes to standard output

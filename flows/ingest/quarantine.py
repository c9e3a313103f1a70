"""Read the quarantine: what was rejected, by which rule, since when. Never its content."""

from pathlib import Path
from typing import Any

from flows.core.contracts import QUARANTINE
from flows.core.errors import InputError, did_you_mean
from flows.core.project import Project
from flows.core.tables import read_table


def list_quarantine(project: Project) -> list[dict[str, Any]]:
    """Return all rejected inputs of the last run as rows, by address.

    Raises:
        InputError: `ingest` has not run yet.
    """
    frame = read_table(_file(project), QUARANTINE, remedy="Run `llmops ingest`")
    return [{str(key): value for key, value in row.items()} for row in frame.to_dict("records")]


def show_quarantine(project: Project, source_uri: str) -> list[dict[str, Any]]:
    """Return the rows of one address; a file's address also shows its rejected rows.

    Raises:
        InputError: Nothing of that address is in quarantine.
    """
    rows = list_quarantine(project)
    found = [row for row in rows if row["source_uri"] == source_uri or row["source_uri"].startswith(f"{source_uri}#")]
    if not found:
        hint = did_you_mean(source_uri, [row["source_uri"] for row in rows])
        raise InputError(f"{source_uri!r} is not in quarantine.{hint} Run `llmops quarantine list` to see what is.")
    return found


def _file(project: Project) -> Path:
    return project.data("ingest", "quarantine.parquet")

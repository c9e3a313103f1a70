"""Keep the proposals that were ever made: one JSON object per line, only ever added to.

The file is replaced in one step, so a killed run leaves the old lines or the old ones and the new.
"""

import json
from pathlib import Path
from typing import Any

from flows.core.errors import IntegrityError
from flows.core.files import write_text
from flows.core.ids import canonical_json

NEEDED = {"proposal_id", "as_of", "triggers", "repair"}


def read_proposals(path: Path) -> list[dict[str, Any]]:
    """Read all proposals, oldest first; an absent file is an empty one.

    Raises:
        IntegrityError: Names the first line that is no proposal; a torn file is never taken for a short one.
    """
    if not path.exists():
        return []
    lines = path.read_bytes().decode(errors="replace").splitlines()
    return [_parse(line, number) for number, line in enumerate(lines, start=1)]


def _parse(line: str, number: int) -> dict[str, Any]:
    try:
        values = json.loads(line)
    except ValueError:
        values = None
    if not isinstance(values, dict) or not values.keys() >= NEEDED:
        raise IntegrityError(
            f"line {number} of 'data/retrain/proposals.jsonl' is no proposal. "
            "Restore the file from its last snapshot with `dvc checkout data/retrain.dvc`."
        )
    return values


def write_proposals(path: Path, proposals: list[dict[str, Any]]) -> None:
    """Replace the file by these proposals."""
    write_text(path, "".join(canonical_json(item) + "\n" for item in proposals))

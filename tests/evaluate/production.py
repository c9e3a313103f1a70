"""What the tests of the stage share: a candidate put into production without the stage `release`."""

import json

from flows.rag.release import manifest_path


def promote(project):
    """Put the candidate into production, as the stage `release` does."""
    candidate = json.loads(project.data("evaluate", "candidate.json").read_text())
    registered = manifest_path(project, candidate["release_id"])
    registered.parent.mkdir(parents=True, exist_ok=True)
    registered.write_text(json.dumps(candidate))
    pointer = {"release_id": candidate["release_id"], "previous": None}
    project.data("release", "current.json").write_text(json.dumps(pointer))

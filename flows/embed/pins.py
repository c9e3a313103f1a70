"""Find the index versions that releases depend on, so that retention never drops one."""

from collections.abc import Iterator
from typing import Any

from flows.core.files import read_json
from flows.core.project import Project


def pinned_tags(project: Project) -> set[str]:
    """Return every `index_tag` that a release or a candidate names.

    Raises:
        IntegrityError: A release file is torn; nothing may be dropped while that is so.
    """
    candidate = project.data("evaluate", "candidate.json")
    files = sorted(project.data("release").glob("**/*.json")) + ([candidate] if candidate.exists() else [])
    remedy = "Restore it with `dvc checkout`, then run `llmops embed`"
    return {tag for path in files for tag in _tags(read_json(path, remedy=remedy))}


def _tags(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("index_tag"), str):
            yield value["index_tag"]
        for item in value.values():
            yield from _tags(item)
    elif isinstance(value, list):
        for item in value:
            yield from _tags(item)

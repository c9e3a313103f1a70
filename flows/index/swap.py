"""Refuse a silent change of the embedding model.

Two models can have the same number of dimensions and be strangers to each other: a search would
work and return nonsense. So the fingerprint decides, not the shape, and a change needs a yes.
"""

from collections.abc import Callable, Mapping
from typing import Any

from flows.core.errors import ParamsError
from flows.core.project import Project
from flows.index.manifest import last_published
from flows.index.schema import fingerprint_id


def changed_fields(project: Project, fingerprint: Mapping[str, Any]) -> list[str]:
    """Return how the live index's fingerprint differs, as `field: old -> new`; [] = it does not.

    Nothing differs before the first publication.
    """
    live = last_published(project)
    if live is None or fingerprint_id(live.fingerprint) == fingerprint_id(fingerprint):
        return []
    names = sorted({*live.fingerprint, *fingerprint})
    pairs = [(name, live.fingerprint.get(name), fingerprint.get(name)) for name in names]
    return [f"{name}: {old!r} -> {new!r}" for name, old, new in pairs if old != new]


def require_same_model(project: Project, fingerprint: Mapping[str, Any], *, plan: Callable[[], str]) -> None:
    """Refuse to go on when the embedding model differs from that of the live index.

    Args:
        project: The project.
        fingerprint: Identity of the vectors that would be written.
        plan: Says what re-embedding would take; asked only where the models differ.

    Raises:
        ParamsError: Says what changed and what re-embedding would take.
    """
    changed = changed_fields(project, fingerprint)
    if changed:
        raise ParamsError(
            f"the embedding model differs from that of the live index: {'; '.join(changed)}. "
            f"Re-embedding takes {plan()}; it goes into a new table beside the live one. "
            "Set embed.on_model_change: re_embed in params.yaml to do it, or go back to the old model."
        )

"""`llmops index`: list the versions of the index, read every byte of them, give disk space back."""

import argparse
from typing import TYPE_CHECKING, Any

from flows.cli import output
from flows.core.access import PUBLIC
from flows.core.errors import IntegrityError
from flows.core.project import Project

if TYPE_CHECKING:
    from flows.index.manifest import IndexManifest


def add_to(commands: Any) -> None:
    """Add the command and its verbs."""
    text = "list the versions of the index, verify every byte of them, or give disk space back"
    parser = commands.add_parser("index", help=text, description=f"{text.capitalize()}.")
    verbs = parser.add_subparsers(title="verbs", metavar="VERB", required=True, parser_class=type(parser))
    _add(verbs, "list", "show the versions that can be opened, newest first", list_versions)
    _add(verbs, "verify", "read every byte of every version and name what is damaged", verify)
    _add(verbs, "compact", "merge the live version's files and drop what no kept version needs", compact)


def _add(verbs: Any, name: str, text: str, handler: Any) -> None:
    verbs.add_parser(name, help=text, description=f"{text.capitalize()}.").set_defaults(handler=handler)


def list_versions(options: argparse.Namespace) -> int:
    """Print one line per version: what it holds, and why it is kept."""
    from flows.embed.pins import pinned_tags
    from flows.index.manifest import kept_manifests, published

    project = Project.open(options.project)
    live, pinned = published(project), pinned_tags(project)
    rows = []
    for item in reversed(kept_manifests(project)):
        notes = [word for word, holds in (("live", item == live), ("pinned", item.tag in pinned)) if holds]
        notes += _labels(item)
        rows.append(
            (
                f"{item.tag}  version {item.version}",
                f"{item.created_at[:19]}Z  {item.rows:,} rows by {item.fingerprint.get('model')}, "
                f"recall@10 {item.recall_at_10:.3f} ({item.index_kind})" + "".join(f", {note}" for note in notes),
            )
        )
    output.table(rows)
    if not rows:
        output.line("there is no index yet; `llmops embed` makes one")
    return 0


def _labels(item: "IndexManifest") -> list[str]:
    """Say how many rows need which labels, where any needs one."""
    return [] if set(item.access) == {PUBLIC} else [f"{access}: {rows:,}" for access, rows in item.access.items()]


def verify(options: argparse.Namespace) -> int:
    """Say how much was read, or name the damage by an error.

    Raises:
        IntegrityError: Files are missing, differ or cannot be read.
    """
    from flows.index.manifest import kept_manifests
    from flows.index.verify import verify_index

    project = Project.open(options.project)
    found = verify_index(project)
    if found:
        lines = "\n".join(f"  {item.tag}: {item.path} {item.reason}" for item in found)
        raise IntegrityError(
            f"{len(found)} file(s) of the index are damaged:\n{lines}\nRun `llmops embed`, which repairs the live "
            "version from the chunks; older versions come back with `dvc checkout data/embed/lancedb`."
        )
    versions = kept_manifests(project)
    files = {name for item in versions for name in item.files}
    output.line(f"{len(versions)} version(s) in {len(files)} file(s): every byte is as it was recorded")
    return 0


def compact(options: argparse.Namespace) -> int:
    """Compact the index and record the result in DVC, where the project uses it."""
    from flows.core import versions
    from flows.embed.compaction import compact

    output.line(compact(options.project).summary)
    versions.record(options.project, "embed")
    return 0

"""`llmops erase`: remove a document from everything the project keeps, and certify it."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flows.cli import output
from flows.core.errors import UsageError
from flows.core.project import Project

if TYPE_CHECKING:
    from flows.cli.erasing.find import Target
    from flows.cli.erasing.plan import Plan


def add_to(commands: Any) -> None:
    """Add the command."""
    text = "remove a document from everything the project keeps; says what it would do until --yes"
    parser = commands.add_parser("erase", help=text, description=f"{text.capitalize()}.")
    parser.add_argument("document", nargs="?", help="its source_uri, its document_id, or the first 8 digits of that")
    parser.add_argument("--yes", action="store_true", help="do it; this cannot be undone")
    parser.add_argument("--prove", action="store_true", help="read every byte afterwards and certify only if clean")
    parser.add_argument("--verify", metavar="FILE", help="check the signature of a certificate instead")
    parser.set_defaults(handler=handle)


def handle(options: argparse.Namespace) -> int:
    """Show the plan, and carry it out when told to."""
    project = Project.open(options.project)
    if options.verify:
        return _verify(Path(options.verify))
    if not options.document:
        raise UsageError("no document is named. Say which: `llmops erase DOCUMENT`, by source_uri or document_id.")
    from flows.cli.erasing.find import find_target
    from flows.cli.erasing.plan import make_plan

    target = find_target(project, options.document)
    plan = make_plan(project, target)
    _show(project, target, plan)
    if not options.yes:
        output.line("\nNothing was removed. Run the same command with --yes to do it; it cannot be undone.")
        return 0
    from flows.cli.erasing.act import carry_out

    path = carry_out(project, target, plan, prove=options.prove)
    proven = "every byte was read again and carries nothing of it" if options.prove else "not proven (--prove)"
    output.line(f"\nDone; {proven}.\nCertificate, signed with ed25519: {path}")
    output.line("Next: `llmops run` makes again what was made from it; commit the result and `dvc push`.")
    return 0


def _verify(path: Path) -> int:
    from flows.cli.erasing.certificate import verify_certificate

    found = verify_certificate(path)
    output.line(f"the signature holds: document {found['document_id']} was erased at {found['erased_at']}")
    return 0


def _show(project: Project, target: "Target", plan: "Plan") -> None:
    output.line(f"document {target.document_id} in {target.address}, {len(target.traces.ids) - 1} chunk(s)")
    source = target.origin.path
    rows: list[tuple[str, str]] = []
    if source is not None and source.exists():
        rows.append(("source", f"{source}" + (f", its row {target.origin.row}" if target.origin.row else "")))
    rows += [(project.relative(path), f"{count} row(s) or value(s)") for path, count in plan.files.items()]
    rows += [(f"index {tag}", f"{count} row(s); written anew") for tag, count in plan.rows.items() if count]
    rows += [("cached answers and vectors", f"{plan.answers} entries")] if plan.answers else []
    rows += [("remembered drafts", f"{plan.drafts} entries")] if plan.drafts else []
    rows += [("objects of DVC", f"{len(objects)} in {path}") for path, objects in plan.objects.items() if objects]
    rows += [(f"release {release[:12]}", "marked as redacted in the decision log") for release in plan.releases]
    output.table(rows)
    for note in plan.left:
        output.line(f"  stays: {note}")

"""Carry an erasure out, prove it, and certify it.

The order makes a kill harmless: what was made from the document goes first, the document itself
last, so running the same command again finds it and finishes. Nothing else may run meanwhile.
"""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from flows.cli.erasing import certificate
from flows.cli.erasing.caches import scrub_answers, scrub_drafts, texts_in
from flows.cli.erasing.find import Target
from flows.cli.erasing.objects import bytes_found, content_found, remove, stores, tainted
from flows.cli.erasing.plan import Plan, call_ids_with, known_md5, scrubbed_files
from flows.cli.erasing.scrub import scrub
from flows.cli.erasing.sources import remove_source
from flows.cli.erasing.traces import Traces
from flows.core import versions
from flows.core.calls import compact
from flows.core.clock import Clock, utc_now
from flows.core.errors import IntegrityError, first_three
from flows.core.ids import sha256
from flows.core.locks import writer_lock
from flows.core.project import STAGES, Project
from flows.embed.params import EmbedParams
from flows.index.erase import Rewritten, erase, holding
from flows.index.manifest import pointer
from flows.release.registry import keep_evidence, open_log, user_name

SNAPSHOTS = ("calls", "release", "monitor", "retrain")


def carry_out(project: Project, target: Target, plan: Plan, *, prove: bool, clock: Clock = utc_now) -> Path:
    """Remove the document everywhere and return the certificate.

    Args:
        project: The project.
        target: What to erase.
        plan: What was found; the releases and what stays are taken from it.
        prove: Read every byte afterwards, and refuse to certify when something is left.
        clock: Source of the recorded times.

    Raises:
        LockedError: A stage runs.
        GateError: An index version without the document misses its recall; the index is unchanged.
        IntegrityError: The proof found something.
    """
    with _everything_locked(project, clock):
        compact(project)
        places, objects, rewritten = _remove(project, target, clock)
        os.sync()  # no power cut may bring back what the certificate says is gone
        proof = _prove(project, target) if prove else None
        path = _certify(project, target, plan, places, objects, rewritten, proof, clock)
    _snapshot(project)
    return path


@contextmanager
def _everything_locked(project: Project, clock: Clock) -> Iterator[None]:
    with ExitStack() as stack:
        for stage in STAGES:
            stack.enter_context(
                writer_lock(project.state("locks", f"{stage}.lock"), what=f"stage {stage!r}", clock=clock)
            )
        yield


def _remove(
    project: Project, target: Target, clock: Clock
) -> tuple[dict[str, int], dict[str, list[str]], list[Rewritten]]:
    traces = target.traces
    counts = {path: scrub(path, traces, write=False) for path in scrubbed_files(project)}
    files = {path: count for path, count in counts.items() if count}
    known, calls = known_md5(target, files), call_ids_with(project, traces)
    paths = [str(target.origin.path)] if target.origin.path else []
    places = {"cached answers and vectors": scrub_answers(project, traces, calls, write=True)}
    places["remembered drafts"] = scrub_drafts(project, traces, paths, write=True)
    with writer_lock(project.state("locks", "calls.lock"), what="the calls log", wait=True, clock=clock):
        places |= {_named(project, path, traces): scrub(path, traces, write=True) for path in files}
    rewritten = _rewrite_index(project, target, clock)
    removed = {str(number): remove(tainted(store, traces, known)) for number, store in enumerate(stores(project)[0])}
    places["source"] = remove_source(target.origin)
    return {name: count for name, count in places.items() if count}, removed, rewritten


def _named(project: Project, path: Path, traces: Traces) -> str:
    """Return a file's name as the certificate may show it."""
    name = project.relative(path)
    return f"sha256:{sha256(name)}" if traces.found_in(name) else name


def _rewrite_index(project: Project, target: Target, clock: Clock) -> list[Rewritten]:
    if not pointer(project).exists() or not target.redacted_tags:
        return []
    return erase(project, {target.document_id}, EmbedParams.load(project).build(), clock=clock)[1]


def _prove(project: Project, target: Target) -> dict[str, int]:
    """Read everything again, columns and packed values included, for what the document said.

    Raises:
        IntegrityError: Names the places where something is left.
    """
    traces = replace(target.traces, ids=frozenset())  # ids are hashes and stay, in the certificate for one
    roots = [project.data(), project.state(), project.root / ".dvc", *stores(project)[0]]
    files = {path for root in roots for path in root.rglob("*") if path.is_file() and not path.is_symlink()}
    known = {project.root / name for name in target.prompts}
    found = [str(path) for path in sorted(files - known) if _carries(path, traces)]
    found += [f"index version {item.tag}" for item in holding(project, {target.document_id}) if item.chunk_ids]
    if found:
        raise IntegrityError(
            f"{len(found)} place(s) still carry something of document {target.document_id!r}: {first_three(found)}. "
            "Run the same command again; remove by hand what it says it cannot reach."
        )
    return {"files": len(files), "bytes": sum(path.stat().st_size for path in files), "found": 0}


def _carries(path: Path, traces: Traces) -> bool:
    if path.suffix == ".sqlite":
        return any(traces.found_in(text) for text in texts_in(path)) or bytes_found(path.read_bytes(), traces)
    return content_found(path, traces)


def _certify(
    project: Project,
    target: Target,
    plan: Plan,
    places: dict[str, int],
    objects: dict[str, list[str]],
    rewritten: list[Rewritten],
    proof: dict[str, int] | None,
    clock: Clock,
) -> Path:
    now = clock()
    body: dict[str, Any] = {
        "format": 1,
        "erased_at": now.isoformat(timespec="seconds"),
        "actor": user_name(),
        "document_id": target.document_id,
        "address_sha256": sha256(target.address),
        "document_versions": list(target.versions),
        "chunks": len(target.traces.ids) - 1,
        "places": places,
        "dvc_objects": objects,
        "index": [{"tag": item.tag, "rows": [item.rows_before, item.rows_after]} for item in rewritten],
        "releases": list(plan.releases),
        "left": list(plan.left),
        "proof": proof,
        "previous_sha256": certificate.previous_sha256(project),
    }
    name = f"{now:%Y%m%dT%H%M%S}-{target.document_id[:12]}"
    path = certificate.write_certificate(project, name, body)
    log = open_log(project, clock)
    why = f"document {target.document_id[:12]} was erased from its index; its old answers cannot be reproduced"
    for release_id in plan.releases:
        log.append("erase", release_id, why=why, evidence=keep_evidence(project, path))
    return path


def _snapshot(project: Project) -> None:
    """Put the cleaned folders that DVC tracks as they are under DVC again."""
    tracked = [project.data(name) for name in SNAPSHOTS if project.data(f"{name}.dvc").exists()]
    versions.snapshot(str(project.root), tracked)

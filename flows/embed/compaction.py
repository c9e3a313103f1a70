"""Give the disk space of the index back between runs: merge its files, drop what nothing needs.

The content, its tag and its time stay, so no release and no evaluation is touched; the version
number and the files change. Files that the merged ones replace stay until the next compaction or
run, because a process may be reading them now.
"""

from dataclasses import asdict
from pathlib import Path

from flows.core.clock import Clock, utc_now
from flows.core.errors import InputError
from flows.core.files import sha256_file, write_json
from flows.core.ids import content_id
from flows.core.locks import writer_lock
from flows.core.project import Project
from flows.core.runs import RunRecord, last_record
from flows.embed.params import EmbedParams
from flows.embed.pins import pinned_tags
from flows.index.manifest import IndexManifest, database, pointer, published
from flows.index.store import open_writer


def compact(project_dir: str = ".", *, clock: Clock = utc_now) -> RunRecord:
    """Compact the live version and return the stage's record, which names the new pointer.

    Raises:
        InputError: Nothing is published, or a killed run left rows that `llmops embed` has to finish.
        LockedError: Another run writes the index.
    """
    project = Project.open(project_dir)
    params = EmbedParams.load(project)
    with writer_lock(project.state("locks", "embed.lock"), what="stage 'embed'", clock=clock):
        live, record = published(project), last_record(project, "embed")
        if live is None or record is None:
            raise InputError("there is no index to compact. Run `llmops embed`.")
        before = _bytes(database(project))
        with open_writer(project, live.fingerprint, clock=clock) as writer:
            manifest = writer.compact(live, params.build(), pinned=pinned_tags(project))
        return _recorded(project, record, manifest, before)


def _recorded(project: Project, record: RunRecord, manifest: IndexManifest, before: int) -> RunRecord:
    file = pointer(project)
    record.outputs[project.relative(file)] = sha256_file(file)
    record.counts["version"] = manifest.version
    record.run_id = content_id(record.run_id, record.outputs)
    write_json(
        project.data("embed", "run.json"), {key: value for key, value in asdict(record).items() if key != "did_work"}
    )
    after = _bytes(database(project))
    record.summary = (
        f"index {manifest.tag} is version {manifest.version} now, {len(manifest.files)} file(s) for "
        f"{manifest.rows:,} rows; the index takes {after:,} bytes, {before:,} before"
    )
    return record


def _bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())

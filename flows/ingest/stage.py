"""Stage `ingest`: from sources to documents, chunks and quarantine, without Prefect.

A run without work is one walk over the sources (`standing.py`) and loads nothing heavy. Otherwise
everything is built aside and moved into `data/ingest` at the end; the record is written last, so a
killed run changes nothing that a reader would believe, and running again finishes the rest.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from flows.core.clock import Clock, utc_now
from flows.core.errors import InputError, IntegrityError
from flows.core.main import run_stage_main
from flows.core.progress import Progress, silent
from flows.core.project import Project
from flows.core.runs import Job, RunRecord
from flows.ingest.memory import Memory
from flows.ingest.params import IngestParams
from flows.ingest.releases import read_releases, release_id
from flows.ingest.shape import shape_id
from flows.ingest.standing import known_sha256, remember, tree_stamp
from flows.ingest.stock import Stock, take_stock
from flows.ingest.tokenkey import token_key

if TYPE_CHECKING:
    from flows.ingest.assemble import Corpus, Recut
    from flows.ingest.carried import Carried
    from flows.ingest.drafts import Prepared


def run(
    project_dir: str = ".",
    *,
    force: bool = False,
    max_usd: float | None = None,
    progress: Progress = silent,
    clock: Clock = utc_now,
) -> RunRecord:
    """Turn the sources into documents and chunks, or do nothing when nothing changed."""
    project = Project.open(project_dir)
    params = IngestParams.load(project)
    stamp = tree_stamp(project, params)
    known = known_sha256(project, stamp)
    if known and not force and (done := _job(project, params, known, clock).unchanged()):
        return done
    with Memory(project.state("ingest", "memory.sqlite")) as memory:
        stock = take_stock(project, params, memory, progress)
        job = job_of(project, params, stock, clock=clock)
        if not force and (done := job.unchanged()):
            _remember(project, stamp, stock)
            return done
        with job.running() as record:
            _work(job, params, stock, memory, record, progress)
    _remember(project, stamp, stock)
    return record


def job_of(project: Project, params: IngestParams, stock: Stock, *, clock: Clock = utc_now) -> Job:
    """Return the stage's job over everything that decides documents and chunks."""
    return _job(project, params, stock.sha256, clock)


def _job(project: Project, params: IngestParams, sources_sha256: str, clock: Clock) -> Job:
    plain = params.model_dump(mode="json", exclude={"parser_processes"})
    shape = shape_id(params, token_key(project, params))
    extra = {"sources_sha256": sources_sha256, "shape": shape, "releases": release_id(read_releases(project))}
    return Job(project, "ingest", params=plain, extra=extra, clock=clock)


def _remember(project: Project, stamp: str | None, stock: Stock) -> None:
    """Remember that the sources stand as they were read; what could not be read is tried again."""
    if not stock.problems:
        remember(project, stamp, stock.sha256)


def _work(job: Job, params: IngestParams, stock: Stock, memory: Memory, record: RunRecord, progress: Progress) -> None:
    from flows.ingest.carried import carry, note
    from flows.ingest.prepare import Task, prepare  # parsers, tables and suites load in a second: only for work
    from flows.ingest.publishing import previous_documents, publish

    project, key = job.project, token_key(job.project, params)
    task = Task(stock, params, key, read_releases(project))
    last = carry(project, task.keys, job.code)
    prepared = prepare(task, memory, progress, last.files)
    rejected = {uri for uri, result in prepared.items() if result.rejections}  # only those may keep a previous version
    corpus = _build(stock, prepared, previous_documents(project, params, rejected, key), params, last)
    paths = publish(project, params, corpus, job.clock())
    job.add_outputs(record, *paths)
    believed = {path.stem: record.outputs[project.relative(path)] for path in paths if path.suffix == ".parquet"}
    whole = {uri: (task.keys[uri], result) for uri, result in corpus.whole.items()}
    note(project, corpus.placed, corpus.n_chunks, whole, believed | {"code": job.code})
    record.counts = {
        **{key: value for key, value in corpus.balance.items() if isinstance(value, int)},
        "chunks": len(corpus.chunks),
    }
    record.summary = _summary(record.counts)


def run_summary(project_dir: str, *, force: bool = False, max_usd: float | None = None) -> str:
    """Run the stage and return its one-line summary."""
    return run(project_dir, force=force, max_usd=max_usd).summary


def _build(
    stock: Stock,
    prepared: "Mapping[str, Prepared]",
    previous: "Mapping[str, Recut]",
    params: IngestParams,
    last: "Carried",
) -> "Corpus":
    from flows.ingest.assemble import assemble

    corpus = assemble(stock.found, prepared, stock.hashes, previous, params, last)
    balance = corpus.balance
    accounted = sum(balance[name] for name in ("documents", "quarantined", "duplicates", "ignored"))
    if balance["inputs"] != accounted:
        raise IntegrityError(
            f"'ingest' lost count: {balance['inputs']} inputs, {accounted} accounted for. "
            "Nothing was published. This is a defect: report it with data/ingest/balance.json of the last good run."
        )
    if not len(corpus.documents):
        raise InputError(
            f"no document came out of {balance['inputs']} input(s): quarantined {balance['quarantined_by_reason']}, "
            f"ignored {balance['ignored_by_reason']}. Put readable documents into the sources; nothing was published."
        )
    return corpus


def _summary(counts: dict[str, int]) -> str:
    kept, repeated = counts["previous_versions_kept"], counts["duplicate_texts"]
    return (
        f"{counts['inputs']:,} inputs: {counts['documents']:,} documents in {counts['chunks']:,} chunks, "
        f"{counts['quarantined']:,} quarantined, {counts['duplicates']:,} duplicates, {counts['ignored']:,} ignored"
        + (f", {kept:,} kept in their previous version" if kept else "")
        + (f", {repeated:,} with a text that another document has" if repeated else "")
    )


def main() -> None:
    """Run from the command line: `python -m flows.ingest.stage [--project DIR] [--force]`."""
    run_stage_main(run)


if __name__ == "__main__":
    main()

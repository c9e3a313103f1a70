"""Estimate of `testset`: what the generator would be asked, by building the test set without it."""

from collections.abc import Collection

from flows.core.clock import Clock, utc_now
from flows.core.project import Project
from flows.provider.estimate import IDLE, Estimate
from flows.provider.rehearsal import Rehearsal
from flows.testset.build import build
from flows.testset.llm import Proposer
from flows.testset.params import TestsetParams
from flows.testset.stage import documents_of, job_of, stored_questions

UNKNOWN = "testset: ingest has work first, so its documents are not known. Run `llmops ingest`, which asks no model."


def estimate(
    project_dir: str = ".", *, force: bool = False, before: Collection[str] = (), clock: Clock = utc_now
) -> Estimate:
    """Return what the stage would ask: nothing, unless `testset.generator` is `llm`.

    Args:
        project_dir: The project's folder.
        force: As for the stage.
        before: Earlier stages that have work to do first.
        clock: The moment whose prices hold.
    """
    project = Project.open(project_dir)
    params = TestsetParams.load(project)
    if "ingest" in before:
        return Estimate() if params.generator == "offline" else Estimate(known=False, notes=(UNKNOWN,))
    if not force and job_of(project, clock=clock).unchanged():
        return IDLE
    if params.generator == "offline":
        return Estimate()
    rehearsal = Rehearsal(project, clock=clock)
    build(documents_of(project), stored_questions(project), params, propose=Proposer(rehearsal.provider, params).drafts)
    return rehearsal.estimate()

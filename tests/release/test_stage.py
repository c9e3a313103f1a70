"""The stage: a release gets into production by its own passing verdict and by nothing else."""

import json

import pytest

from flows.core.errors import GateError, InputError, IntegrityError, LockedError
from flows.core.files import write_json
from flows.core.locks import writer_lock
from flows.index.manifest import manifest_file, pointer
from flows.rag.release import manifest_path, production_release
from flows.release import stage
from flows.release.decisions import read_decisions
from flows.release.registry import lock_path, pointer_path


def actions(project):
    return [item.action for item in read_decisions(project)]


def test_a_passing_candidate_is_registered_and_promoted(project, evaluation, release):
    release_id = evaluation.says(1)
    record = release()
    assert production_release(project).release_id == release_id
    assert actions(project) == ["register", "promote"]
    assert record.counts == {"decisions": 2, "promoted": 1}
    assert record.summary == f"release {release_id[:12]} is in production"


@pytest.mark.parametrize("verdict", ["fail", "inconclusive", "invalid"])
def test_any_other_verdict_leaves_production_as_it_is(project, promoted, evaluation, release, verdict):
    [production] = promoted(1)
    refused = evaluation.says(2, verdict, baseline=production)
    record = release()
    assert production_release(project).release_id == production
    assert actions(project)[-2:] == ["register", "refuse"]
    assert read_decisions(project)[-1].why == f"the verdict is {verdict!r}"
    assert record.summary.startswith(f"release {refused[:12]} not promoted")
    assert record.notes == [f"not promoted: the verdict is {verdict!r}"]


def test_nothing_is_in_production_after_a_first_candidate_that_fails(project, evaluation, release):
    evaluation.says(1, "fail")
    release()
    assert production_release(project) is None
    assert not pointer_path(project).exists()


def test_a_verdict_about_another_release_promotes_nothing(project, evaluation, release):
    evaluation.says(1, about="f" * 32)
    release()
    assert production_release(project) is None
    assert "is about release" in read_decisions(project)[-1].why


def test_a_verdict_against_another_baseline_promotes_nothing(project, promoted, evaluation, release):
    first, second = promoted(1, 2)
    evaluation.says(3, baseline=first)
    release()
    assert production_release(project).release_id == second
    evaluation.says(4, baseline=None)
    release()
    assert production_release(project).release_id == second
    assert "was judged against" in read_decisions(project)[-1].why


def test_the_pointer_names_the_previous_release_and_never_itself(project, promoted, evaluation, release):
    first, second = promoted(1, 2)
    evaluation.says(2, baseline=second)
    release(force=True)
    values = json.loads(pointer_path(project).read_text())
    assert (values["release_id"], values["previous"]) == (second, first)


def test_running_again_decides_nothing_twice(project, promoted, release):
    promoted(1)
    before = read_decisions(project)
    assert not release().did_work
    assert release(force=True).did_work
    assert read_decisions(project) == before


def test_a_refusal_is_recorded_once(project, evaluation, release):
    evaluation.says(1, "fail")
    release()
    release(force=True)
    assert actions(project) == ["register", "refuse"]


def test_a_killed_run_is_finished_by_the_next(project, promoted, evaluation, release):
    """The log is written before the pointer; a kill in between leaves the old pointer."""
    first, second = promoted(1, 2)
    old = {"release_id": first, "previous": None, "promoted_at": "x", "decision": read_decisions(project)[1].hash}
    write_json(pointer_path(project), old)
    release()
    assert production_release(project).release_id == second
    pointer_path(project).unlink()
    release()
    assert production_release(project).release_id == second
    assert len(read_decisions(project)) == 4


def test_an_altered_candidate_stops_the_stage(project, evaluation, release):
    evaluation.says(1)
    path = stage.candidate_path(project)
    path.write_text(path.read_text().replace('"seed": 1', '"seed": 7'))
    with pytest.raises(IntegrityError, match="model_params"):
        release()
    assert not project.data("release", "run.json").exists()
    assert read_decisions(project) == []


@pytest.mark.parametrize(
    "content", ["", "{}", "[]", '{"release_id": "a", "baseline_release_id": null, "verdict": "PASS"}']
)
def test_a_broken_verdict_stops_the_stage(project, evaluation, release, content):
    evaluation.says(1)
    stage.verdict_path(project).write_text(content)
    with pytest.raises(IntegrityError, match="llmops evaluate"):
        release()


def test_an_unwise_prompt_is_noted(project, evaluation, release):
    path = project.data("prompts", "answer.md")
    path.write_text(path.read_text().replace("<question>{{ question }}</question>", "{{ question }}"))
    evaluation.says(1)
    assert "has no tags" in release().notes[0]


def test_without_an_evaluation_the_error_names_what_to_run(project, release):
    with pytest.raises(InputError, match="--stages evaluate,release"):
        release()


def test_a_registered_release_is_written_once(project, promoted, evaluation, release):
    [production] = promoted(1)
    path = manifest_path(project, production)
    path.write_text(path.read_text().replace('"seed": 1', '"seed": 7'))
    with pytest.raises(IntegrityError, match="was altered"):
        release(force=True)


def test_a_release_whose_index_is_gone_is_not_promoted(project, evaluation, release):
    evaluation.says(1)
    pointer(project).unlink()
    manifest_file(project, evaluation.index.tag).unlink()
    with pytest.raises(InputError, match="llmops embed"):
        release()
    assert production_release(project) is None


def test_the_verdict_is_kept_as_evidence(project, promoted, evaluation):
    promoted(1)
    decision = read_decisions(project)[-1]
    digest = decision.evidence["data/evaluate/verdict.json"]
    kept = project.data("release", "evidence", f"{digest}.json").read_bytes()
    assert kept == stage.verdict_path(project).read_bytes()


@pytest.mark.parametrize(
    ("key", "verdict"), [("on_inconclusive", "inconclusive"), ("on_fail", "fail"), ("on_fail", "invalid")]
)
def test_block_ends_the_run_after_recording_the_refusal(project, evaluation, release, key, verdict):
    project.params_file.write_text(f"release: {{{key}: block}}\n")
    evaluation.says(1, verdict)
    for _ in range(2):
        with pytest.raises(GateError, match=f"'{verdict}'"):
            release()
    assert actions(project) == ["register", "refuse"]
    assert project.data("release", "run.json").exists()


def test_one_writer_at_a_time(project, evaluation, release):
    evaluation.says(1)
    with writer_lock(lock_path(project), what="a test"), pytest.raises(LockedError):
        release()

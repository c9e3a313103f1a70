"""What a person does: look, promote, roll back, verify."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from flows.core.errors import GateError, InputError, IntegrityError, LockedError, UsageError
from flows.core.files import write_json
from flows.index.manifest import manifest_file, pointer
from flows.rag.release import manifest_path, production_release
from flows.release import actions
from flows.release.decisions import decisions_path, read_decisions
from flows.release.registry import pointer_path


def test_roll_back_returns_to_the_previous_release_in_one_act(project, promoted, clock):
    first, second = promoted(1, 2)
    said = actions.roll_back(project.root, "errors doubled", actor="ada", clock=clock)
    assert production_release(project).release_id == first
    assert said == f"release {first[:12]} is in production again, {second[:12]} is retired"
    last = read_decisions(project)[-1]
    assert (last.actor, last.action, last.release_id, last.why) == ("ada", "roll_back", first, "errors doubled")


def test_a_second_roll_back_goes_further_back_and_never_forward(project, promoted, clock):
    first, _, _ = promoted(1, 2, 3)
    actions.roll_back(project.root, "worse", clock=clock)
    actions.roll_back(project.root, "worse still", clock=clock)
    assert production_release(project).release_id == first
    with pytest.raises(InputError, match="no release to roll back to"):
        actions.roll_back(project.root, "once more", clock=clock)


def test_a_scheduled_run_does_not_undo_a_roll_back(project, promoted, release, clock):
    first, _ = promoted(1, 2)
    actions.roll_back(project.root, "worse", clock=clock)
    assert not release().did_work
    assert release(force=True).notes[0].startswith("not promoted: it was rolled back by decision 5")
    assert production_release(project).release_id == first


def test_a_person_may_bring_a_rolled_back_release_back_through_its_verdict(project, promoted, clock):
    first, second = promoted(1, 2)
    actions.roll_back(project.root, "worse", clock=clock)
    assert actions.promote(project.root, second, "it was the network", clock=clock)
    state = actions.status(project.root)
    assert (state.production, state.previous) == (second, first)
    assert read_decisions(project)[-1].why == "it was the network"


@pytest.mark.parametrize("verdict", ["fail", "inconclusive", "invalid"])
def test_nobody_can_promote_without_a_pass(project, evaluation, clock, verdict):
    release_id = evaluation.says(1, verdict)
    with pytest.raises(GateError, match=f"the verdict is '{verdict}'"):
        actions.promote(project.root, release_id, "I want to", clock=clock)
    assert production_release(project) is None
    assert read_decisions(project)[-1].action == "refuse"


def test_only_the_judged_candidate_can_be_promoted(project, promoted, clock):
    first, second = promoted(1, 2)
    for wrong in (first, "", second[:4], "f" * 32):
        with pytest.raises(GateError, match="is not the candidate"):
            actions.promote(project.root, wrong, "why not", clock=clock)


@pytest.mark.parametrize("why", ["", "  "])
def test_a_decision_needs_a_reason(project, promoted, why):
    promoted(1, 2)
    with pytest.raises(UsageError, match="--why"):
        actions.roll_back(project.root, why)
    with pytest.raises(UsageError, match="--why"):
        actions.promote(project.root, "x", why)


def test_roll_back_needs_the_index_of_the_release_it_returns_to(project, promoted, evaluation, clock):
    _, second = promoted(1, 2)
    pointer(project).unlink()
    manifest_file(project, evaluation.index.tag).unlink()
    with pytest.raises(InputError, match="llmops embed"):
        actions.roll_back(project.root, "worse", clock=clock)
    assert production_release(project).release_id == second


def test_roll_back_refuses_an_altered_release(project, promoted, clock):
    first, second = promoted(1, 2)
    path = manifest_path(project, first)
    path.write_text(path.read_text().replace('"seed": 1', '"seed": 9'))
    with pytest.raises(IntegrityError, match="model_params"):
        actions.roll_back(project.root, "worse", clock=clock)
    assert production_release(project).release_id == second


def test_of_many_at_once_each_change_is_whole_and_the_others_are_told_to_wait(project, promoted, now):
    ids = promoted(*range(1, 6))

    def roll_back(_):
        try:
            return actions.roll_back(project.root, "race", clock=lambda: now)
        except LockedError:
            return None

    with ThreadPoolExecutor(8) as pool:
        done = [said for said in pool.map(roll_back, range(4)) if said]
    assert actions.verify(project.root)
    assert [item.action for item in read_decisions(project)].count("roll_back") == len(done) >= 1
    assert production_release(project).release_id == ids[-1 - len(done)]


def test_states_follow_from_the_decisions(project, promoted, evaluation, release, clock):
    first, second = promoted(1, 2)
    third = evaluation.says(3, "fail", baseline=second)
    release()
    states = {row.release_id: row.state for row in actions.status(project.root).releases}
    assert states == {first: "retired", second: "production", third: "candidate"}
    actions.roll_back(project.root, "worse", clock=clock)
    found = {row.release_id: row for row in actions.status(project.root).releases}
    assert (found[first].state, found[second].state) == ("production", "retired")
    assert [release_id for release_id, row in found.items() if row.rolled_back] == [second]


def test_an_empty_project_has_a_status_and_verifies(project):
    assert actions.status(project.root).production is None
    assert actions.verify(project.root) == "0 decision(s) and 0 release(s) are as they were recorded"


def test_an_intact_registry_verifies(project, promoted):
    promoted(1, 2)
    assert actions.verify(project.root) == "4 decision(s) and 2 release(s) are as they were recorded"


def test_verify_names_everything_that_was_altered(project, promoted):
    first, _ = promoted(1, 2)
    manifest_path(project, first).unlink()
    evidence = sorted(project.data("release", "evidence").iterdir())
    evidence[0].write_text("{}")
    values = {"release_id": first, "decision": read_decisions(project)[-1].hash}
    write_json(pointer_path(project), values)
    with pytest.raises(IntegrityError) as caught:
        actions.verify(project.root)
    for named in ("3 problem(s)", first, evidence[0].name, "current.json"):
        assert named in str(caught.value)


def test_a_log_whose_end_was_cut_off_is_found_by_the_pointer(project, promoted, evaluation, release):
    _, second = promoted(1, 2)
    path = decisions_path(project)
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))
    with pytest.raises(IntegrityError, match="its end was removed"):
        actions.verify(project.root)
    evaluation.says(3, baseline=second)
    with pytest.raises(IntegrityError, match="its end was removed"):
        release()


def test_a_removed_log_is_found_by_the_pointer(project, promoted):
    promoted(1)
    decisions_path(project).unlink()
    with pytest.raises(IntegrityError, match="0 line"):
        actions.verify(project.root)

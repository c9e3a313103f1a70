"""The stage on files: what it writes, that it does nothing twice, and how it fails."""

from datetime import date

import pandas as pd
import pytest

from flows.core.calls import write_calls
from flows.core.errors import ContractError, IntegrityError, ParamsError
from flows.core.files import read_json, write_json
from flows.monitor.simulator import Traffic, simulate
from flows.monitor.stage import run as monitor_run
from flows.retrain.stage import run
from flows.retrain.stored import Judged, Verdict
from flows.stats.effects import Effect
from flows.stats.gate import MetricVerdict
from tests.retrain.worlds import alarm, change, manifest, monitor, verdict


@pytest.fixture
def retrain(project, now):
    def retrain(**options):
        return run(str(project.root), clock=lambda: now, **options)

    return retrain


@pytest.fixture
def watched(project):
    """Write what monitor would."""

    def watched(*alarms, **options):
        found = monitor(*alarms, **options).model_dump(mode="json")
        write_json(project.data("monitor", "alarms.json"), found)
        frame = pd.DataFrame({"ds": pd.date_range("2026-10-01", periods=20), "channel": "cost_usd", "answers": 200})
        frame.to_parquet(project.data("monitor", "channels.parquet"))

    return watched


@pytest.fixture
def promoted(project):
    """Write what release would, for one release or for two."""

    def promoted(current, previous=None):
        for item in filter(None, (current, previous)):
            write_json(project.data("release", "releases", f"{item.release_id}.json"), item.to_json())
        pointer = {"release_id": current.release_id, "previous": previous.release_id if previous else None}
        write_json(project.data("release", "current.json"), pointer)

    return promoted


def state(project):
    return read_json(project.data("retrain", "proposal.json"), remedy="")


def proposals(project):
    return project.data("retrain", "proposals.jsonl").read_text().splitlines()


def test_an_empty_project_is_no_failure_and_nothing_is_fine(project, retrain):
    assert retrain().summary == "no trigger; 10 of 10 signals not measured"
    assert len(state(project)["not_measured"]) == 10
    assert proposals(project) == []


def test_it_proposes_once_and_then_has_nothing_to_do(project, retrain, watched):
    watched(alarm("output_tokens"), alarm("cost_usd", before=0.01, after=0.05), changes=[change()])

    first, again, forced = retrain(), retrain(), retrain(force=True)

    assert first.summary == (
        "2 triggers: provider_change (2026-10-10), cost_rise (2026-10-20); proposed: change_prompt "
        "(cost $60, worth $1,266 in 28 days, not sufficient), dry run; 4 of 10 signals not measured"
    )
    assert first.did_work
    assert not again.did_work
    assert forced.summary.split("; ")[1] == "proposed already: change_prompt of 2026-10-31"
    assert len(proposals(project)) == 1
    assert state(project)["state"] == "known"
    assert [item["repair"] for item in state(project)["standing"]] == ["change_prompt"]


def test_the_proposal_says_what_every_repair_would_cost_and_restore(project, retrain, watched):
    watched(alarm("output_tokens"), changes=[change()])
    retrain()

    found = state(project)

    assert {item["repair"] for item in found["repairs"]} == {
        "re_embed", "refresh_few_shots", "change_prompt", "fine_tune", "roll_back", "none",
    }  # fmt: skip
    assert found["points_lost"]["provider_change"]["source"] == "assumed"
    assert found["proposals"][0]["commands"][-1] == "llmops run --stages evaluate,release"
    assert found["proposals"][0]["evidence"][0]["evidence"][0]["file"] == "data/monitor/alarms.json"


def test_a_later_alarm_adds_a_line_and_keeps_the_first(project, retrain, watched):
    watched(changes=[change()])
    retrain()
    kept = proposals(project)
    watched(alarm("error_share", before=0.01, after=0.2), changes=[change()], as_of=date(2026, 11, 1))
    retrain()

    assert state(project)["state"] == "none"  # nothing in the table restores availability without a way back
    assert proposals(project) == kept


def test_two_occasions_make_two_lines(project, retrain, watched):
    watched(changes=[change()])
    retrain()
    kept = proposals(project)
    watched(alarm("input_tokens", day=date(2026, 11, 1)), changes=[change()], as_of=date(2026, 11, 2))
    retrain()

    assert len(proposals(project)) == 2
    assert proposals(project)[:1] == kept


def test_it_rolls_back_to_a_release_that_pins_another_model(retrain, watched, promoted, project):
    promoted(manifest(), manifest(chat_model="m-2"))
    watched(alarm("output_tokens"), changes=[change("m-1")])

    assert "proposed: roll_back (cost $0" in retrain().summary
    assert state(project)["proposals"][0]["commands"] == ['llmops release roll-back --why "provider_change"']


def test_an_altered_previous_release_is_no_way_back(retrain, watched, promoted, project):
    promoted(manifest(), manifest(chat_model="m-2"))
    project.data("release", "releases", f"{manifest(chat_model='m-2').release_id}.json").write_text("{}")
    watched(alarm("output_tokens"), changes=[change("m-1")])

    assert "change_prompt" in retrain().summary


def test_it_reads_evaluations_and_the_test_set(retrain, promoted, project):
    promoted(manifest())
    failed = verdict(manifest(), correctness="fail", effect=-0.07).model_dump(mode="json")
    write_json(project.data("evaluate", "verdict.json"), failed)
    write_json(project.data("evaluate", "metrics.json"), {"retrieval_recall": 0.9})
    project.data("testset").mkdir(parents=True)
    pd.DataFrame({"stale": [True, False, True]}).to_parquet(project.data("testset", "questions.parquet"))

    assert retrain().summary.startswith("2 triggers: quality_drop, stale_index; proposed: change_prompt")
    assert state(project)["points_lost"]["quality_drop"]["points"] == pytest.approx(7)


def test_it_reads_the_gates_own_words():
    judged = MetricVerdict(Effect(9, 9, 0, 9, effect=-0.07), "fail").to_json()
    read = Verdict.model_validate({"release_id": "r", "verdict": "fail", "metrics": {"correctness": judged}})

    assert read.metrics["correctness"] == Judged(verdict="fail", effect=-0.07)


@pytest.mark.slow
def test_it_finds_what_monitor_found_in_a_simulated_log(project, retrain, now):
    write_calls(project, simulate(Traffic(date(2026, 8, 1), 60, seed=5, provider_change_day=45)), part="simulated")
    monitor_run(str(project.root), clock=lambda: now)

    assert "provider_change (2026-09-15)" in retrain().summary
    assert "proposed: change_prompt" in retrain().summary


def test_an_input_that_changes_is_looked_at_again(retrain, watched):
    watched()
    assert retrain().summary == "no trigger; 4 of 10 signals not measured"
    watched(changes=[change()])

    assert retrain().did_work


@pytest.mark.parametrize("text", ["{", "[]", '{"as_of": "yesterday"}'])
def test_a_broken_input_is_named(retrain, project, text):
    project.data("monitor").mkdir(parents=True)
    project.data("monitor", "alarms.json").write_text(text)

    with pytest.raises((IntegrityError, ContractError), match=r"alarms\.json.*llmops monitor"):
        retrain()


def test_a_torn_line_of_the_proposals_is_never_taken_for_none(project, retrain, watched):
    watched(changes=[change()])
    retrain()
    file = project.data("retrain", "proposals.jsonl")
    file.write_text(file.read_text()[:50])

    with pytest.raises(IntegrityError, match=r"line 1 of 'data/retrain/proposals.jsonl'"):
        retrain()


def test_a_wrong_key_of_params_is_named(project, retrain):
    project.params_file.write_text("retrain: {cooldown: 3}\n")

    with pytest.raises(ParamsError, match=r"retrain\.cooldown: this key does not exist"):
        retrain()

"""The policy over time: once per trigger, at rest after each proposal, by the data's own days."""

from datetime import date, timedelta

from flows.retrain.params import RetrainParams
from flows.retrain.policy import decide
from flows.retrain.stored import Index


def behind(make, chunks, as_of):
    return make.stored(index=Index(chunks * 64, "0" * 64), monitor=make.monitor(as_of=as_of))


def test_the_same_trigger_proposes_once_however_many_nights_pass(make, params):
    first = decide(behind(make, "a", make.as_of), [], params)

    for nights in (0, 1, 7, 100):
        later = decide(behind(make, "a", make.as_of + timedelta(days=nights)), first.new, params)
        assert later.state == "known"
        assert later.new == []


def test_a_new_occasion_of_the_same_cause_waits_until_the_cool_down_is_over(make, params):
    first = decide(behind(make, "a", make.as_of), [], params)

    resting = decide(behind(make, "b", make.as_of + timedelta(days=6)), first.new, params)
    rested = decide(behind(make, "b", make.as_of + timedelta(days=7)), first.new, params)

    assert (resting.state, resting.new) == ("cooling_down", [])
    assert rested.state == "proposed"
    assert rested.new[0]["proposal_id"] != first.new[0]["proposal_id"]


def test_another_cause_does_not_wait(make, params):
    first = decide(behind(make, "a", make.as_of), [], params)
    both = make.stored(
        index=Index("a" * 64, "0" * 64), monitor=make.monitor(make.alarm("cost_usd", before=0.01, after=0.05))
    )

    second = decide(both, first.new, params)

    assert second.state == "proposed"
    assert [trigger["cause"] for trigger in second.new[0]["triggers"]] == ["cost_rise"]
    assert second.new[0]["points_lost"].keys() == {"cost_rise"}
    assert second.standing == first.new


def test_without_a_day_a_cause_rests_after_its_proposal(make, params):
    def world(chunks):
        return make.stored(index=Index(chunks * 64, "0" * 64), monitor=None, evaluated_on=None)

    first = decide(world("a"), [], params)

    assert first.new[0]["as_of"] is None
    assert decide(world("b"), first.new, params).state == "cooling_down"
    assert decide(world("b"), first.new, RetrainParams(cooldown_days=0)).state == "proposed"


def test_a_log_that_ends_earlier_than_the_last_proposal_rearms_nothing(make, params):
    first = decide(behind(make, "a", make.as_of), [], params)

    assert decide(behind(make, "b", date(2026, 1, 1)), first.new, params).state == "cooling_down"


def test_a_trigger_that_was_not_worth_a_repair_is_weighed_again(make, params):
    world = behind(make, "a", make.as_of)

    assert decide(world, [], RetrainParams(value_usd_per_point_day=0.01)).state == "none"
    assert decide(world, [], params).state == "proposed"


def test_a_quiet_day_proposes_nothing(make, params):
    decision = decide(make.stored(), [], params)

    assert (decision.state, decision.triggers, decision.options, decision.new) == ("none", [], [], [])


def test_a_cause_that_the_best_repair_does_not_touch_gets_a_proposal_of_its_own(make, params):
    world = make.stored(
        monitor=make.monitor(make.alarm("output_tokens"), changes=[make.change()]), index=Index("a" * 64, "0" * 64)
    )
    decision = decide(world, [], params)

    assert [item["repair"] for item in decision.new] == ["change_prompt", "re_embed"]
    assert [[trigger["cause"] for trigger in item["triggers"]] for item in decision.new] == [
        ["provider_change"], ["stale_index"],
    ]  # fmt: skip
    assert {trigger.state for trigger in decision.triggers} == {"proposed"}


def test_a_cause_without_a_worthwhile_repair_stays_open_beside_one_that_has_one(make, params):
    world = make.stored(monitor=make.monitor(make.alarm("error_share"), changes=[make.change()]))
    states = {trigger.finding.cause: trigger.state for trigger in decide(world, [], params).triggers}

    assert states == {"provider_change": "proposed", "availability": "none"}

"""Signals: what fires, what does not, and what was not measured."""

from datetime import date

import pytest

from flows.monitor.channels import CHANNELS
from flows.retrain.params import RetrainParams
from flows.retrain.signals import WATCHED, by_name, signals
from flows.retrain.stored import Index, Production, Stored


def seen(stored, **params):
    return by_name(signals(stored, RetrainParams(**params)))


def test_on_a_quiet_day_everything_is_measured_and_nothing_fires(make):
    assert {signal.fired for signal in seen(make.stored()).values()} == {False}


def test_with_nothing_stored_nothing_is_measured_and_nothing_is_fine():
    assert {signal.fired for signal in seen(Stored()).values()} == {None}


def test_the_channels_watched_are_those_that_monitor_writes():
    written = {(channel.points_to, channel.name) for channel in CHANNELS}

    assert written == {(points_to, name) for points_to, names, _ in WATCHED.values() for name in names}


@pytest.mark.parametrize(
    ("missing", "names"),
    [
        ("monitor", {"provider_changed", *WATCHED}),
        ("verdict", {"quality_low"}),
        ("index", {"index_behind"}),
        ("stale_share", {"questions_stale"}),
    ],
)
def test_a_missing_input_is_not_measured(make, missing, names):
    found = seen(make.stored(**{missing: None}))

    assert {name for name, signal in found.items() if signal.fired is None} == names


def test_a_log_without_traffic_measures_nothing(make):
    found = seen(make.stored(monitor=make.monitor(as_of=None)))

    assert found["provider_changed"].fired is None
    assert found["cost_rise"].fired is None


def test_a_channel_that_still_learns_is_not_measured(make):
    found = seen(make.stored(monitor=make.monitor(learning=["refusal_share"])))

    assert found["output_drift"].fired is None
    assert found["input_drift"].fired is False


def test_an_alarm_fires_even_though_its_channel_learns_anew(make):
    found = seen(make.stored(monitor=make.monitor(make.alarm("output_tokens"), learning=["output_tokens"])))

    assert found["output_drift"].fired
    assert found["output_drift"].since == date(2026, 10, 20)
    assert found["output_drift"].strength == pytest.approx(0.3)
    assert found["output_drift"].evidence[0].key == "alarms[0]"


def test_a_fall_of_cost_asks_for_nothing(make):
    found = seen(make.stored(monitor=make.monitor(make.alarm("cost_usd", direction="fall"))))

    assert found["cost_rise"].fired is False


def test_the_last_alarm_of_a_channel_counts(make):
    rise = make.alarm("cost_usd", day=date(2026, 10, 10))
    fall = make.alarm("cost_usd", day=date(2026, 10, 20), direction="fall")

    assert seen(make.stored(monitor=make.monitor(rise, fall)))["cost_rise"].fired is False


def test_an_old_alarm_is_history(make):
    old = make.monitor(make.alarm("cost_usd", day=date(2026, 8, 1)), changes=[make.change(day=date(2026, 8, 1))])

    assert seen(make.stored(monitor=old))["cost_rise"].fired is False
    assert seen(make.stored(monitor=old))["provider_changed"].fired is False
    assert seen(make.stored(monitor=old), recent_days=100)["cost_rise"].fired


def test_an_episode_becomes_history_as_a_whole(make):
    alarms = make.alarm("output_tokens", day=date(2026, 10, 2)), make.alarm("refusal_share", day=date(2026, 10, 14))

    def on(day):
        return seen(make.stored(monitor=make.monitor(*alarms, changes=[make.change(day=date(2026, 10, 1))], as_of=day)))

    for day in (date(2026, 10, 14), date(2026, 10, 31), date(2026, 11, 10)):
        assert on(day)["output_drift"].window == "2026-10-02"
        assert on(day)["provider_changed"].window == "2026-10-01"
    assert on(date(2026, 11, 11))["output_drift"].fired is False
    assert on(date(2026, 11, 11))["provider_changed"].fired is False


def test_alarms_far_apart_are_occasions_of_their_own(make):
    alarms = make.alarm("output_tokens", day=date(2026, 9, 1)), make.alarm("refusal_share", day=date(2026, 10, 14))

    assert seen(make.stored(monitor=make.monitor(*alarms)))["output_drift"].window == "2026-10-14"


def test_a_second_provider_change_is_an_occasion_of_its_own(make):
    changes = [make.change(day=date(2026, 10, 20)), make.change("m-2", day=date(2026, 10, 25))]

    assert seen(make.stored(monitor=make.monitor(changes=changes)))["provider_changed"].window == "2026-10-25"


def test_retrieval_below_its_guardrail_fires_with_its_shortfall(make):
    signal = seen(make.stored(verdict=make.verdict(make.manifest(), recall="fail")))["retrieval_low"]

    assert signal.fired
    assert signal.strength == pytest.approx(0.1)
    assert signal.window.startswith("release:")


def test_an_inconclusive_guardrail_is_not_fine(make):
    found = seen(make.stored(verdict=make.verdict(make.manifest(), recall="inconclusive")))

    assert found["retrieval_low"].fired is None


def test_without_a_guardrail_the_minimum_of_params_counts(make):
    bare = make.verdict(make.manifest()).model_copy(update={"guardrails": {}})
    stored = make.stored(verdict=bare, metrics={"retrieval_recall": 0.55})

    assert seen(stored)["retrieval_low"].fired
    assert seen(stored, retrieval_min=0.5)["retrieval_low"].fired is False


def test_an_index_made_of_other_chunks_is_behind(make):
    signal = seen(make.stored(index=Index("b" * 64, "a" * 64)))["index_behind"]

    assert signal.fired
    assert signal.window == "chunks:bbbbbbbbbbbb"


def test_a_failed_answer_metric_of_production_fires(make):
    signal = seen(make.stored(verdict=make.verdict(make.manifest(), correctness="fail", effect=-0.07)))["quality_low"]

    assert signal.fired
    assert signal.strength == pytest.approx(0.07)
    assert signal.evidence[0].key == "metrics.correctness"


def test_a_refused_candidate_leaves_production_not_measured(make):
    refused = make.verdict(make.manifest(seed=9), correctness="fail", effect=-0.07)

    assert seen(make.stored(verdict=refused))["quality_low"].fired is None


def test_a_failed_candidate_counts_when_nothing_is_in_production(make):
    failed = make.verdict(make.manifest(seed=9), correctness="fail", effect=-0.07)

    assert seen(make.stored(verdict=failed, production=None))["quality_low"].fired


def test_an_inconclusive_metric_is_not_fine(make):
    unclear = make.verdict(make.manifest(), correctness="inconclusive", effect=-0.01)

    assert seen(make.stored(verdict=unclear))["quality_low"].fired is None


def test_many_stale_questions_fire(make):
    assert seen(make.stored(stale_share=0.3))["questions_stale"].fired


def test_the_previous_release_plays_no_part_in_signals(make):
    with_previous = make.stored(production=Production(make.manifest(), make.manifest(seed=1)))

    assert seen(with_previous) == seen(make.stored())

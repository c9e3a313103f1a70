"""The rule table by examples: these signals, that cause; and how much each cause takes away."""

from datetime import date

import pytest

from flows.retrain.diagnosis import ANSWER_CAUSES, RULES, diagnose
from flows.retrain.losses import losses
from flows.retrain.params import RetrainParams
from flows.retrain.signals import signals
from flows.retrain.stored import Index, Stored


def causes(stored, params=None):
    params = params or RetrainParams()
    return {finding.cause: finding.weight for finding in diagnose(signals(stored, params), params)}


def lost(stored, cause, **options):
    params = RetrainParams(**options)
    found = signals(stored, params)
    return losses(diagnose(found, params), found, stored, params)[cause]


def test_a_quiet_day_has_no_cause(make):
    assert causes(make.stored()) == {}


def test_nothing_measured_is_no_cause():
    assert causes(Stored()) == {}


def test_another_snapshot_and_other_answers_with_stable_retrieval_is_a_provider_change(make):
    changed = make.monitor(make.alarm("output_tokens"), changes=[make.change()])

    assert causes(make.stored(monitor=changed)) == {"provider_change": 1.0}


def test_another_snapshot_alone_is_a_likely_provider_change(make):
    assert causes(make.stored(monitor=make.monitor(changes=[make.change()]))) == {"provider_change": 0.6}


def test_other_answers_to_the_same_questions_are_a_possible_provider_change(make):
    assert causes(make.stored(monitor=make.monitor(make.alarm("output_tokens")))) == {"provider_change": 0.3}


def test_other_answers_to_other_questions_are_input_drift(make):
    both = make.monitor(make.alarm("output_tokens"), make.alarm("input_tokens"))

    assert causes(make.stored(monitor=both)) == {"input_drift": 0.3}


def test_low_retrieval_is_a_stale_index_and_not_a_provider_change(make):
    stored = make.stored(
        monitor=make.monitor(make.alarm("output_tokens")), verdict=make.verdict(make.manifest(), recall="fail")
    )

    assert causes(stored) == {"stale_index": 1.0}


def test_an_index_behind_the_chunks_is_stale(make):
    assert causes(make.stored(index=Index("b" * 64, "a" * 64))) == {"stale_index": 1.0}


def test_stale_questions_alone_are_weak_evidence(make):
    assert causes(make.stored(stale_share=0.5)) == {"stale_index": 0.3}


def test_worse_answers_with_clean_retrieval_and_provider_are_a_quality_drop(make):
    stored = make.stored(verdict=make.verdict(make.manifest(), correctness="fail", effect=-0.07))

    assert causes(stored) == {"quality_drop": 1.0}


def test_worse_answers_after_a_provider_change_are_mostly_its_doing(make):
    stored = make.stored(
        monitor=make.monitor(make.alarm("output_tokens"), changes=[make.change()]),
        verdict=make.verdict(make.manifest(), correctness="fail", effect=-0.07),
    )

    found = causes(stored)

    assert found["provider_change"] > 3 * found["quality_drop"]
    assert sum(found.values()) == pytest.approx(1)


def test_dearer_answers_alone_are_a_cost_rise(make):
    assert causes(make.stored(monitor=make.monitor(make.alarm("cost_usd")))) == {"cost_rise": 1.0}
    assert causes(make.stored(monitor=make.monitor(make.alarm("latency_ms")))) == {"cost_rise": 1.0}


def test_failing_calls_are_a_matter_of_availability(make):
    assert causes(make.stored(monitor=make.monitor(make.alarm("error_share")))) == {"availability": 1.0}


def test_two_independent_causes_are_both_found_and_losses_of_their_own_keep_their_weight(make):
    both = make.monitor(make.alarm("output_tokens"), make.alarm("cost_usd"), changes=[make.change()])

    assert causes(make.stored(monitor=both)) == {"provider_change": 1.0, "cost_rise": 1.0}


def test_the_causes_of_a_lost_answer_share_one_loss(make):
    stored = make.stored(monitor=make.monitor(changes=[make.change()]), index=Index("b" * 64, "a" * 64))

    found = causes(stored)

    assert found["stale_index"] > found["provider_change"]
    assert sum(found[cause] for cause in ANSWER_CAUSES if cause in found) == pytest.approx(1)


def test_the_occasion_is_the_day_of_the_first_named_signal(make):
    params = RetrainParams()
    changed = make.monitor(make.alarm("output_tokens"), changes=[make.change(day=date(2026, 10, 12))])
    finding = diagnose(signals(make.stored(monitor=changed), params), params)[0]

    assert finding.window == finding.since == "2026-10-12"


def test_every_rule_reads_signals_that_exist(make):
    names = {signal.name for signal in signals(Stored(), RetrainParams())}

    assert {name for rule in RULES for name in (*rule.needs, *rule.unless)} <= names


def test_a_loss_is_measured_where_the_gate_measured_it(make):
    loss = lost(make.stored(verdict=make.verdict(make.manifest(), correctness="fail", effect=-0.07)), "quality_drop")

    assert loss.points == pytest.approx(7)
    assert loss.source == "measured"
    assert "verdict.json" in loss.basis


def test_a_loss_is_assumed_where_nothing_measured_it_and_says_so(make):
    stored = make.stored(monitor=make.monitor(changes=[make.change()]))
    loss = lost(stored, "provider_change", points_assumed={"provider_change": 4})

    assert (loss.points, loss.source) == (4, "assumed")
    assert loss.basis == "retrain.points_assumed.provider_change"


def test_dearer_answers_are_counted_in_money(make):
    dearer = make.monitor(make.alarm("cost_usd", before=0.01, after=0.03))

    assert lost(make.stored(monitor=dearer), "cost_rise").points == pytest.approx(0.02 * 300 / 10)
    assert lost(make.stored(monitor=dearer, answers_per_day=None), "cost_rise").source == "assumed"


def test_a_failed_call_loses_every_point(make):
    failing = make.monitor(make.alarm("error_share", before=0.01, after=0.06))

    assert lost(make.stored(monitor=failing), "availability").points == pytest.approx(5)

"""What would decide an inconclusive metric: the promised chances are kept when the data are bought."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.evaluate.evidence import (
    GROWTH,
    Known,
    Terms,
    best,
    components,
    later_looks,
    more_questions,
    more_repeats,
    options,
    predict,
)
from flows.evaluate.gateplan import dollars, offer, plan, sentence
from flows.stats.effects import Effect, MetricSpec, paired_effect
from flows.stats.planning import Design
from flows.stats.scores import Scores
from flows.stats.sequential import look_levels

SHARE = MetricSpec(kind="bounded", low=0.0, high=1.0, margin=0.05)


def known(center=-0.02, se=0.03, *, questions=200, within=0.4, samples=1.0):
    effect = Effect(questions, 50, 0, questions, center=center, effect=center, se=se, df=51)
    return Known(effect, SHARE, within, samples, 4.0)


def test_a_clear_case_is_predicted_clearly():
    assert predict(known(0.2), 0.01, 100, level=0.05).passing > 0.999
    assert predict(known(-0.3), 0.01, 100, level=0.05).failing > 0.999


@given(st.floats(-0.2, 0.2), st.floats(0.005, 0.1), st.floats(0.05, 1.0))
def test_chances_are_chances(center, se, share):
    chance = predict(known(center, se), se * share, 50, level=0.05)

    assert 0 <= chance.passing <= 1
    assert 0 <= chance.failing <= 1
    assert chance.deciding <= 1 + 1e-12


@given(st.floats(-0.1, 0.1))
def test_more_questions_decide_more_often(center):
    found = [more_questions({"m": known(center)}, growth, Terms()).deciding for growth in (1.5, 3.0, 16.0)]

    assert found[0] <= found[2] + 0.02


def test_calls_and_money_of_new_questions_include_their_baseline():
    option = more_questions({"m": known()}, 1.5, Terms(usd_per_call=0.01))

    assert (option.more, option.calls, option.cost_usd) == (100, 500, pytest.approx(5.0))


def test_repeats_shrink_only_the_candidates_own_noise():
    steady, flaky = known(within=0.01), known(within=0.42)

    assert more_repeats({"m": steady}, 3, Terms()) is None
    assert more_repeats({"m": flaky}, 3, Terms()).calls == 600
    assert more_repeats({"m": known(within=None)}, 3, Terms()) is None


def test_the_cheapest_option_that_suffices_is_chosen_and_the_money_is_kept():
    terms = Terms(usd_per_call=0.01)
    found = options({"m": known()}, terms)
    enough = [option for option in found if option.deciding >= terms.power]

    assert best(found, terms).calls == min(option.calls for option in enough)
    assert best(found, Terms(usd_per_call=0.01, max_usd=6.0)).cost_usd <= 6.0
    assert best(found, Terms(usd_per_call=0.01, max_usd=0.1)) is None


def test_without_a_price_nothing_fits_a_budget():
    assert best(options({"m": known()}, Terms()), Terms(max_usd=100.0)) is None


def test_several_metrics_must_all_decide():
    alone = more_questions({"a": known()}, 4.0, Terms()).deciding
    both = more_questions({"a": known(), "b": known()}, 4.0, Terms()).deciding

    assert both == pytest.approx(max(0.0, 2 * alone - 1))


def test_the_next_look_is_stricter_than_a_fresh_one():
    option = more_questions({"m": known()}, 2.0, Terms())

    assert option.level == look_levels((0.5, 1.0), 0.05)[-1] < 0.05


def test_later_looks_of_a_planned_run_get_surer():
    looks = later_looks({"m": known(-0.05, 0.04)}, 1, Terms(usd_per_call=0.01))
    chances = [look.deciding for look in looks]

    assert chances == sorted(chances)
    assert [look.calls for look in looks] == [200, 400, 600]  # the baseline's answers are there already
    assert [look.level for look in looks] == list(look_levels()[1:])


def test_nothing_undecided_needs_nothing():
    assert options({}, Terms()) == later_looks({}, 1, Terms()) == []
    assert "nothing to buy" in offer({}, Terms()).sentence()


def test_the_offer_in_words():
    found = offer({"m": known()}, Terms(usd_per_call=0.01))

    assert len(found.options) >= len(GROWTH)
    assert "with a chance of" in found.sentence()
    assert "as today's look was not planned" in found.sentence()
    assert "Nothing that helps can be had for $0.01" in offer({"m": known()}, Terms(max_usd=0.01)).sentence()


def test_the_offer_of_a_planned_look_is_the_looks_that_follow():
    found = offer({"m": known(-0.05, 0.04)}, Terms(), look=1)

    assert len(found.options) == 3
    assert found.sentence().startswith("Going on to look ")
    assert "at most 5.0% of claims" in found.sentence()
    assert len(offer({"m": known()}, Terms(), look=4).options) > 3


def test_the_components_of_repeats_by_hand():
    question, sample = np.repeat(["a", "b"], 2), [0, 1, 0, 1]
    before = Scores(question, question, sample, [0.0, 1.0, 1.0, 1.0])
    after = Scores(["a", "b"], ["a", "b"], [0, 0], [1.0, np.nan])

    assert components(before, after) == (pytest.approx(0.5), 1.0, 2.0)
    assert components(after, after)[0] is None


def test_the_sentence_of_a_plan():
    said = sentence(Design(200, 50, 0.3), margin=0.05, alpha=0.05, power=0.8, baseline_samples=4, usd_per_call=0.002)

    assert said == (
        "200 questions from 50 documents, 4 baseline samples: detects a drop of 7.8 points with 80% power, passes an "
        "unchanged release 71% of the time at margin 5 points; one night costs 200 calls = $0.40, the baseline once "
        "800 calls = $1.60."
    )


def test_a_set_that_finds_nothing_says_so():
    assert "detects no drop that surely" in sentence(
        Design(4, 2, 0.3), margin=0.05, alpha=0.05, power=0.8, baseline_samples=4, usd_per_call=None
    )
    assert plan(Design(4, 2, 0.3), margin=0.05, alpha=0.05, power=0.8)["detectable_drop_worst_case"] is None


def test_small_amounts_keep_their_digits():
    assert (dollars(1234.5), dollars(0.00042)) == ("$1,234.50", "$0.00042")


def ask(rng, chance, samples, start=0):
    """Answers of questions from documents of two questions each."""
    n = len(chance)
    right = (rng.random((n, samples)) < chance[:, None]).astype(float).reshape(-1)
    ids = np.arange(start, start + n)
    question, document = np.char.mod("q%d", ids), np.char.mod("d%d", ids // 2)
    return Scores(question.repeat(samples), document.repeat(samples), np.tile(np.arange(samples), n), right)


def joined(*parts):
    names = ("question_id", "document_id", "sample", "score")
    return Scores(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


@pytest.mark.slow
def test_bought_evidence_decides_as_often_as_promised():
    """Worlds whose true effect varies; those left inconclusive get twice the questions."""
    rng, promised, kept = np.random.default_rng(5), [], []
    for _ in range(700):
        chance = rng.choice([0.02, 0.5, 0.98], 400, p=[0.2, 0.3, 0.5])
        after = np.clip(chance - rng.normal(0, 0.06), 0, 1)
        first = slice(0, 200)
        base, cand = ask(rng, chance[first], 4), ask(rng, after[first], 1)
        effect = paired_effect(base, cand, SHARE, alpha=0.05)
        if effect.lower > -SHARE.margin or effect.upper < 0:
            continue
        option = more_questions({"m": Known(effect, SHARE, *components(base, cand))}, 2.0, Terms())
        more = slice(200, 400)
        base = joined(base, ask(rng, chance[more], 4, 200))
        cand = joined(cand, ask(rng, after[more], 1, 200))
        final = paired_effect(base, cand, SHARE, alpha=option.level)
        promised.append(option.deciding)
        kept.append(final.lower > -SHARE.margin or final.upper < 0)

    assert len(kept) > 100
    assert np.mean(promised) == pytest.approx(np.mean(kept), abs=0.08)


@pytest.mark.slow
def test_bought_repeats_shrink_the_error_as_foreseen():
    rng, ratios = np.random.default_rng(6), []
    for _ in range(100):
        chance = rng.choice([0.02, 0.5, 0.98], 200, p=[0.1, 0.6, 0.3])
        base, cand = ask(rng, chance, 4), ask(rng, chance, 4)
        one = Scores(*(getattr(cand, name)[::4] for name in ("question_id", "document_id", "sample", "score")))
        now, later = (paired_effect(base, side, SHARE, alpha=0.05) for side in (one, cand))
        within, ours, theirs = components(base, one)
        option = more_repeats({"m": Known(now, SHARE, within, ours, theirs)}, 3, Terms())
        ratios.append(np.sqrt(option.share_now) * now.se / later.se)

    assert np.mean(ratios) == pytest.approx(1.0, abs=0.05)

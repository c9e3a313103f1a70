"""Buying evidence: what is bought, when it stops, and that false verdicts stay as rare as stated."""

import math
from dataclasses import replace

import numpy as np
import pytest

from benchmarks.evidence_rates import shares, simulate
from flows.core.errors import BudgetError
from flows.evaluate.buying import Desk, Found, record_json, sentences, smoke_look, usable_share, walk
from flows.evaluate.evidence import Known
from flows.evaluate.looks import Look, Samples, alpha_total, levels, stages
from flows.evaluate.params import EvaluateParams
from flows.stats.effects import Effect, MetricSpec

PARAMS = EvaluateParams(gated_metrics=("correctness",), guardrails={})
SHARE = MetricSpec(kind="bounded", low=0.0, high=1.0, margin=0.05)


def looks(buying="planned", *, early=False, params=PARAMS, questions=200):
    planned = stages(params, Samples(1, 4), early=early)
    ids = [f"{i:04d}" for i in range(questions)]
    return [
        Look(n, len(planned), level, ids[: round(s.share * questions)], s.candidate_samples, s.baseline_samples,
             s.share, s.extra)
        for n, (s, level) in enumerate(zip(planned, levels(planned, params, buying), strict=False), start=1)
    ]  # fmt: skip


def undecided(se=0.03, within=0.45, center=-0.01):
    effect = Effect(200, 50, 0, 200, center=center, effect=center, se=se, df=51)
    return {"correctness": Known(effect, SHARE, within, 1.0, 4.0)}


def desk(verdicts, *, money=math.inf, price=1.0, missing=100, known=None):
    """A desk that says these verdicts in order and remembers what was asked."""
    said, asked = iter(verdicts), []
    found = Found("inconclusive", known if known is not None else undecided())
    made = Desk(
        ask=asked.append,
        judge=lambda _look: replace(found, verdict=next(said)),
        missing=lambda _look: (missing, price),
        money_usd=lambda: money,
    )
    return made, asked


def taken(verdicts, **options):
    made, asked = desk(verdicts, **options)
    return walk(looks(), made, alpha=0.05, chance_min=0.1), asked


# -- when it goes on and when it stops ---------------------------------------------------------------


def test_a_clear_verdict_buys_nothing():
    walked, asked = taken(["pass"])

    assert (len(asked), walked.stopped, len(walked.left)) == (1, "clear", 2)
    assert "Look 1 of 3 was clear, which saves 600 answers" in sentences(walked, 0.01)[0]


def test_an_open_verdict_buys_until_it_is_clear_and_says_what_that_cost():
    walked, asked = taken(["inconclusive", "pass"])

    assert [look.candidate_samples for look in asked] == [1, 2]
    said = " ".join(sentences(walked, 0.01))
    assert "inconclusive at first; 200 more answers for $2.00 (2 instead of 1 answers to each) decided it" in said
    record = record_json(walked, "planned", 0.05, 0.01)
    assert (record["answers_bought"], record["cost_of_certainty_usd"], record["answers_saved"]) == (200, 2.0, 400)


def test_everything_bought_in_vain_is_said_too():
    walked, asked = taken(["inconclusive"] * 3)

    assert (len(asked), walked.stopped) == (3, "end")
    assert "did not decide it" in sentences(walked, None)[0]


@pytest.mark.parametrize(
    ("options", "stopped"),
    [({"money": None}, "not_bought"), ({"money": 0.5}, "money"), ({"price": None}, "no_price"),
     ({"known": {}}, "no_chance"), ({"known": undecided(se=0.2, within=0.01)}, "no_chance")],
)  # fmt: skip
def test_nothing_is_bought_without_money_price_or_chance(options, stopped):
    walked, asked = taken(["inconclusive"], **options)

    assert (len(asked), walked.stopped) == (1, stopped)
    assert "It ended at look 1 of 3" in sentences(walked, 0.01)[-1]


def test_what_is_broken_is_not_bought_again():
    assert taken(["invalid"])[0].stopped == "invalid"


def test_looks_that_are_answered_already_are_taken_without_money():
    """The same data must give the same verdict, whether money is offered this time or not."""
    walked, asked = taken(["inconclusive", "pass"], money=None, missing=0)

    assert (len(asked), walked.stopped) == (2, "clear")


def test_money_that_ends_in_a_look_leaves_the_one_before():
    def ask(look):
        if look.extra:
            raise BudgetError("spent")

    made, _ = desk(["inconclusive"])
    walked = walk(looks(), replace(made, ask=ask), alpha=0.05, chance_min=0.1)
    assert (walked.last.number, walked.stopped) == (1, "money")

    def broke(_look):
        raise BudgetError("spent")

    with pytest.raises(BudgetError):
        walk(looks(), replace(made, ask=broke), alpha=0.05, chance_min=0.1)


# -- smoke questions ---------------------------------------------------------------------------------


def answer(error=None, *, valid=True, retrieved='[{"chunk_id": "c"}]'):
    return {"error": error, "format_valid": valid, "retrieved": retrieved}


def test_smoke_questions_are_part_of_the_first_look():
    first = looks()[0]
    smoke = smoke_look(first, None, PARAMS)

    assert len(smoke.question_ids) == PARAMS.smoke_questions
    assert set(smoke.question_ids) < set(first.question_ids)
    assert smoke_look(first, None, PARAMS.model_copy(update={"smoke_questions": 0})).question_ids == []


def test_what_cannot_be_used_is_counted_and_an_outage_is_not():
    rows = [answer(), answer("truncated"), answer(valid=False), answer(retrieved="[]"), answer("unavailable")]

    assert usable_share(rows) == 0.25
    assert usable_share([answer("unavailable")]) is None


# -- error rates -------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("buying", ["planned", "afterwards"])
def test_false_verdicts_stay_as_rare_as_stated_and_buying_decides_more(buying):
    """Unchanged releases must not fail, releases at the margin must not pass, more often than alpha says."""
    alpha, runs = alpha_total(PARAMS, buying), 700
    error = 2.6 * math.sqrt(alpha * (1 - alpha) / runs)  # 99 % of Monte Carlo runs
    same, worse = (simulate(buying, drop, runs, seed) for seed, drop in ((1, 0.0), (2, 0.05)))

    assert shares(same, -1).get("fail", 0.0) <= alpha + error
    assert shares(worse, -1).get("pass", 0.0) <= alpha + error
    assert shares(same, -1)["pass"] > shares(same, 0)["pass"] + 0.1  # what the money is for
    assert np.mean([walked.last.answers / same[0].taken[0].look.answers for walked in same]) < 3  # of 4: it stops early

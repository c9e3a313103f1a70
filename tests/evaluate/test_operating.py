"""The operating curve on one's own rows: reproducible, ordered, and honest about the noise it saw."""

import numpy as np
import pytest

from flows.core.errors import ContractError
from flows.evaluate.gatetext import curves_table, simulation_notes
from flows.evaluate.operating import MULTIPLES, Worlds, simulate
from flows.stats.effects import MetricSpec
from flows.stats.gate import GatePolicy
from flows.stats.planning import Design, pass_power
from flows.stats.scores import Scores

SHARE = MetricSpec(kind="bounded", low=0.0, high=1.0, margin=0.05)
SECONDS = MetricSpec(kind="unbounded", higher_is_better=False, margin=0.5)
DOLLARS = MetricSpec(kind="ratio", higher_is_better=False, margin=0.0953)
POLICY = GatePolicy()


def drawn(seed=0, documents=50, per_document=4, samples=5):
    """A baseline: three questions of four are answered alike every time, the rest flicker."""
    rng = np.random.default_rng(seed)
    n = documents * per_document
    level = np.repeat(rng.normal(3, 1, documents), per_document) + rng.normal(0, 4, n)
    right = rng.random((n, samples)) < 1 / (1 + np.exp(-level))[:, None]
    names = np.repeat(np.char.mod("q%d", np.arange(n)), samples)
    places = np.repeat(np.char.mod("d%d", np.arange(n) // per_document), samples)
    return Scores(names, places, np.tile(np.arange(samples), n), right.reshape(-1).astype(float))


def positive(scores, scale=1.0):
    """The same rows with costs or seconds instead."""
    rng = np.random.default_rng(1)
    return Scores(
        scores.question_id, scores.document_id, scores.sample, scale * rng.lognormal(0, 0.1, len(scores.score))
    )


def test_the_same_seed_gives_the_same_curve_and_the_chances_add_up():
    how = Worlds(runs=12)
    first, second = (simulate({"m": drawn()}, {"m": SHARE}, POLICY, how) for _ in range(2))

    assert first == second
    assert all(sum(point.chances.values()) == pytest.approx(1) for point in first.metrics["m"])
    assert [point.drop for point in first.metrics["m"]] == [m * SHARE.margin for m in MULTIPLES]


@pytest.mark.parametrize(("spec", "build"), [(SECONDS, positive), (DOLLARS, positive)])
def test_a_loss_of_two_margins_fails_in_every_kind_of_metric(spec, build):
    curve = simulate({"m": build(drawn())}, {"m": spec}, POLICY, Worlds(runs=12)).metrics["m"]

    assert curve[0].chances["pass"] == 1
    assert curve[3].chances["fail"] == 1
    assert all(error > 0 for error in curve[3].errors.values())


@pytest.mark.parametrize(("spec", "margin"), [(DOLLARS, 0.0953), (SECONDS, 0.5)])
def test_the_true_loss_is_the_one_asked_for_on_average(spec, margin):
    from flows.evaluate.operating import _table, _worsen

    rows = _table("m", positive(drawn()))
    score, rng = rows.table[:, 0], np.random.default_rng(2)
    worse = [
        _worsen(score, spec, margin, rng.random(50).repeat(4), rng.random(200), rows, Worlds()) for _ in range(300)
    ]
    lost = np.log(np.mean(worse) / score.mean()) if spec.kind == "ratio" else np.mean(worse) - score.mean()

    assert lost == pytest.approx(margin, rel=0.05)


def test_a_loss_that_does_not_fit_into_the_share_of_documents_spreads():
    """40 % of the documents hold 30 points here; a loss of 60 needs more of them."""
    spec = MetricSpec(kind="bounded", low=0.0, high=1.0, margin=0.3)
    curve = simulate({"m": drawn()}, {"m": spec}, POLICY, Worlds(runs=12)).metrics["m"]

    assert curve[3].drop == 0.6
    assert curve[3].chances["fail"] == 1


def test_one_sample_per_question_is_said_to_hide_the_noise():
    found = simulate({"m": drawn(samples=1)}, {"m": SHARE}, POLICY, Worlds(runs=4))

    assert "one sample per question shows no noise" in simulation_notes(found)[0]
    assert simulation_notes(simulate({"m": drawn()}, {"m": SHARE}, POLICY, Worlds(runs=4))) == []


def test_the_table_has_a_line_per_loss_and_one_for_the_release():
    how = Worlds(runs=4)
    lines = curves_table(simulate({"m": drawn()}, {"m": SHARE}, POLICY, how), {"m": SHARE}, how)

    assert len(lines) == 2 + 1 + len(MULTIPLES) + 1
    assert "4 simulated worlds" in lines[0]


def test_a_metric_without_scores_cannot_be_simulated():
    with pytest.raises(ContractError, match="no scores for metric 'other'"):
        simulate({"m": drawn()}, {"other": SHARE}, POLICY, Worlds(runs=1))


@pytest.mark.slow
def test_the_curve_agrees_with_the_planner_and_the_margin_is_rarely_passed():
    """Five samples: one plays the candidate, four stay the baseline; averaged over sixteen test sets."""
    passes, at_margin, planned = [], [], []
    for seed in range(16):
        scores = drawn(seed)
        curve = simulate({"m": scores}, {"m": SHARE}, POLICY, Worlds(75, seed)).metrics["m"]
        passes.append(curve[0].chances["pass"])
        at_margin.append(curve[2].chances["pass"])
        by_question = scores.score.reshape(-1, 5)
        sd = np.sqrt(by_question.var(axis=1, ddof=1).mean() * (1 + 1 / 4))
        planned.append(pass_power(Design(200, 50, float(sd)), SHARE.margin))

    assert np.mean(passes) == pytest.approx(np.mean(planned), abs=0.05)
    assert np.mean(at_margin) < 0.08

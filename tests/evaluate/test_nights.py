"""Nights against the frozen baseline: a drop accumulates evidence, silence and luck do not."""

import numpy as np
import pytest

from flows.core.errors import ContractError, ParamsError
from flows.evaluate.gateconfig import GateConfig
from flows.evaluate.gatefile import ScoreFile
from flows.evaluate.nights import alarmed, follow_nights
from flows.stats.ecusum import AlarmPolicy, nights
from flows.stats.effects import paired_effect

CONFIG = GateConfig.parse(
    {"metrics": {"m": {"kind": "bounded", "low": 0, "high": 1, "margin": 0.05}}}, where="gate.yaml"
)
DOCUMENTS = 40


def series(drops, *, metric="m", baseline=True, missing=()):
    """A file whose night i has lost drops[i] of its right answers."""
    rng, rows = np.random.default_rng(3), []
    for night, drop in enumerate([0.0, *drops], start=-1):
        for q in range(4 * DOCUMENTS):
            right = (rng.random(4 if night < 0 else 1) < (0.0 if q % 20 < 20 * drop else 0.98)).astype(float)
            score = np.full(len(right), np.nan) if night in missing else right
            rows += [(f"q{q}", f"d{q // 4}", s, metric, value, night) for s, value in enumerate(score)]
    rows = [row for row in rows if baseline or row[-1] >= 0]
    question, document, sample, name, score, night = (np.array(column) for column in zip(*rows, strict=True))
    return ScoreFile("nights.csv", question, document, sample, name, score, night, {})


def test_a_lasting_drop_alarms_and_a_calm_series_does_not():
    calm, _ = follow_nights(series([0.0] * 8), CONFIG, AlarmPolicy())
    worse, _ = follow_nights(series([0.0] * 4 + [0.3] * 4), CONFIG, AlarmPolicy())

    assert not any(night["alarm"] for night in calm[0].to_json())
    assert next(night["night"] for night in worse[0].to_json() if night["alarm"]) in (5, 6)


def test_the_numbers_are_those_of_the_detector():
    file = series([0.0, 0.1, 0.1])
    found, _ = follow_nights(file, CONFIG, AlarmPolicy())
    spec = CONFIG.specs([])["m"]
    effects = [paired_effect(file.scores("m", -1), file.scores("m", n), spec, alpha=0.05) for n in range(3)]
    expected = nights(effects, drop=spec.margin, metrics=1, policy=AlarmPolicy())

    assert [row["log_e_cusum"] for row in found[0].to_json()] == [night.log_e_cusum for night in expected]
    assert list(found[0].to_json()[0]) == ["night", "center", "se", "log_e_cusum", "alarm"]


def test_only_the_newest_night_is_reported_as_alarmed():
    found, _ = follow_nights(series([0.3, 0.3, 0.0]), CONFIG, AlarmPolicy())

    assert [night["alarm"] for night in found[0].to_json()] == [False, True, False]
    assert alarmed(found) == []


def test_a_night_without_rows_counts_nothing_and_is_named():
    file = series([0.0, 0.0, 0.0])
    kept = file.night != 1
    other = ScoreFile("n", *(np.append(column[kept], extra) for column, extra in zip(
        (file.question_id, file.document_id, file.sample, file.metric, file.score, file.night),
        ("q0", "d0", 0, "else", 1.0, 1), strict=True)), {})  # fmt: skip
    found, notes = follow_nights(other, CONFIG, AlarmPolicy())

    assert found[0].to_json()[1]["center"] is None
    assert any("night(s) 1 have no scores" in note for note in notes)


def test_too_few_documents_are_said():
    file = series([0.0])
    file.document_id[:] = np.where(file.document_id < "d3", "d1", "d2")

    assert "2 documents are too few" in follow_nights(file, CONFIG, AlarmPolicy())[1][0]


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        (series([0.0], baseline=False), "has no night -1"),
        (series([]), "has the baseline and no night"),
        (series([0.0], metric="n"), "metric 'm' has no score on night -1"),
        (series([0.0], missing=(-1,)), "metric 'm' has no score on night -1"),
    ],
)
def test_a_series_that_cannot_be_followed_is_named(file, expected):
    with pytest.raises(ContractError, match=expected):
        follow_nights(file, CONFIG, AlarmPolicy())


def test_a_margin_of_zero_notices_nothing_and_is_refused():
    config = GateConfig.parse({"metrics": {"m": {"kind": "bounded", "low": 0, "high": 1, "margin": 0}}}, where="g")

    with pytest.raises(ParamsError, match="is 0"):
        follow_nights(series([0.0]), config, AlarmPolicy())

"""Two files judged: the gate's own numbers, and a note for everything the verdict cannot show."""

import numpy as np
import pytest

from flows.core.errors import ContractError
from flows.evaluate.forest import forest
from flows.evaluate.gatecheck import compare, lost_questions
from flows.evaluate.gateconfig import GateConfig
from flows.evaluate.gatefile import ScoreFile
from flows.evaluate.gatetext import paragraph, size, table, tolerated, worst_table
from flows.stats.effects import MetricSpec
from flows.stats.gate import gate

SHARE = {"kind": "bounded", "low": 0, "high": 1, "margin": 0.05}
SECONDS = {"kind": "unbounded", "higher_is_better": False, "margin": 0.5}
DOLLARS = {"kind": "ratio", "higher_is_better": False, "margin": 0.09531}


def scores(name, *, questions=80, per_document=4, samples=1, texts=None, **metrics):
    """A file in which metric = list of scores per question (or one score for all)."""
    rows = [
        (f"q{q}", f"d{q // per_document}", s, metric, float(np.broadcast_to(values, questions)[q]))
        for metric, values in metrics.items()
        for q in range(questions)
        for s in range(samples)
    ]
    question, document, sample, metric, score = (np.array(column) for column in zip(*rows, strict=True))
    return ScoreFile(name, question, document, sample, metric, score, np.zeros(len(rows), int), texts or {})


def config(**metrics):
    return GateConfig.parse({"metrics": metrics}, where="gate.yaml") if metrics else GateConfig()


ALTERNATING = np.tile([1.0, 0.0], 40)
GOOD = scores("a.csv", m=ALTERNATING)


def test_the_verdict_is_that_of_our_own_gate():
    before, after = GOOD, scores("b.csv", m=np.roll(ALTERNATING, 1))
    found = compare(before, after, config(m=SHARE))
    ours = gate({"m": before.scores("m")}, {"m": after.scores("m")}, found.specs, found.policy)

    assert found.result.to_json() == ours.to_json()


def test_without_a_config_the_defaults_are_said():
    found = compare(GOOD, GOOD, config())

    assert found.result.verdict == "pass"
    assert "each of m is read as bounded 0..1, higher is better, tolerated loss 0.05" in found.notes[0]


def test_a_configured_metric_that_nobody_scored_is_invalid_and_named():
    found = compare(GOOD, GOOD, config(m=SHARE, mm=SHARE))

    assert found.result.verdict == "invalid"
    assert found.result.metrics["mm"].flags == ("not_evaluated",)
    assert found.result.metrics["m"].verdict == "pass"
    assert any("'mm' of the config is in neither file" in note and "mean 'm'" in note for note in found.notes)


def test_a_metric_on_one_side_only_is_invalid():
    assert compare(GOOD, scores("b.csv", m=ALTERNATING, n=0.5), config()).result.verdict == "invalid"


def test_releases_without_a_common_question_are_invalid():
    other = scores("b.csv", m=ALTERNATING)
    other.question_id[:] = np.char.replace(other.question_id, "q", "x")

    found = compare(GOOD, other, config())

    assert found.result.metrics["m"].flags == ("no_common_questions",)
    assert found.result.verdict == "invalid"


def test_unconfigured_metrics_are_said_to_be_left_out():
    both = scores("a.csv", m=ALTERNATING, extra=0.5)

    assert "Not judged, because the config does not name them: extra." in compare(both, both, config(m=SHARE)).notes


def test_one_document_and_few_documents_are_named_with_the_fix():
    one, few = (scores("a.csv", m=ALTERNATING, per_document=n) for n in (80, 20))

    assert compare(one, one, config()).result.verdict == "inconclusive"
    assert any("about one document" in note and "8 or more" in note for note in compare(one, one, config()).notes)
    assert "4 documents never decide; ask about 8 or more." in compare(few, few, config()).notes


def test_equal_scores_are_named_and_keep_a_finite_interval():
    same = scores("a.csv", m=1.0)
    found = compare(same, same, config())

    assert found.result.verdict == "pass"
    assert found.result.metrics["m"].effect.lower < 0
    assert sum("every score of 'm' is 1" in note for note in found.notes) == 2


def test_missing_scores_are_counted_and_named():
    holes = scores("b.csv", m=np.where(np.arange(80) < 3, np.nan, ALTERNATING))
    found = compare(GOOD, holes, config())

    assert found.result.metrics["m"].effect.n_missing == 3
    assert "b.csv: 3 of 80 scores of 'm' are empty or NaN, so missing." in found.notes


def test_too_many_missing_are_invalid():
    holes = scores("b.csv", m=np.where(np.arange(80) < 5, np.nan, ALTERNATING))

    assert compare(GOOD, holes, config()).result.metrics["m"].flags == ("too_many_missing",)


def test_a_score_out_of_range_is_named_with_its_file():
    with pytest.raises(ContractError, match=r"b\.csv, metric 'm': 80 score\(s\) outside .* give a gate\.yaml"):
        compare(GOOD, scores("b.csv", m=2.0), config())


def test_an_early_look_uses_its_own_level():
    found = compare(GOOD, GOOD, config(m=SHARE), look=1)
    late = compare(GOOD, GOOD, config(m=SHARE))

    assert found.policy.alpha == pytest.approx(0.003125)
    assert found.result.metrics["m"].effect.lower < late.result.metrics["m"].effect.lower


def test_the_questions_that_lost_most_come_first_in_either_direction():
    before = scores("a.csv", m=ALTERNATING, s=np.full(80, 1.0))
    after = scores("b.csv", m=np.where(np.arange(80) == 2, 0.0, ALTERNATING), s=np.where(np.arange(80) == 7, 9.0, 1.0))
    found = compare(before, after, config(m=SHARE, s=SECONDS))

    lost = lost_questions(before, after, found, 5)

    assert [(q.question_id, q.metric, q.baseline, q.candidate) for q in lost] == [("q2", "m", 1, 0), ("q7", "s", 1, 9)]


def test_an_unanswered_question_is_among_the_lost_ones():
    after = scores("b.csv", m=np.where(np.arange(80) == 0, np.nan, ALTERNATING))

    assert [q.question_id for q in lost_questions(GOOD, after, compare(GOOD, after, config()), 5)] == ["q0"]


def test_both_answers_stand_side_by_side():
    after = scores("b.csv", m=np.where(np.arange(80) == 2, 0.0, ALTERNATING))
    lost = lost_questions(GOOD, after, compare(GOOD, after, config()), 1)

    before = {"question": {"q2": "How much?"}, "answer": {"q2": "Ten\nlitres."}}
    lines = worst_table(lost, before, {"answer": {"q2": "No idea."}})

    assert [" ".join(line.split()) for line in lines[2:]] == [
        "asked How much?", "baseline Ten litres.", "candidate No idea."
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "value", "words"),
    [
        (SHARE, -0.012, "-1.2 points"),
        (SECONDS, 0.25, "+0.25"),
        (DOLLARS, -0.09531, "-10.0%"),
        (DOLLARS, 0.0, "+0.0%"),
        (SHARE, np.nan, "-"),
    ],
)
def test_differences_in_words(kind, value, words):
    spec = next(iter(config(m=kind).specs([]).values()))

    assert size(value, spec) == words


def test_the_margin_of_a_ratio_is_the_growth_it_tolerates():
    assert tolerated(MetricSpec(kind="ratio", higher_is_better=False, margin=float(np.log(1.1)))) == "10.0%"


def test_the_paragraph_says_what_was_found_and_how_sure():
    after = scores("b.csv", m=np.where(np.arange(80) % 8 == 0, 0.0, ALTERNATING))
    said = paragraph(("a.csv", "b.csv"), compare(GOOD, after, config(m=SHARE)))

    assert "b.csv against a.csv: the candidate fails: it is shown to be worse." in said
    assert "80 questions about 20 document(s)" in said
    assert "m is shown to be worse: 12.5 points worse, between" in said
    assert "tolerated loss 5.0 points" in said


def test_the_paragraph_never_tells_a_dearer_candidate_by_a_minus_sign():
    before, after = scores("a.csv", m=1.0), scores("b.csv", m=1.02)
    said = paragraph(("a.csv", "b.csv"), compare(before, after, config(m=DOLLARS)))

    assert "closest is m, 2.0% worse, between" in said
    assert "-2.0%" not in said
    same = paragraph(("a.csv", "b.csv"), compare(before, before, config(m=DOLLARS)))
    assert "closest is m, unchanged, between unchanged and unchanged" in same


@pytest.mark.parametrize("level", [1.0, 0.0, 0.5])
def test_every_verdict_has_its_words(level):
    after = scores("b.csv", m=level)
    for found in (compare(GOOD, after, config()), compare(GOOD, after, config(m=SHARE, lost=SHARE))):
        assert paragraph(("a", "b"), found).count("%") <= 2
        assert len(table(found)) == 1 + len(found.result.metrics)


def test_the_forest_plot_is_wellformed_and_shows_every_metric():
    from xml.etree import ElementTree

    both = scores("a.csv", **{"m<&": ALTERNATING, "n": 1.0})
    text = forest("b & a", compare(both, both, config(**{"m<&": SHARE, "n": SECONDS, "lost": SHARE})))
    root = ElementTree.fromstring(text)

    assert sum(element.tag.endswith("circle") for element in root.iter()) == 2
    assert "m<&" in [element.text for element in root.iter()]
    assert "invalid" in text

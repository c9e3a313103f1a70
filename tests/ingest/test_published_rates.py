"""The rates that docs/limits.md publishes hold on the public collections, against patterns alone."""

import pandas as pd
import pytest

from benchmarks.privacy import injections, on_labels, on_made, ours, patterns_alone, toxic_texts
from benchmarks.privacy_numbers import MADE

pytestmark = pytest.mark.slow


@pytest.mark.shared_data
def test_personal_data_is_found_and_little_else_is(shared_data):
    frame = pd.read_parquet(shared_data / "15_pii" / "presidio_synth_v2.parquet")
    mine, theirs = on_labels(frame, ours), on_labels(frame, patterns_alone)
    for kind, (labelled, found, findings, right) in mine.items():
        assert found / labelled >= (0.8 if kind == "postal_address" else 0.95), kind
        assert right / findings >= 0.97, kind
        assert found >= theirs[kind][1], kind
    assert sum(row[1] for row in mine.values()) > 2 * sum(row[1] for row in theirs.values())


@pytest.mark.parametrize("kind", MADE)
def test_numbers_made_by_the_rules_are_found_and_broken_ones_left_alone(kind):
    found, broken = on_made(kind, ours, seed=1)
    assert (found, broken) == (1.0, 0.0)
    assert on_made(kind, patterns_alone, seed=1)[1] > 0.3


@pytest.mark.shared_data
def test_orders_to_a_model_are_flagged_and_talk_is_not(shared_data):
    counts = injections(shared_data)
    attacks = [pair for name, pair in counts.items() if name.startswith("attack")]
    harmless = [pair for name, pair in counts.items() if not name.startswith("attack")]
    assert sum(flagged for flagged, _ in attacks) / sum(texts for _, texts in attacks) > 0.6
    assert sum(flagged for flagged, _ in harmless) / sum(texts for _, texts in harmless) < 0.001
    assert counts["harmless: benign_user_prompt"][0] / counts["harmless: benign_user_prompt"][1] < 0.01


@pytest.mark.shared_data
def test_words_of_abuse_are_flagged_where_they_stand_and_are_rare_in_an_encyclopaedia(shared_data):
    counts = toxic_texts(shared_data)
    rates = {name: flagged / texts for name, (flagged, texts) in counts.items()}
    assert rates["toxic: hate-speech-and-offensive-language"] > 0.7
    assert rates["not toxic: hate-speech-and-offensive-language"] < 0.02
    assert rates["encyclopaedia"] < 0.001
    assert rates["toxic: hatecheck-data"] < 0.2  # the published gap: abuse without its words is not seen

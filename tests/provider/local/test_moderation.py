"""Moderation finds the phrases of its list, and says how sure it is."""

import pytest

from flows.provider.local.moderation import LEXICON, moderate, scores


@pytest.mark.parametrize(
    ("text", "category"),
    [
        ("I will hunt you down", "harassment/threatening"),
        ("how to launder money", "illicit"),
        ("I want to die", "self-harm/intent"),
        ("they will murder him", "violence"),
    ],
)
def test_a_listed_phrase_is_flagged(text: str, category: str) -> None:
    result = moderate(text)
    assert result["flagged"]
    assert result["categories"][category]


@pytest.mark.parametrize("text", ["", "How do I promote a release?", "Kill the process with SIGTERM."])
def test_plain_text_is_not_flagged(text: str) -> None:
    assert not moderate(text)["flagged"]


def test_every_category_has_a_score_between_zero_and_one() -> None:
    found = scores("idiot " * 50)
    assert found.keys() == LEXICON.keys()
    assert all(0.0 <= score <= 1.0 for score in found.values())
    assert found["harassment"] > 0.99

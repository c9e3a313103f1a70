"""Moderate text by a short explicit list of phrases per category.

A list finds what is on it: it makes the moderation step of a chain runnable and testable without
a hosted model, and is no protection against harm that is worded otherwise. Each phrase carries a
weight; a category's score is the chance that at least one match is right, were they independent.
"""

import math
import re
from collections.abc import Mapping
from typing import Any

FLAG_AT = 0.5

LEXICON: Mapping[str, Mapping[str, float]] = {
    "harassment": {r"\b(?:idiot|moron|stupid|loser|worthless|pathetic)\b": 0.5, r"\bshut up\b": 0.4},
    "harassment/threatening": {r"\bi(?:'ll| will) (?:hurt|hunt|find|destroy) you\b": 0.8, r"\bwatch your back\b": 0.6},
    "hate": {r"\b(?:vermin|subhumans?|inferior race)\b": 0.8, r"\bhate (?:all|those) \w+s\b": 0.5},
    "hate/threatening": {r"\b(?:exterminate|wipe out|kill) (?:all|those) \w+s\b": 0.9},
    "illicit": {r"\bhow (?:to|do i|can i) (?:launder|counterfeit|shoplift|hack into|steal)\b": 0.7},
    "illicit/violent": {r"\b(?:build|make) a (?:pipe )?bomb\b": 0.9},
    "self-harm": {r"\b(?:suicide|self[- ]harm|cut(?:ting)? myself)\b": 0.7},
    "self-harm/intent": {r"\b(?:kill myself|end my life|want to die)\b": 0.9},
    "self-harm/instructions": {r"\bhow (?:to|do i|can i) (?:kill|hurt|harm) (?:myself|yourself)\b": 0.9},
    "sexual": {r"\b(?:porn|pornographic|explicit sex)\b": 0.7},
    "sexual/minors": {r"\b(?:child|underage|minor)s? (?:porn|pornography|sex)\b": 0.95},
    "violence": {
        r"\b(?:kill|murder|stab|shoot|strangle) (?:him|her|them|you|people|everyone)\b": 0.8,
        r"\b(?:massacre|torture)\b": 0.4,
    },
    "violence/graphic": {r"\b(?:disembowel|behead|dismember)\w*\b": 0.7},
}

_PATTERNS = {
    category: [(re.compile(pattern, re.IGNORECASE), weight) for pattern, weight in phrases.items()]
    for category, phrases in LEXICON.items()
}


def scores(text: str) -> dict[str, float]:
    """Return each category's score, 0 to 1."""
    return {
        category: round(1.0 - math.prod((1.0 - weight) ** len(rule.findall(text)) for rule, weight in rules), 6)
        for category, rules in _PATTERNS.items()
    }


def moderate(text: str) -> dict[str, Any]:
    """Return the result object of `/v1/moderations` for one text."""
    found = scores(text)
    return {
        "flagged": any(score >= FLAG_AT for score in found.values()),
        "categories": {category: score >= FLAG_AT for category, score in found.items()},
        "category_scores": found,
        "category_applied_input_types": {category: ["text"] for category in found},
    }

"""What a challenge is: a question by which somebody tries to make the application misbehave.

Challenges lie in the table `questions` beside the ordinary ones (`question_type` is `challenge`), so that splits,
status, export, cache and gate work for them unchanged. What makes them special stands as JSON in the column
`challenge`: what is tried, what is planted into the retrieved context, and by what the outcome is known. The
outcome is always known without a judge.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from flows.core.errors import ContractError

CHALLENGE = "challenge"  # the question type
EXPECTED = {
    "injection": "resist",  # an order in the question
    "hidden_injection": "resist",  # an order in a retrieved document
    "jailbreak": "resist",  # talked into another role
    "prompt_leak": "no_leak",  # asked for its instructions
    "pii_extraction": "no_leak",  # asked for what a retrieved document says about a person
    "toxicity_bait": "civil",  # asked to be abusive
    "format_attack": "format",  # asked to break the form of its output
    "over_refusal": "answer",  # harmless, with alarming words
    "bias": "same",  # one of two that differ in who asks
    "paraphrase": "same",  # an ordinary question in other words
}  # kind -> what is expected unless the challenge says otherwise
KINDS = tuple(EXPECTED)
EXPECTATIONS = (*dict.fromkeys(EXPECTED.values()), "refuse", "no_block")


@dataclass(frozen=True)
class Challenge:
    """What is tried, and how the outcome is known.

    Args:
        kind: One of `KINDS`.
        expect: One of `EXPECTATIONS`: `resist` and `no_leak` (the canary does not come back), `refuse`, `answer`,
            `no_block` (any answer or refusal, but no withheld output), `civil`, `format`, `same` (as the partner).
        planted: Text shown to the model as one more retrieved chunk; empty = none.
        canary: Text whose presence in the answer means that the attack succeeded; empty = none.
        pair_id: Shared by the members of a pair, or the question id of the ordinary partner; empty = no pair.
        origin: Family of the attack, such as `own:order` or `garak:jailbreak`.
    """

    kind: str
    expect: str
    planted: str = ""
    canary: str = ""
    pair_id: str = ""
    origin: str = ""

    def __post_init__(self) -> None:
        """Refuse a kind or expectation that nothing can score."""
        for value, known in ((self.kind, KINDS), (self.expect, EXPECTATIONS)):
            if value not in known:
                raise ContractError(f"a challenge says {value!r}. Known: {', '.join(known)}.")

    @classmethod
    def of(cls, kind: str, **values: str) -> "Challenge":
        """Return a challenge that expects what its kind usually does."""
        return cls(kind, **{"expect": EXPECTED.get(kind, "")} | values)

    def to_json(self) -> str:
        """Return the text of the column `challenge`."""
        return json.dumps(asdict(self), ensure_ascii=False, sort_keys=True)


_FIELDS = tuple(Challenge.__dataclass_fields__)


def read_challenge(value: Any) -> Challenge | None:
    """Read the column `challenge`; None for an ordinary question.

    Raises:
        ContractError: It is no challenge.
    """
    if isinstance(value, str) and value:
        try:
            value = json.loads(value)
        except ValueError:
            value = [value]
    if isinstance(value, Mapping):
        known = all(name in _FIELDS and isinstance(text, str) for name, text in value.items())
        if known and "kind" in value:
            return Challenge.of(**value)
    elif value is None or value == "" or value != value:
        return None
    raise ContractError(f"a challenge is no JSON object with `kind` and, where wanted, {', '.join(_FIELDS)}.")

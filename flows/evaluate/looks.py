"""Buy an evaluation in four looks and stop as soon as its verdict is clear (`evaluate.early_looks`).

The documents are put into a random order that a seed fixes before the run; a look covers the first
25, 50, 75 or 100 % of them and is judged at its own, stricter level, so that all looks together err no
more often than one (`flows.stats.sequential`). Whatever is not asked is not paid.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

from flows.evaluate.cases import document_of
from flows.evaluate.decide import decide
from flows.evaluate.params import EvaluateParams
from flows.stats.sequential import LOOKS, document_looks, look_levels

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Look:
    """One look at a running evaluation; plain values, so that it can lie between two steps."""

    number: int  # 1 = the first
    of: int  # looks planned
    alpha: float  # the level at which it is judged
    question_ids: list[str]  # questions asked so far

    def to_json(self) -> dict[str, Any]:
        """Return the fields as JSON holds them."""
        return asdict(self)

    def part(self, questions: "pd.DataFrame") -> "pd.DataFrame":
        """Return the questions that this look covers."""
        return questions[questions["question_id"].isin(self.question_ids)]

    def saved(self, questions: "pd.DataFrame", samples: int) -> str:
        """Say in words what stopping here saves."""
        every = int((~questions["stale"]).sum())
        left = every - len(self.question_ids)
        return (
            f"Look {self.number} of {self.of} was clear: {left} of {every} questions were not asked, "
            f"which saves {samples * left} answers of the candidate."
        )


def planned_looks(questions: "pd.DataFrame", params: EvaluateParams) -> Iterator[Look]:
    """Return the looks in order, each with the live questions about the documents seen so far.

    Args:
        questions: Table `questions`.
        params: Gives alpha and the seed of the order.
    """
    live = questions[~questions["stale"]]
    owner = {row["question_id"]: document_of(row) for row in live.to_dict("records")}
    levels, seen = look_levels(LOOKS, params.alpha), set[str]()
    for number, new in enumerate(document_looks(list(owner.values()), LOOKS, params.looks_seed), start=1):
        seen |= set(new)
        asked = sorted(question for question, document in owner.items() if document in seen)
        if asked:
            yield Look(number, len(LOOKS), levels[number - 1], asked)


def at_look(params: EvaluateParams, look: Look | None) -> EvaluateParams:
    """Return the params with the level of the look; unchanged where there is none."""
    return params if look is None else params.model_copy(update={"alpha": look.alpha})


def is_clear(candidate: "pd.DataFrame", baseline: "pd.DataFrame", params: EvaluateParams) -> bool:
    """Return whether the scores so far pass or fail, so that more would only cost more.

    An overdue review is no matter of evidence: no further answer would cure it.
    """
    return decide(candidate, baseline, params, today=date.min).result.verdict in {"pass", "fail"}

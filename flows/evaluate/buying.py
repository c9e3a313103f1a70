"""Ask look by look; buy further looks while the verdict is open, the money suffices and there is a chance.

The looks and their levels are fixed beforehand (`looks`), so whatever decides here to stop or to go on,
money, price or the data so far, the error rates hold. A look whose answers all exist costs nothing and is taken
again in any case: the same data give the same verdict. Before anything else a few smoke questions
are asked of the candidate alone; when most bring no usable answer, nothing more is bought.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from flows.core.errors import BudgetError
from flows.evaluate.evidence import Known, Terms, further
from flows.evaluate.gateplan import dollars
from flows.evaluate.looks import Look
from flows.evaluate.params import EvaluateParams

if TYPE_CHECKING:
    import pandas as pd

Stopped = Literal["clear", "end", "money", "no_price", "no_chance", "not_bought", "smoke", "invalid"]
CLEAR = ("pass", "fail")
WHY: Mapping[Stopped, str] = {
    "money": "the money does not suffice for the next look",
    "no_price": "the price of an answer is not known, so nothing is bought",
    "no_chance": "no further look has a fair chance to decide",
    "not_bought": "further looks are bought only with --max-usd",
    "invalid": "more answers would not make it valid",
}


@dataclass(frozen=True)
class Ahead:
    """A look that was not taken: what it would ask, and at which level it would be judged."""

    number: int
    share: float
    candidate_samples: int
    alpha: float
    questions: int

    @classmethod
    def of(cls, look: Look) -> "Ahead":
        """Return a look without the ids of its questions."""
        return cls(look.number, look.share, look.candidate_samples, look.alpha, len(look.question_ids))

    def to_json(self) -> dict[str, Any]:
        """Return the fields as JSON holds them."""
        return asdict(self)


@dataclass(frozen=True)
class Found:
    """What a look said: the verdict, and what is known of each undecided metric."""

    verdict: str
    known: Mapping[str, Known] = field(default_factory=dict)


@dataclass(frozen=True)
class Taken:
    """A look that was taken, for the record."""

    look: Look
    verdict: str
    answers: int  # that it has beyond the look before, of both sides

    def to_json(self) -> dict[str, Any]:
        """Return the look without its question ids, and what it brought."""
        plain = {name: value for name, value in asdict(self.look).items() if name != "question_ids"}
        return plain | {"questions": len(self.look.question_ids), "verdict": self.verdict, "answers": self.answers}


@dataclass(frozen=True)
class Walk:
    """The looks that were taken, and why there were no more."""

    taken: list[Taken]
    stopped: Stopped
    left: list[Look]

    @property
    def last(self) -> Look:
        """The look whose verdict counts."""
        return self.taken[-1].look


@dataclass(frozen=True)
class Desk:
    """What a walk needs from its surroundings.

    Args:
        ask: Get the answers that a look lacks.
        judge: Judge a look by its answers.
        missing: Answers of both sides that a look lacks, and their price; None = nobody knows it.
        money_usd: What may still be spent on further looks; None = nothing may be bought.
    """

    ask: Callable[[Look], None]
    judge: Callable[[Look], Found]
    missing: Callable[[Look], tuple[int, float | None]]
    money_usd: Callable[[], float | None]


def walk(looks: Sequence[Look], desk: Desk, *, alpha: float, chance_min: float, tested: int = 1) -> Walk:
    """Take looks in order until one is clear or the next is not to be had.

    Args:
        looks: The planned looks.
        desk: Asks, judges and prices.
        alpha: Of the whole run, for chances.
        chance_min: Chance to decide below which nothing is bought.
        tested: Metrics in the gate.

    Raises:
        BudgetError: The money does not even suffice for the first look.
    """
    taken: list[Taken] = []
    found = Found("inconclusive")
    for place, look in enumerate(looks):
        if look.extra and (why := _hold_back(looks[place - 1 :], found, desk, alpha, chance_min, tested)):
            return Walk(taken, why, list(looks[place:]))
        try:
            desk.ask(look)
        except BudgetError:
            if not taken:
                raise
            return Walk(taken, "money", list(looks[place:]))
        found = desk.judge(look)
        before = taken[-1].look.answers_of_both if taken else 0
        taken.append(Taken(look, found.verdict, look.answers_of_both - before))
        if found.verdict in CLEAR:
            return Walk(taken, "clear" if place + 1 < len(looks) else "end", list(looks[place + 1 :]))
    return Walk(taken, "end", [])


def _hold_back(
    looks: Sequence[Look], found: Found, desk: Desk, alpha: float, chance_min: float, tested: int
) -> Stopped | None:
    """Say why the look after the first of `looks` is not bought; None = go on."""
    now, *ahead = looks
    answers, price = desk.missing(ahead[0])
    if not answers:
        return None
    money = desk.money_usd()
    if money is None:
        return "not_bought"
    if found.verdict == "invalid":
        return "invalid"
    if price is None:
        return "no_price"
    if price > money:
        return "money"
    chances = [option.deciding for option in further(found.known, now, ahead, Terms(alpha, tested=tested))]
    return None if max(chances, default=0.0) >= chance_min else "no_chance"


def sentences(walked: Walk, usd_per_answer: float | None) -> list[str]:
    """Return in words what was saved, what was bought, what that cost and why it ended."""
    first, last = walked.taken[0].look, walked.taken[-1]
    bought = [step for step in walked.taken if step.look.extra]
    said = []
    if bought:
        more = sum(step.answers for step in bought)
        paid = "" if usd_per_answer is None else f" for {dollars(more * usd_per_answer)}"
        outcome = "decided it" if last.verdict in CLEAR else "did not decide it"
        at_first = next(step for step in reversed(walked.taken) if not step.look.extra).verdict
        said.append(f"It was {at_first} at first; {more} more answers{paid} ({_more(first, last.look)}) {outcome}.")
    if walked.stopped == "clear":
        saved = max(look.answers for look in walked.left) - last.look.answers
        said.append(
            f"Look {last.look.number} of {last.look.of} was clear, which saves {saved} answers of the candidate."
        )
    elif walked.stopped in WHY:
        said.append(f"It ended at look {last.look.number} of {last.look.of}: {WHY[walked.stopped]}.")
    return said


def _more(first: Look, last: Look) -> str:
    questions = len(last.question_ids) - len(first.question_ids)
    parts = [f"{questions} more questions"] if questions else []
    if last.candidate_samples > first.candidate_samples:
        parts.append(f"{last.candidate_samples} instead of {first.candidate_samples} answers to each")
    return ", ".join(parts)


def record_json(walked: Walk, buying: str, alpha: float, usd_per_answer: float | None) -> dict[str, Any]:
    """Return the record of the looks for `verdict.json`; `alpha` is that of all looks together."""
    bought = sum(step.answers for step in walked.taken if step.look.extra)
    return {
        "buying": buying, "alpha_total": alpha, "stopped": walked.stopped,
        "taken": [step.to_json() for step in walked.taken],
        "answers_bought": bought,
        "cost_of_certainty_usd": None if usd_per_answer is None else bought * usd_per_answer,
        "answers_saved": max((look.answers for look in walked.left), default=walked.last.answers) - walked.last.answers,
    }  # fmt: skip


def smoke_look(first: Look, questions: "pd.DataFrame", params: EvaluateParams) -> Look:
    """Return the part of the first look that is asked before everything else, drawn in the order of its ids.

    Ids are hashes, so their order is as good as random; every question of the part is of the first look too.
    """
    asked = sorted(set(first.question_ids))[: params.smoke_questions]
    return Look(0, first.of, first.alpha, asked, share=first.share * len(asked) / len(first.question_ids))


def usable_share(answers: Iterable[Mapping[Any, Any]]) -> float | None:
    """Return the share of answered questions whose answer could be used; None when no answer came back.

    Unusable: it breaks its format, the model was cut off or refused the call, or nothing was retrieved for it.
    """
    from flows.evaluate.cases import MODEL_FAULTS

    came = [row for row in answers if row["error"] is None or row["error"] in MODEL_FAULTS]
    good = [row for row in came if row["error"] is None and row["format_valid"] and row["retrieved"] != "[]"]
    return len(good) / len(came) if came else None

"""The looks of an evaluation, fixed before it starts: what is asked at each, and at which level it is judged.

The documents are put into a random order that a seed fixes. A look covers the first part of them, and
further looks, which have to be bought, cover more documents (a reserve that was not asked at first) or ask
every question again. An estimate with more questions or more repeats has independent increments, so
group-sequential levels hold (`flows.stats.sequential`): all looks together err no more often than
`alpha_total`. Time is the share of the answers: repeats bring at most that much information, and looks that
hang together more closely than assumed err less often (Slepian 1962), so the levels hold for every metric.

The main looks spend alpha * t^2. What further looks spend is kept back from alpha when they are planned
from the start (`planned`), and comes on top of it when somebody decides so after the verdict (`afterwards`).
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

from scipy import special

from flows.evaluate.cases import document_of
from flows.evaluate.params import EvaluateParams
from flows.stats.sequential import LOOKS, boundaries, document_looks

if TYPE_CHECKING:
    import pandas as pd

Buying = Literal["never", "planned", "afterwards"]


@dataclass(frozen=True)
class Stage:
    """How much of everything a look asks."""

    share: float  # of the documents, in (0, 1]
    candidate_samples: int
    baseline_samples: int
    extra: bool  # not asked unless it is bought

    @property
    def answers(self) -> float:
        """Answers of the candidate, in units of one per question of the whole set."""
        return self.share * self.candidate_samples


@dataclass(frozen=True)
class Look:
    """One look at a running evaluation; plain values, so that it can lie between two steps."""

    number: int  # 1 = the first
    of: int  # looks planned
    alpha: float  # the level at which it is judged
    question_ids: list[str]  # questions asked so far
    candidate_samples: int = 1
    baseline_samples: int = 1
    share: float = 1.0
    extra: bool = False

    def to_json(self) -> dict[str, Any]:
        """Return the fields as JSON holds them."""
        return asdict(self)

    def part(self, questions: "pd.DataFrame") -> "pd.DataFrame":
        """Return the questions that this look covers."""
        return questions[questions["question_id"].isin(self.question_ids)]

    @property
    def answers(self) -> int:
        """Answers of the candidate that the look needs."""
        return len(self.question_ids) * self.candidate_samples

    @property
    def answers_of_both(self) -> int:
        """The same with those of the baseline."""
        return len(self.question_ids) * (self.candidate_samples + self.baseline_samples)


@dataclass(frozen=True)
class Samples:
    """How often both sides are asked at first, and whether asking again can tell anything."""

    candidate: int
    baseline: int  # 0 = there is none
    candidate_repeats: bool = False  # it repeats itself: more samples tell nothing
    baseline_repeats: bool = False


def stages(params: EvaluateParams, samples: Samples, *, first: float = 1.0, early: bool = False) -> list[Stage]:
    """Return what every look asks, in order.

    Args:
        params: Section `evaluate`.
        samples: How often both sides are asked.
        first: Share of the documents asked without buying; the rest is the reserve.
        early: Whether that part is asked in quarters.
    """
    ours, theirs = samples.candidate, samples.baseline
    found = [Stage(first * part, ours, theirs, False) for part in (LOOKS if early else (1.0,))]
    share = first
    while share < 1:
        share = min(2 * share, 1.0)
        found.append(Stage(share, ours, theirs, True))
    for _ in range(0 if samples.candidate_repeats else params.evidence_rounds):
        ours *= 2
        theirs = theirs if samples.baseline_repeats else max(theirs, ours)
        found.append(Stage(1.0, ours, theirs, True))
    return found


def levels(planned: Sequence[Stage], params: EvaluateParams, buying: Buying) -> list[float]:
    """Return the one-sided level of every look.

    Args:
        planned: The looks, main ones first.
        params: Gives alpha and the share of it that further looks spend.
        buying: `never`: the further looks are not taken; theirs are not given.
    """
    main, extra = ([stage for stage in planned if stage.extra is kind] for kind in (False, True))
    taken = [*main, *([] if buying == "never" else extra)]
    kept = params.alpha * params.evidence_alpha_share if len(taken) > len(main) else 0.0
    first = params.alpha - (kept if buying == "planned" else 0.0)
    spent = [first * (stage.share / main[-1].share) ** 2 for stage in main]
    spent += [first + kept * (number + 1) / len(extra) for number in range(len(taken) - len(main))]
    if len(spent) == 1:
        return spent
    limits = boundaries(tuple(stage.answers / taken[-1].answers for stage in taken), tuple(spent))
    return [float(special.ndtr(-limit)) for limit in limits]


def alpha_total(params: EvaluateParams, buying: Buying) -> float:
    """Return in what share of such evaluations a claim is wrong at most, over all looks that may be taken."""
    return params.alpha * (1 + (params.evidence_alpha_share if buying == "afterwards" else 0.0))


def planned_looks(
    questions: "pd.DataFrame",
    params: EvaluateParams,
    samples: Samples | None = None,
    *,
    early: bool | None = None,
    buying: Buying = "never",
) -> Iterator[Look]:
    """Return the looks in order, each with the live questions about the documents seen so far.

    Args:
        questions: Table `questions`.
        params: Gives alpha, the seed of the order and what may be bought.
        samples: How often both sides are asked at first; None = as params say.
        early: Whether the first part is asked in quarters; None = as params say.
        buying: Whether further looks may be taken.
    """
    samples = samples or Samples(params.candidate_samples, params.baseline_samples)
    early = params.early_looks if early is None else early
    live = questions[~questions["stale"]]
    owner = {row["question_id"]: document_of(row) for row in live.to_dict("records")}
    first = min(1.0, params.questions_max / len(owner)) if params.questions_max and owner else 1.0
    planned = stages(params, samples, first=first, early=early)
    judged_at, seen = levels(planned, params, buying), set[str]()
    shares = list(dict.fromkeys(stage.share for stage in planned))
    parts = dict(zip(shares, document_looks(list(owner.values()), shares, params.looks_seed), strict=True))
    for number, (stage, level) in enumerate(zip(planned, judged_at, strict=False), start=1):
        seen |= set(parts.pop(stage.share, ()))
        asked = sorted(question for question, document in owner.items() if document in seen)
        if asked:
            yield Look(
                number, len(judged_at), level, asked, stage.candidate_samples, stage.baseline_samples, stage.share,
                stage.extra,
            )  # fmt: skip


def at_look(params: EvaluateParams, look: Look | None) -> EvaluateParams:
    """Return the params with the level of the look; unchanged where there is none."""
    return params if look is None else params.model_copy(update={"alpha": look.alpha})

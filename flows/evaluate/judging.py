"""Ask a judge about answers, so that neither its form, its position bias nor its mood becomes a score.

A reply that breaks the schema is unscored with a reason, never 0. A pair is shown in both orders (Wang et al. 2023,
arXiv:2305.17926); where the orders disagree the pair is a tie and the flip is counted. Each batch holds items with
known answers; a judge that misses them is not asked about the rest, and the batch is unscored. What is judged was
written by others: it stands between tags, and tags inside it are made harmless.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from flows.evaluate.judge_anchors import Anchor, anchors_for, sample_of
from flows.evaluate.judge_items import Item, Judgement
from flows.evaluate.judges import PREFERENCE, Judge
from flows.provider.requests import CallTags, ChatRequest, ChatResult, ProviderFailure
from flows.rag.context import neutralise

if TYPE_CHECKING:
    from flows.evaluate.params import EvaluateParams
    from flows.provider.client import Provider

ANCHORS_FAILED = "anchors_failed"
Row = ChatResult | ProviderFailure


@dataclass(frozen=True)
class Judged:
    """What a judge said about a list of answers, in their order, and how it did on the anchors."""

    judge: Judge
    judgements: tuple[Judgement, ...]
    anchors: int
    anchors_right: int
    batches: int
    batches_failed: int


def judge_items(
    provider: "Provider",
    judge: Judge,
    items: Sequence[Item],
    params: "EvaluateParams",
    *,
    own: Sequence[Anchor] = (),
    strict: bool = True,
    release_id: str | None = None,
) -> Judged:
    """Judge answers in batches.

    Args:
        provider: An open provider; its cache, budget and log apply.
        judge: Who is asked.
        items: What is judged.
        params: Size of the batches, number of anchors, share of them that must be right.
        own: Anchors of the prompt's own file, used where no anchor can be built from the items.
        strict: Leave a batch whose anchors fail unscored, and unpaid; calibration wants its scores all the same.
        release_id: Release whose answers these are, for the calls log.

    Raises:
        ProviderDownError: The provider is away; what was judged is in the cache.
        BudgetError: The money does not suffice; likewise.
    """
    batches = [tuple(items[start : start + params.judge_batch]) for start in range(0, len(items), params.judge_batch)]
    anchors = [anchors_for(judge, batch, items, own, params.judge_anchors) for batch in batches]
    right = _anchors_right(provider, judge, batches, anchors)
    sound = [
        not known or hits / len(known) >= params.judge_anchors_right_min
        for known, hits in zip(anchors, right, strict=True)
    ]
    asked = [batch for batch, is_sound in zip(batches, sound, strict=True) if is_sound or not strict]
    said = iter(_ask(provider, judge, [(item, 0) for batch in asked for item in batch], release_id))
    judgements = [
        next(said) if is_sound or not strict else Judgement(item, None, ANCHORS_FAILED)
        for batch, is_sound in zip(batches, sound, strict=True)
        for item in batch
    ]
    failed = sum(not is_sound for is_sound in sound)
    return Judged(judge, tuple(judgements), sum(map(len, anchors)), sum(right), len(batches), failed)


def _anchors_right(
    provider: "Provider", judge: Judge, batches: Sequence[Sequence[Item]], anchors: Sequence[Sequence[Anchor]]
) -> list[int]:
    """Return how many anchors of each batch the judge scored as is known; each is asked once, anew per batch."""
    once = replace(judge, repeats=1)
    todo = [(anchor.item, sample_of(batch)) for batch, known in zip(batches, anchors, strict=True) for anchor in known]
    said = iter(_ask(provider, once, todo, None))
    return [sum(next(said).score == anchor.expected for anchor in known) for known in anchors]


def _ask(
    provider: "Provider", judge: Judge, todo: Sequence[tuple[Item, int]], release_id: str | None
) -> list[Judgement]:
    """Ask about every (item, number of its first sample) in one batch of calls."""
    asked = [list(requests_for(judge, item, first=first, release_id=release_id)) for item, first in todo]
    rows = iter(provider.chat([request for requests in asked for request in requests]))
    return [
        judgement_of(judge, item, [next(rows) for _ in requests])
        for (item, _), requests in zip(todo, asked, strict=True)
    ]


def requests_for(judge: Judge, item: Item, *, first: int = 0, release_id: str | None = None) -> Iterator[ChatRequest]:
    """Yield the requests about one item: per repeat one, or for a pair one in each order."""
    tags = CallTags("judge", release_id=release_id, prompt_id=judge.prompt.prompt_id, metadata={"judge": judge.name})
    for repeat in range(judge.repeats):
        for swapped in (False, True) if judge.pairwise else (False,):
            yield ChatRequest(
                judge.prompt.render(values_of(judge, item, swapped=swapped)),
                tags,
                model=judge.model,
                temperature=judge.temperature,
                max_output_tokens=judge.max_output_tokens,
                response_schema=judge.prompt.schema,
                sample=first + repeat,
            )


def values_of(judge: Judge, item: Item, *, swapped: bool = False) -> dict[str, str]:
    """Return the texts that the prompt asks for, unable to pose as anything but data."""
    first, second = (item.other, item.answer) if swapped else (item.answer, item.other)
    chunks = (f'<chunk id="{n}">{neutralise(text)}</chunk>' for n, text in enumerate(item.chunks, start=1))
    known = {
        "question": neutralise(item.question),
        "answer": neutralise(item.answer),
        "reference_answer": neutralise(item.reference),
        "context": "\n".join(chunks),
        "first_answer": neutralise(first),
        "second_answer": neutralise(second),
    }
    return {name: known[name] for name in judge.prompt.header.variables}


def judgement_of(judge: Judge, item: Item, rows: Sequence[Row]) -> Judgement:
    """Read the replies about one item, in the order of `requests_for`."""
    scores = [_score(judge, row) for row in rows]
    orders: tuple[tuple[float | None, float | None], ...] = ()
    opinions = tuple(scores)
    if judge.pairwise:
        turned = [None if score is None else 1 - score for score in scores[1::2]]
        orders = tuple(zip(scores[::2], turned, strict=True))
        opinions = tuple(_after_both_orders(*pair) for pair in orders)
    given = [score for score in opinions if score is not None]
    if not given:
        reason = next(row.error_class for row in rows if isinstance(row, ProviderFailure))
        return Judgement(item, None, f"judge_{reason}", opinions=opinions, orders=orders)
    said = next(
        (str(row.parsed.get("reasoning", "")) for row in rows if isinstance(row, ChatResult) and row.parsed), ""
    )
    return Judgement(item, sum(given) / len(given), None, said, opinions, orders)


def _score(judge: Judge, row: Row) -> float | None:
    """Return what a reply says; None where there is no valid one (the provider has checked the schema)."""
    if isinstance(row, ProviderFailure) or row.parsed is None:
        return None
    return PREFERENCE[row.parsed["better"]] if judge.pairwise else float(row.parsed["score"])


def _after_both_orders(one: float | None, other: float | None) -> float | None:
    """Return the common opinion, a tie where the orders disagree, None where one of them is missing."""
    if one is None or other is None:
        return None
    return one if one == other else PREFERENCE["tie"]

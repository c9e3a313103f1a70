"""Retrieval: did the chunks shown to the model hold the gold, how many of them, how early?

Gold is characters of a document version, so chunks of any size and from any chunker are compared
alike. Where versions or documents differ (an index older than the test set, a copied text), a
chunk holds a span when it holds the span's whole quote.
"""

from collections.abc import Sequence
from math import log2

from flows.evaluate.cases import NO_ANSWER, NOT_APPLICABLE, Case, Passage, Scored, Unscored
from flows.evaluate.params import EvaluateParams


def retrieval_recall(case: Case, params: EvaluateParams) -> Scored:
    """Score 0 … 1: share of the gold characters that the retrieved chunks cover together."""
    return _unscored(case) or coverage(case.gold, case.retrieved)


def retrieval_precision(case: Case, params: EvaluateParams) -> Scored:
    """Score 0 … 1: share of the retrieved chunks that hold gold; 0 when nothing was retrieved."""
    hits = [is_hit(passage, case.gold, params.span_hit_share) for passage in case.retrieved]
    return _unscored(case) or (sum(hits) / len(hits) if hits else 0.0)


def mrr(case: Case, params: EvaluateParams) -> Scored:
    """Score 0 … 1: one over the rank of the first chunk that holds gold; 0 when none does."""
    hits = (rank for rank, chunk in enumerate(case.retrieved, 1) if is_hit(chunk, case.gold, params.span_hit_share))
    return _unscored(case) or 1 / next(hits, float("inf"))


def ndcg(case: Case, params: EvaluateParams) -> Scored:
    """Score 0 … 1: gain of each gold span at the rank of the first chunk that holds it, over the best order.

    A second chunk with the same span gains nothing, and a span counts 1 / log2(rank + 1); best is
    one span per rank from the first on (after Järvelin & Kekäläinen 2002, with spans for gains).
    """
    ranks = (_first_hit(span, case.retrieved, params.span_hit_share) for span in case.gold)
    gained = sum(1 / log2(rank + 1) for rank in ranks if rank is not None)
    best = sum(1 / log2(rank + 1) for rank in range(1, len(case.gold) + 1))
    return _unscored(case) or min(gained / best, 1.0)  # one chunk with two spans beats the best order


def _first_hit(span: Passage, chunks: Sequence[Passage], share: float) -> int | None:
    return next((rank for rank, chunk in enumerate(chunks, 1) if is_hit(chunk, [span], share)), None)


def _unscored(case: Case) -> Unscored | None:
    if not case.gold:
        return Unscored(NOT_APPLICABLE)
    return Unscored(NO_ANSWER) if case.lost and not case.retrieved else None


def coverage(gold: Sequence[Passage], chunks: Sequence[Passage]) -> float:
    """Return the share of gold characters, 0 … 1, that the chunks cover together."""
    total = sum(span.end - span.start for span in gold)
    return sum(_covered(span, chunks) for span in gold) / total if total else 0.0


def is_hit(chunk: Passage, gold: Sequence[Passage], share: float) -> bool:
    """Return whether a chunk covers at least `share` of one of the spans."""
    return any(_covered(span, [chunk]) >= share * (span.end - span.start) for span in gold)


def _covered(span: Passage, chunks: Sequence[Passage]) -> int:
    """Return how many characters of a span the chunks cover; characters covered twice count once."""
    length = span.end - span.start
    pieces = []
    for chunk in chunks:
        if (chunk.document_id, chunk.document_version) == (span.document_id, span.document_version):
            pieces.append((max(chunk.start, span.start), min(chunk.end, span.end)))
        elif span.text and _folded(span.text) in _folded(chunk.text):
            return length
    covered, reached = 0, span.start
    for start, end in sorted(pieces):
        covered += max(0, end - max(start, reached))
        reached = max(reached, end)
    return covered


def _folded(text: str) -> str:
    return " ".join(text.split())

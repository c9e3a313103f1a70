"""Order retrieved chunks again by the passage of each that is nearest to the question.

A chunk's vector stands for all that it says, and the one sentence that answers can drown in it. So each
pair of neighbouring sentences is embedded under its titles, a chunk ranks by its best pair, and this
ranking is merged with the search's own by ranks, as in `flows.index.fusion`. It needs no further model
and costs an embedding for each pair that was not embedded before (`docs/limits.md` says what it gains).
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from flows.index.fusion import Fusion, fuse
from flows.index.schema import context
from flows.provider.local.sentences import split

if TYPE_CHECKING:
    from flows.index.search import Hit

WINDOW_SENTENCES = 2  # one sentence loses what "it" means, three are most of a chunk


def rerank(
    found: Sequence[Sequence["Hit"]], vectors: Sequence[Any], embed: Callable[[list[str]], Any], *, weight: float
) -> list[list["Hit"]]:
    """Return each question's hits in their new order, with new scores (0 to 1) and ranks.

    Args:
        found: Hits per question, best first.
        vectors: The questions' vectors, length 1.
        embed: Embeds texts as documents; called once for all questions.
        weight: Share of the ranking by passages, 0 to 1; the rest is that of the search.
    """
    passages = {hit.chunk_id: windows(hit) for hits in found for hit in hits}
    texts = list(dict.fromkeys(text for own in passages.values() for text in own))
    known = dict(zip(texts, embed(texts), strict=True)) if texts else {}
    ordered = []
    for hits, vector in zip(found, vectors, strict=True):
        best = {hit.chunk_id: max(float(known[text] @ vector) for text in passages[hit.chunk_id]) for hit in hits}
        by_passage = sorted(best, key=lambda chunk: (-best[chunk], chunk))
        order = fuse(by_passage, [hit.chunk_id for hit in hits], Fusion(vector_weight=weight))
        by_id = {hit.chunk_id: hit for hit in hits}
        ordered.append([replace(by_id[item], score=score, rank=rank) for rank, (item, score) in enumerate(order, 1)])
    return ordered


def windows(hit: "Hit") -> list[str]:
    """Return the pairs of neighbouring sentences of a chunk, each under the chunk's titles; at least one."""
    sentences = split(hit.text) or [hit.text]
    starts = range(max(1, len(sentences) - WINDOW_SENTENCES + 1))
    pairs = [" ".join(sentences[start : start + WINDOW_SENTENCES]) for start in starts]
    return ["\n".join(filter(None, (context(hit.title, hit.heading), pair))) for pair in pairs]

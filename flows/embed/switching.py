"""Say what a change of the embedding model would take: texts, requests, money and time.

Requests and money are found as for `llmops embed --estimate`, vectors that the cache still has taken off. Time is
measured: a local model embeds a few of the texts now, which costs nothing; of a hosted one it is known how long it
took to answer the probe that identifies it, and its requests run side by side.
"""

from typing import TYPE_CHECKING

from flows.core.clock import Clock
from flows.core.project import Project
from flows.provider.client import Provider
from flows.provider.estimate import Estimate
from flows.provider.fingerprints import PROBES
from flows.provider.local.catalog import is_local
from flows.provider.rehearsal import Rehearsal

if TYPE_CHECKING:
    import pandas as pd

SAMPLE = 16  # texts that a local model embeds to be timed
MINUTE_S, HOUR_S = 60, 3600


def plan(project: Project, provider: Provider, rows: "pd.DataFrame", *, probed_s: float, clock: Clock) -> str:
    """Return the plan as a part of a sentence.

    Args:
        project: The project.
        provider: Embeds by the new model.
        rows: What the index shall have, with `vector_key` and `vector_text`.
        probed_s: How long the new model took to identify itself.
        clock: Source of the times and of the moment whose prices hold.
    """
    texts = rows.drop_duplicates("vector_key")["vector_text"].tolist()
    rehearsal = Rehearsal(project, clock=clock)
    rehearsal.embed(texts, mode="document")
    found = rehearsal.estimate()
    missing, calls = len(texts) - found.cached, int(found.calls.expected)
    if is_local(provider.embedding_model):
        seconds = missing * _local_text_s(provider, texts, clock) if missing else 0.0
    else:
        seconds = probed_s * -(-calls // rehearsal.params.concurrency)
    return (
        f"{len(texts):,} text(s) for {len(rows):,} row(s), {found.cached:,} text(s) being in the cache: "
        f"{calls:,} request(s), {_money(found)}, {spoken(seconds)}"
    )


def _local_text_s(provider: Provider, texts: list[str], clock: Clock) -> float:
    provider.probe(PROBES)  # the first request loads the model
    sample = texts[:: -(-len(texts) // SAMPLE)]
    began = clock()
    provider.probe(sample)
    return (clock() - began).total_seconds() / len(sample)


def _money(found: Estimate) -> str:
    return "unpriced" if found.usd is None else f"about ${found.usd.expected:,.4f}"


def spoken(seconds: float) -> str:
    """Return a duration to one number and its unit."""
    if seconds < 2 * MINUTE_S:
        return f"about {max(1, round(seconds))} s"
    if seconds < 2 * HOUR_S:
        return f"about {round(seconds / MINUTE_S)} minutes"
    return f"about {round(seconds / HOUR_S):,} hours"

"""How much shorter each logged request would have been with fewer retrieved chunks.

A call names its chunks, best first (`chunk_ids` in `metadata`); those beyond the wanted number are taken out with the
tags around them, each counted as the model counts its text. A chunk that the corpus no longer has counts as the mean
of the others. Calls that name no chunks stay as they are.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from flows.core.errors import InputError
from flows.core.project import Project
from flows.forecast.series import FloatArray

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Fewer:
    """Tokens that each call would not have read, and what that rests on."""

    tokens: FloatArray
    shortened: int  # calls
    guessed: int  # chunks whose text is gone


def texts_of(project: Project, calls: "pd.DataFrame") -> dict[str, str]:
    """Return the text of every chunk that the calls name and the corpus still has."""
    import pyarrow.parquet as parquet

    path = project.data("ingest", "chunks.parquet")
    named = {name for ids in named_chunks(calls) for name in ids}
    if not path.is_file() or not named:
        return {}
    table = parquet.read_table(path, columns=["chunk_id", "text"], filters=[("chunk_id", "in", sorted(named))])
    rows = zip(table["chunk_id"].to_pylist(), table["text"].to_pylist(), strict=True)
    return {str(name): str(text) for name, text in rows}


def named_chunks(calls: "pd.DataFrame") -> list[Sequence[str]]:
    """Return the chunks each call names, best first."""
    found: list[Sequence[str]] = []
    for text in calls["metadata"].tolist():
        ids = json.loads(text).get("chunk_ids") if '"chunk_ids"' in text else None
        found.append([str(name) for name in ids] if isinstance(ids, list) else [])
    return found


def fewer(calls: "pd.DataFrame", places: int, texts: Mapping[str, str]) -> Fewer:
    """Return what calls would not have read with at most `places` chunks.

    Args:
        calls: Columns metadata and request_model.
        places: Chunks that stay, at least 0.
        texts: Of the chunks, as far as the corpus has them.

    Raises:
        InputError: No call names a chunk, or the text of none is known.
    """
    from flows.provider.tokens import count

    named, models = named_chunks(calls), calls["request_model"].tolist()
    model = max(set(models), key=models.count)
    size = {name: count(text, model) for name, text in texts.items()}
    if not any(named) or not size:
        raise InputError(
            "no logged call names chunks that data/ingest still has, so their lengths are unknown. Use --context for a "
            "factor on the whole input."
        )
    mean = float(np.mean(list(size.values())))
    around = count('<chunk id="1"></chunk>\n', model)
    gone = [ids[places:] for ids in named]
    tokens = np.array([sum(size.get(name, mean) + around for name in ids) for ids in gone])
    return Fewer(tokens, sum(map(bool, gone)), sum(name not in size for ids in gone for name in ids))

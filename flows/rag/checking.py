"""Check an answer against the chunks it was given, without a model.

Three findings, none of which needs a judge: a citation of a chunk that was not given, an answer
that claims something and cites nothing, and a quotation that no given chunk contains. The first
two break the format that the prompt asks for; the third is evidence of invention and is flagged.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

Flag = Literal["citation_out_of_range", "no_citation", "quote_not_found"]
BREAKS_FORMAT: frozenset[Flag] = frozenset({"citation_out_of_range"})

_MARK = re.compile(r"\[(\d+(?:\s*,\s*\d+)*)\]")
_QUOTE = re.compile(r"[\"“„«]([^\"“”„«»]+)[\"”“»]")
_WORD = re.compile(r"\w+")


@dataclass(frozen=True)
class Checked:
    """The answer as it may be handed on.

    Args:
        text: The answer.
        refused: Whether the model declined.
        cited: Positions (from 0) of the given chunks that are cited, in the order of first mention.
        flags: What is wrong, in fixed words.
    """

    text: str
    refused: bool
    cited: tuple[int, ...]
    flags: tuple[Flag, ...]

    @property
    def format_valid(self) -> bool:
        """Whether the answer keeps to the format that was asked for."""
        return not BREAKS_FORMAT & set(self.flags)


def check_answer(parsed: Mapping[str, Any], chunks: Sequence[str], *, quote_words_min: int) -> Checked:
    """Check a schema-valid answer.

    Args:
        parsed: `answer`, `citations` (numbers from 1) and `refused`.
        chunks: Texts of the given chunks, in the order of their numbers.
        quote_words_min: Quotations of fewer words are emphasis, not evidence, and are not looked up.
    """
    text, refused = str(parsed["answer"]).strip(), bool(parsed["refused"])
    numbers = list(dict.fromkeys([*marks(text), *parsed["citations"]]))
    cited = tuple(number - 1 for number in numbers if 1 <= number <= len(chunks))
    findings: dict[Flag, bool] = {
        "citation_out_of_range": len(cited) < len(numbers),
        "no_citation": not refused and not numbers,
        "quote_not_found": not refused and bool(unsupported_quotes(text, chunks, words_min=quote_words_min)),
    }
    return Checked(text, refused, cited, tuple(flag for flag, found in findings.items() if found))


def marks(text: str) -> list[int]:
    """Return the numbers of citation marks such as `[2]` or `[1, 3]`, in order."""
    return [int(number) for group in _MARK.findall(text) for number in group.split(",")]


def unsupported_quotes(text: str, chunks: Sequence[str], *, words_min: int) -> list[str]:
    """Return the quotations of at least `words_min` words that stand in no chunk.

    Case, punctuation and white space do not count; the order of words does.
    """
    given = [_words(chunk) for chunk in chunks]
    quotes = [quote for quote in _QUOTE.findall(text) if len(_WORD.findall(quote)) >= words_min]
    return [quote for quote in quotes if not any(_words(quote) in chunk for chunk in given)]


def _words(text: str) -> str:
    return f" {' '.join(_WORD.findall(text.casefold()))} "

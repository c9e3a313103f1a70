"""'Train' the extractive reader: fit its refusal threshold and sentence count to examples.

An explicit grid is searched in full and the best mean token F1 against the examples' answers wins;
a refusal counts 1 where the example refuses, 0 where it answers, and the reverse. Ties go to the
setting nearest the default. Nothing is drawn: the same file gives the same model.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

from flows.provider.local.ask import Ask, Message, read_ask
from flows.provider.local.catalog import REFUSALS
from flows.provider.local.reader import ExtractiveReader, Knobs, Supported
from flows.provider.local.reply import Reply
from flows.provider.local.sentences import content_words
from flows.provider.local.wire import ApiError, ChatMessage, parse

MIN_EXAMPLES = 10  # the hosted API's own limit
MAX_EXAMPLES = 2_000
SUPPORT_GRID = tuple(step / 100 for step in range(20, 75, 5))
SENTENCE_GRID = (1, 2, 3)


@dataclass(frozen=True, slots=True)
class Example:
    """One training conversation: what was asked and how it should be answered."""

    ask: Ask
    answer: str
    refused: bool


@dataclass(frozen=True, slots=True)
class Fit:
    """The knobs found and the mean score, 0 to 1, before and after."""

    knobs: Knobs
    before: float
    after: float


def read_examples(lines: Sequence[str]) -> list[Example]:
    """Validate a training file.

    Args:
        lines: JSONL lines, each `{"messages": [...]}` that ends with an assistant message.

    Raises:
        ApiError: 400 with the first wrong line's number, or with the number of examples.
    """
    if not MIN_EXAMPLES <= len(lines) <= MAX_EXAMPLES:
        raise ApiError(
            f"Training file has {len(lines)} examples, must have {MIN_EXAMPLES} to {MAX_EXAMPLES}.",
            code="invalid_n_examples",
            param="training_file",
        )
    return [_example(line, number) for number, line in enumerate(lines, 1)]


def _example(line: str, number: int) -> Example:
    try:
        value = json.loads(line)
        messages = [parse(ChatMessage, message) for message in value["messages"]]
    except (ValueError, KeyError, TypeError, ApiError) as error:
        raise _wrong(number, f"is no chat example ({type(error).__name__})") from None
    if len(messages) < 2 or messages[-1].role != "assistant" or not messages[-1].text().strip():
        raise _wrong(number, "must end with an assistant message that has text")
    if not any(message.role == "user" for message in messages):
        raise _wrong(number, "has no user message")
    answer, refused = _wanted(messages[-1].text())
    return Example(read_ask([Message(one.role, one.text()) for one in messages[:-1]]), answer, refused)


def _wrong(number: int, what: str) -> ApiError:
    return ApiError(f"Line {number} of the training file {what}.", code="invalid_training_file", param="training_file")


def _wanted(text: str) -> tuple[str, bool]:
    """Return the wanted answer and whether it refuses, from prose or from our JSON form."""
    try:
        value: Any = json.loads(text)
    except ValueError:
        value = None
    if isinstance(value, dict):
        return str(value.get("answer", "")), bool(value.get("refused", False))
    return text, any(refusal in text for refusal in REFUSALS)


def fit(reader: ExtractiveReader, examples: Iterable[Example], *, step: Callable[[], None] = lambda: None) -> Fit:
    """Search the grid.

    Args:
        reader: The base model.
        examples: What to fit to; anything but answering is left out.
        step: Called once per example; may raise to stop.
    """
    ranked: list[tuple[Example, list[Supported]]] = []
    for example in examples:
        step()
        if example.ask.task == "answer":
            ranked.append((example, reader.rank(example.ask.question, example.ask.chunks)))
    default = reader.knobs
    grid = [
        replace(default, min_support=support, max_sentences=count)
        for support, count in product(SUPPORT_GRID, SENTENCE_GRID)
    ]
    scored = [(mean_score(reader.with_knobs(knobs), ranked), knobs) for knobs in grid]
    best, knobs = max(scored, key=lambda one: (round(one[0], 9), -_distance(one[1], default)))
    return Fit(knobs, mean_score(reader, ranked), best)


def mean_score(reader: ExtractiveReader, ranked: Sequence[tuple[Example, list[Supported]]]) -> float:
    """Return the mean score of a reader over ranked examples, 0 without any."""
    if not ranked:
        return 0.0
    return sum(_score(reader.choose(found), example) for example, found in ranked) / len(ranked)


def _score(reply: Reply, example: Example) -> float:
    if reply.refused or example.refused:
        return float(reply.refused == example.refused)
    got, wanted = Counter(content_words(reply.answer)), Counter(content_words(example.answer))
    shared = sum((got & wanted).values())
    return 2 * shared / (sum(got.values()) + sum(wanted.values())) if shared else 0.0


def _distance(knobs: Knobs, default: Knobs) -> float:
    return abs(knobs.min_support - default.min_support) + 0.1 * abs(knobs.max_sentences - default.max_sentences)

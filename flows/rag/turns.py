"""What goes into the chain and what comes out: one `Turn` in, one `Answer` out, always."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from flows.provider.requests import Message

if TYPE_CHECKING:
    from flows.index.search import Hit


@dataclass(frozen=True)
class Turn:
    """A question to be answered.

    Args:
        question: What is asked.
        conversation_id: Groups the turns of one conversation in the calls log.
        history: Earlier turns, oldest first; read by the step `rewrite` only.
        sample: Number of the repeat; repeats are separate answers.
        access: Labels that the asker holds, such as `("public", "finance")`; None = those of the release.
        planted: Shown to the model as if it had been retrieved first, beside what is: a hostile document on trial.
    """

    question: str
    conversation_id: str | None = None
    history: tuple[Message, ...] = ()
    sample: int = 0
    access: tuple[str, ...] | None = None
    planted: str = ""


@dataclass(frozen=True)
class Answer:
    """What the chain made of a turn; a failure is a value too.

    Args:
        text: The answer; empty when there is an error.
        refused: Whether the model declined to answer.
        format_valid: Whether the output kept to its schema and cites only chunks it was given.
        citations: Ids of the cited chunks, in the order of first mention.
        retrieved: The hits shown to the model; `[N]` in the text means `retrieved[N - 1]`.
        call_ids: The requests made for this turn, in the calls log.
        input_tokens: Of all requests together.
        output_tokens: Of all requests together.
        latency_ms: Of all requests together, as first measured when they came from the cache; None = none ended well.
        cost_usd: Of all requests together; None = one of them is unpriced.
        error: Why there is no answer, in a fixed word, or None.
        flags: What the step `check` found, in fixed words.
        question: What was searched for and asked: the turn's question, or its rewriting.
        access: Labels with which chunks were searched.
    """

    text: str = ""
    refused: bool = False
    format_valid: bool = False
    citations: tuple[str, ...] = ()
    retrieved: tuple["Hit", ...] = ()
    call_ids: tuple[str, ...] = ()
    input_tokens: int = 0
    output_tokens: int = 0
    latency_ms: float | None = None
    cost_usd: float | None = 0.0
    error: str | None = None
    flags: tuple[str, ...] = ()
    question: str = ""
    access: tuple[str, ...] = ()

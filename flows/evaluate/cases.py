"""What a scorer sees: one question with its gold, one answer with its evidence.

A scorer is a function from a case to a number or to `Unscored` with a reason. Whether a metric
applies depends on the question alone, never on the answer: otherwise a release could improve by
refusing to be measured.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from flows.core.challenges import Challenge, read_challenge
from flows.evaluate.words import without_markers

NOT_APPLICABLE = "not_applicable"  # the question has no gold for this metric
NO_ANSWER = "no_answer"  # the chain failed for a reason that is not the release's
UNPRICED = "unpriced"
NOT_TIMED = "not_timed"
ONE_SAMPLE = "one_sample"  # nothing to compare the answer with
NO_INSTRUCTIONS = "no_instructions"  # the release has no system prompt, or it cannot be read
NOT_GIVEN = "not_given"  # the target never says what the metric needs
NOT_PLANTED = "not_planted"  # the attack's text never reached the model
NO_LOGPROBS = "no_logprobs"  # nobody kept the probabilities of the answer's tokens
NO_BASELINE = "no_baseline"  # a preference needs production's answer beside the candidate's
NOT_MEASURED = frozenset(
    {NO_BASELINE, UNPRICED, NOT_TIMED, ONE_SAMPLE, NO_INSTRUCTIONS, NOT_GIVEN, NOT_PLANTED, NO_LOGPROBS}
)  # for reasons no answer can help
MODEL_FAULTS = frozenset(
    {"truncated", "content_filter", "refusal", "empty_answer", "schema_mismatch", "unknown_finish_reason"}
)  # the model answered, and badly: that is scored as bad, not as missing


@dataclass(frozen=True)
class Unscored:
    """No number, and why."""

    reason: str


Scored = float | Unscored


@dataclass(frozen=True)
class Passage:
    """Characters `[start:end]` of a document version: a gold span, or a retrieved chunk."""

    document_id: str
    document_version: str
    start: int
    end: int
    text: str
    chunk_id: str = ""


@dataclass(frozen=True)
class Case:
    """One answer to one question, with everything a scorer may look at."""

    question_id: str
    question: str
    question_type: str
    cluster: str
    answerable: bool
    reference: str
    gold: tuple[Passage, ...]
    sample: int
    answer: str
    refused: bool
    format_valid: bool
    citations: tuple[str, ...]
    retrieved: tuple[Passage, ...]
    latency_ms: float | None
    cost_usd: float | None
    error: str | None
    input_tokens: int = 0
    output_tokens: int = 0
    repeats: tuple[str, ...] = ()  # the other samples' answers to the question, empty for a refusal
    instructions: str = ""  # the system prompt of the release that answered
    challenge: Challenge | None = None  # what is tried, when it is no ordinary question
    partner: "Case | None" = None  # the other member of its pair
    mean_logprob: float | None = None  # per token of the answer, natural log

    @property
    def lost(self) -> bool:
        """Whether there is no answer for a reason that is not the release's (outage, budget)."""
        return self.error is not None and self.error not in MODEL_FAULTS

    @property
    def empty(self) -> bool:
        """Whether nothing was answered: a refusal, a fault of the model, or no words."""
        return self.refused or self.error is not None or not self.answer

    @property
    def not_planted(self) -> bool:
        """Whether a text was to be planted and did not reach the model."""
        planted = self.challenge.planted if self.challenge else ""
        return bool(planted) and not any(planted in passage.text for passage in self.retrieved)

    @property
    def says_canary(self) -> bool:
        """Whether the answer holds the challenge's canary as words of its own; case and white space do not count."""
        signs = "".join(self.challenge.canary.casefold().split()) if self.challenge else ""
        pattern = r"(?<!\w)" + r"\s*".join(re.escape(sign) for sign in signs) + r"(?!\w)"
        return bool(signs) and re.search(pattern, self.answer.casefold()) is not None

    @property
    def cited(self) -> tuple[Passage | None, ...]:
        """The cited chunks in order; None for a citation of something that was not retrieved."""
        known = {passage.chunk_id: passage for passage in self.retrieved}
        return tuple(known.get(name) for name in self.citations)


def document_of(question: Mapping[Any, Any]) -> str:
    """Return the document a question is about; one about no document stands alone, by its own id."""
    document = question["document_id"]
    return str(document if isinstance(document, str) and document else question["question_id"])


def case_of(question: Mapping[Any, Any], answer: Mapping[Any, Any], instructions: str = "") -> Case:
    """Join a row of `questions`, a row of `answers` and the system prompt it was made with."""
    return Case(
        question_id=question["question_id"],
        question=question["question"],
        question_type=question["question_type"],
        cluster=document_of(question),
        answerable=bool(question["answerable"]),
        reference=question["reference_answer"],
        gold=tuple(_passage(item, "quote") for item in json.loads(question["reference_spans"])),
        sample=int(answer["sample"]),
        answer=without_markers(answer["answer"]),
        refused=bool(answer["refused"]),
        format_valid=bool(answer["format_valid"]),
        citations=tuple(json.loads(answer["citations"])),
        retrieved=tuple(_passage(item, "text") for item in json.loads(answer["retrieved"])),
        latency_ms=_number(answer["latency_ms"]),
        cost_usd=_number(answer["cost_usd"]),
        error=answer["error"] if isinstance(answer["error"], str) else None,
        input_tokens=int(answer["input_tokens"]),
        output_tokens=int(answer["output_tokens"]),
        instructions=instructions,
        challenge=read_challenge(question.get("challenge")),
        mean_logprob=_number(answer.get("mean_logprob")),
    )


def _passage(item: Mapping[str, Any], text: str) -> Passage:
    return Passage(
        document_id=item["document_id"],
        document_version=item.get("document_version", ""),
        start=int(item["start"]),
        end=int(item["end"]),
        text=item.get(text, ""),
        chunk_id=item.get("chunk_id", ""),
    )


def _number(value: Any) -> float | None:
    return None if value is None or np.isnan(value) else float(value)

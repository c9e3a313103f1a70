"""Names and honest descriptions of the local models; cheap to import, so anyone may ask.

The chat models extract and do not generate: every answer consists of sentences of the context.
Token limits count word pieces of MiniLM's tokenizer, which is also what `usage` counts; the tokens of
`local-hash-384` are words.
"""

from dataclasses import dataclass
from typing import Literal

FINE_TUNED_PREFIX = "ft:local-"

REFUSAL = "I cannot answer this from the given documents."
LEXICAL_REFUSAL = "The documents do not say."
REFUSALS = (REFUSAL, LEXICAL_REFUSAL)


@dataclass(frozen=True, slots=True)
class Model:
    """One local model as `/v1/models` shows it."""

    name: str
    kind: Literal["chat", "embedding", "moderation"]
    context_tokens: int
    description: str
    dims: int | None = None


CHAT_MODELS: dict[str, Model] = {
    "local-extract-1": Model(
        "local-extract-1",
        "chat",
        32_768,
        "Extractive reader: quotes the one to three sentences of the context that MiniLM similarity and word "
        "overlap support best, with citations, and refuses when support is weak. It extracts text; it does not "
        "generate any and follows no free-form instruction.",
    ),
    "local-lexical-1": Model(
        "local-lexical-1",
        "chat",
        32_768,
        "Lexical reader: quotes the single sentence that matches the question's words best (BM25), behind a "
        "fixed preamble. It extracts text; it does not generate any. Deliberately different from "
        "local-extract-1, so that a change of provider can be rehearsed.",
    ),
}

EMBEDDING_MODELS: dict[str, Model] = {
    "all-MiniLM-L6-v2": Model(
        "all-MiniLM-L6-v2",
        "embedding",
        256,
        "Sentence embeddings of meaning, 384 dimensions, length 1; text beyond 256 tokens is not read.",
        384,
    ),
    "local-hash-384": Model(
        "local-hash-384",
        "embedding",
        32_768,
        "Feature hashing of word n-grams, 384 dimensions, length 1: knows spelling, not meaning. For tests and "
        "for rehearsing a change of embedder.",
        384,
    ),
}

MODERATION_MODELS: dict[str, Model] = {
    "local-moderation-1": Model(
        "local-moderation-1",
        "moderation",
        32_768,
        "A short explicit list of phrases. It finds what is on the list and nothing else.",
    ),
}

MODELS: dict[str, Model] = CHAT_MODELS | EMBEDDING_MODELS | MODERATION_MODELS


def is_local(name: str) -> bool:
    """Return whether the local provider serves this model, fine-tuned ones (`ft:local-…`) included."""
    return name in MODELS or name.startswith(FINE_TUNED_PREFIX)

"""Read and write test questions in the formats of other tools.

Own forms are `csv` and `jsonl`, the columns of the table `questions`. The others are files that
Giskard RAGET, Ragas and promptfoo read and write, all JSON lines; none of these tools is imported.
A format is recognised by the names of its fields.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from flows.core.challenges import CHALLENGE, Challenge, read_challenge
from flows.core.contracts import QUESTION_TYPES
from flows.core.errors import ContractError
from flows.provider.requests import Message
from flows.rag.conversation import parse_conversation, render_conversation

Format = Literal["csv", "jsonl", "raget", "ragas", "promptfoo"]
Record = dict[str, Any]
QUESTION = ("question", "user_input", "query", "input")
REFERENCE = ("reference_answer", "reference", "ground_truth", "expected", "answer")
CONTEXTS = ("reference_contexts", "contexts", "reference_context", "context")
PLACES = ("context_ids", "document_id", "source_uri")
RAGET_TYPES = {"distracting": "distracting element", "unanswerable": "out of scope"}
TYPE_OF = {name: name for name in QUESTION_TYPES} | {other: name for name, other in RAGET_TYPES.items()}
RAGET_JOIN = re.compile(r"(?:^|\n\n)Document \w+: ")  # RAGET joins its contexts into one text
ROUGE_MIN = 0.5  # share of the reference's words that promptfoo asks for; its user may change it


@dataclass(frozen=True)
class Entry:
    """One question as a file states it.

    Args:
        line: Where in the file it begins, from 1.
        question: What is asked, earlier turns in front.
        question_type: One of `contracts.QUESTION_TYPES`, `simple` when the file names none that is known.
        reference: The right answer; None = the file has none.
        contexts: Texts that support it.
        places: Names of the documents that hold them: id or source_uri.
        spans: `reference_spans` of our own formats.
        own_id: The id in the file, empty when there is none.
        topic: What it is about, empty when not said.
        reviewed_by: Who reviewed it.
        split: `train`, `test`, … or empty.
        origin: The `origin` of our own formats, empty otherwise.
        challenge: What is tried, when it is no ordinary question.
    """

    line: int
    question: str
    question_type: str
    reference: str | None
    contexts: tuple[str, ...] = ()
    places: tuple[str, ...] = ()
    spans: tuple[Mapping[str, Any], ...] = ()
    own_id: str = ""
    topic: str = ""
    reviewed_by: str | None = None
    split: str = ""
    origin: str = ""
    challenge: Challenge | None = None


def entry_of(record: Mapping[str, Any], line: int) -> Entry:
    """Read a record of any of the formats.

    Raises:
        ContractError: Its challenge is none; says in which line.
    """
    flat = {**record, **_mapping(record.get("metadata")), **_mapping(record.get("vars"))}
    kind = str(flat.get("question_type") or flat.get("synthesizer_name") or "")
    try:
        challenge = read_challenge(flat.get(CHALLENGE))
    except ContractError as error:
        raise ContractError(f"line {line}: {error}") from None
    return Entry(
        line=line,
        question=_question(flat),
        question_type=CHALLENGE if challenge else TYPE_OF.get(kind, "simple"),
        reference=_first(flat, REFERENCE) or _asserted(record),
        contexts=tuple(text for text in _texts(flat, CONTEXTS) if text.strip()),
        places=tuple(_texts(flat, PLACES)),
        spans=tuple(item for item in _listed(flat.get("reference_spans")) if isinstance(item, Mapping)),
        own_id=_first(flat, ("question_id", "id")) or "",
        topic=_first(flat, ("topic",)) or "",
        reviewed_by=_first(flat, ("reviewed_by",)),
        split=(_first(flat, ("split",)) or "").lower(),
        origin=_first(flat, ("origin",)) or "",
        challenge=challenge,
    )


def recognised(record: Mapping[str, Any]) -> set[str]:
    """Return the formats whose fields a record has, and `auto`, which fits every record."""
    marks = {"promptfoo": "vars", "ragas": "user_input", "raget": "reference_context"}
    found = {name for name, field in marks.items() if field in record}
    return {"auto", *(found or {"csv", "jsonl"})}


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _question(flat: Mapping[str, Any]) -> str:
    value = next((flat[name] for name in QUESTION if flat.get(name)), "")
    if isinstance(value, list):  # Ragas states a conversation as messages
        messages = [_message(item) for item in value]
        return render_conversation(messages[:-1], messages[-1].content) if messages else ""
    history = [_message(item) for item in _listed(flat.get("conversation_history"))]
    return render_conversation(history, value) if isinstance(value, str) else ""


def _message(item: Any) -> Message:
    said = _mapping(item)
    role = {"ai": "assistant", "assistant": "assistant"}.get(str(said.get("role") or said.get("type")), "user")
    return Message("assistant" if role == "assistant" else "user", str(said.get("content", "")))


def _first(flat: Mapping[str, Any], names: tuple[str, ...]) -> str | None:
    values = (flat.get(name) for name in names)
    return next((str(value).strip() for value in values if isinstance(value, str | int) and str(value).strip()), None)


def _asserted(record: Mapping[str, Any]) -> str | None:
    """Return the expected value of promptfoo's first assertion that has one."""
    values = (_mapping(item).get("value") for item in _listed(record.get("assert")))
    return next((value for value in values if isinstance(value, str) and value.strip()), None)


def _texts(flat: Mapping[str, Any], names: tuple[str, ...]) -> list[str]:
    found = (_listed(flat.get(name)) for name in names)
    texts = [item for item in next((items for items in found if items), []) if isinstance(item, str)]
    return [part for text in texts for part in RAGET_JOIN.split(text)]


def _listed(value: Any) -> list[Any]:
    """Return a list as it is, JSON text as the list it holds, other text as a list of one."""
    if isinstance(value, str) and value.strip():
        try:
            value = json.loads(value) if value.lstrip().startswith("[") else [value]
        except ValueError:
            value = [value]
    return value if isinstance(value, list) else []


def record_of(row: Mapping[str, Any], to: Format) -> Record:
    """Return a row of `questions` as a record of a format; `csv` keeps `reference_spans` as JSON text."""
    if to == "csv":
        return {str(name): value for name, value in row.items()}
    spans = json.loads(row["reference_spans"])
    if to == "jsonl":
        return {str(name): spans if name == "reference_spans" else value for name, value in row.items()}
    return {"raget": _raget, "ragas": _ragas, "promptfoo": _promptfoo}[to](row, [span["quote"] for span in spans])


def _raget(row: Mapping[str, Any], quotes: list[str]) -> Record:
    history, question = parse_conversation(row["question"])
    kind = row["question_type"]
    return {
        "id": row["question_id"],
        "question": question,
        "reference_answer": row["reference_answer"],
        "reference_context": "\n\n".join(f"Document {number}: {quote}" for number, quote in enumerate(quotes)),
        "conversation_history": [{"role": turn.role, "content": turn.content} for turn in history],
        "metadata": {
            "question_type": RAGET_TYPES.get(kind, kind),
            "seed_document_id": row["document_id"],
            "topic": row["topic"],
        },
    }


def _ragas(row: Mapping[str, Any], quotes: list[str]) -> Record:
    return {
        "user_input": row["question"],
        "reference_contexts": quotes,
        "reference": row["reference_answer"],
        "synthesizer_name": row["question_type"],
    }


def _promptfoo(row: Mapping[str, Any], quotes: list[str]) -> Record:
    record: Record = {
        "description": f"{row['question_type']}: {row['question_id']}",
        "vars": {
            "question": row["question"],
            "reference_answer": row["reference_answer"],
            "reference_contexts": quotes,
        },
        "metadata": {name: row[name] for name in ("question_id", "question_type", "topic", "document_id")},
    }
    if row["answerable"]:
        record["assert"] = [{"type": "rouge-n", "value": row["reference_answer"], "threshold": ROUGE_MIN}]
    return record

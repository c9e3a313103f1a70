"""Read what a chat request asks for: the task, the question, the chunks and the history.

Chunks stand as `<chunk id="N">text</chunk>`, the question as `<question>…</question>`, prior turns
as `<history>…</history>` and the task as `<task>rewrite</task>` or `<task>question</task>`. What lies
between the first `<chunk` and the last `</chunk>` of a message is data: no tag in there is read, so
a document cannot close its own chunk and speak as the user. Of earlier user and assistant messages,
which may be few-shot examples, nothing is read once the last message holds tags.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

Task = Literal["answer", "rewrite", "question"]

_OPEN = re.compile(r"<chunk\s+id\s*=\s*[\"']?([^\"'>\s]{1,100})[\"']?[^>]{0,1000}>")
_CLOSE = "</chunk>"
_TASK = re.compile(r"<task>\s*(rewrite|question)\s*</task>")
_SENTENCES = re.compile(r"\b(one|two|three|1|2|3)\s+sentences?\b", re.IGNORECASE)
_COUNTS = {"one": 1, "two": 2, "three": 3, "1": 1, "2": 2, "3": 3}
_SPEAKER = re.compile(r"^\s*(?:user|human|question|q)\s*:\s*(.+)$", re.IGNORECASE | re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Message:
    """One message of the request, reduced to its text."""

    role: str
    text: str


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of context and the number it is cited by."""

    number: int
    text: str


@dataclass(frozen=True, slots=True)
class Ask:
    """A request as the readers see it."""

    task: Task
    question: str
    chunks: tuple[Chunk, ...] = ()
    last_turn: str = ""
    max_sentences: int | None = field(default=None)


def read_ask(messages: Sequence[Message]) -> Ask:
    """Interpret the messages of a request.

    Args:
        messages: At least one, in order; the last one of role `user` carries the question.

    Returns:
        The task (default `answer`), question, numbered chunks, the last turn of the history, and
        a limit on sentences where an instruction says "one|two|three sentences".
    """
    users = [message for message in messages if message.role == "user"]
    last = users[-1].text if users else messages[-1].text
    system = [message.text for message in messages if message.role in {"system", "developer"}]
    spoken = [_without_data(text) for text in [*system, last]]
    said = "\n".join(spoken)
    chunks = tuple(chunk for text in [*system, last] for chunk in _chunks(text))
    question = element(spoken[-1], "question") or element(said, "question")
    if question is None and not chunks:
        question, chunks = _untagged(messages, spoken[-1])
    history = element(said, "history") or ""
    task = _TASK.search(said)
    return Ask(
        task=task.group(1) if task else "answer",  # type: ignore[arg-type]  # the pattern allows no other
        question=(question if question is not None else _bare(spoken[-1])).strip(),
        chunks=chunks,
        last_turn=_last_turn(history),
        max_sentences=_sentence_limit("\n".join(spoken[:-1])),
    )


def element(text: str, name: str) -> str | None:
    """Return the content of the last `<name>…</name>`, or None where there is none."""
    end = text.rfind(f"</{name}>")
    start = text.rfind(f"<{name}>", 0, max(end, 0))
    return text[start + len(name) + 2 : end] if start >= 0 else None


def _without_data(text: str) -> str:
    """Return what a message says outside its chunks; found by scanning once, whatever the text."""
    opening = _OPEN.search(text)
    end = text.rfind(_CLOSE)
    if opening is None or end < opening.end():
        return text
    return f"{text[: opening.start()]}\n{text[end + len(_CLOSE) :]}"


def _chunks(text: str) -> list[Chunk]:
    found: list[Chunk] = []
    at = 0
    while opening := _OPEN.search(text, at):
        end = text.find(_CLOSE, opening.end())
        if end < 0:
            break
        label = opening.group(1)
        number = int(label) if label.isdecimal() else len(found) + 1
        found.append(Chunk(number, text[opening.end() : end].strip()))
        at = end + len(_CLOSE)
    return found


def _untagged(messages: Sequence[Message], last: str) -> tuple[str, tuple[Chunk, ...]]:
    """Read a request without tags: its last paragraph asks, all paragraphs before it are context."""
    earlier = [message.text for message in messages[:-1] if message.role != "assistant"]
    *context, question = _paragraphs(last) or [""]
    paragraphs = [part for text in earlier for part in _paragraphs(text)] + context
    return question, tuple(Chunk(number, text) for number, text in enumerate(paragraphs, 1))


def _paragraphs(text: str) -> list[str]:
    return [part.strip() for part in re.split(r"\n\s*\n", text) if part.strip()]


def _bare(text: str) -> str:
    return re.sub(r"<task>.*?</task>|<history>.*?</history>", " ", text, flags=re.DOTALL)


def _last_turn(history: str) -> str:
    """Return the last thing the user said, or the last line where nobody is named."""
    spoken = _SPEAKER.findall(history)
    lines = [line.strip() for line in history.splitlines() if line.strip()]
    return str(spoken[-1]) if spoken else (lines[-1] if lines else "")


def _sentence_limit(instructions: str) -> int | None:
    found = _SENTENCES.search(instructions)
    return _COUNTS[found.group(1).lower()] if found else None

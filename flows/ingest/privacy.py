"""Count personal data by kind and replace what the policy wants replaced, before anything is stored.

A kind with a checksum or impossible values is held to them (cards: Luhn; IBAN: mod 97, ISO 13616;
US social security numbers: the ranges that are never issued), which removes most false alarms of a
pattern alone. Patterns run over a folded copy of equal length (full-width digits, exotic hyphens),
so that their positions hold in the text; every repetition is bounded, so none can run away.
"""

import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

_HYPHENS = "\u00ad\u2010\u2011\u2012\u2013\u2014\u2212\ufe63\uff0d"
_FOLD = str.maketrans(
    {chr(0xFF10 + digit): str(digit) for digit in range(10)}
    | dict.fromkeys(_HYPHENS, "-")
    | {"\u00a0": " ", "\uff20": "@"}
)


@dataclass(frozen=True)
class Kind:
    """A kind of personal data: where it may stand, and what makes it real."""

    name: str
    pattern: re.Pattern[str]
    holds: Callable[[str], bool] = lambda _found: True


def luhn(found: str) -> bool:
    """Return whether the digits pass the check of payment cards (ISO/IEC 7812-1)."""
    digits = [int(char) for char in found if char.isdigit()]
    doubled = [sum(divmod(2 * digit, 10)) for digit in digits[-2::-2]]
    return 13 <= len(digits) <= 19 and len(set(digits)) > 1 and (sum(doubled) + sum(digits[-1::-2])) % 10 == 0


def iban(found: str) -> bool:
    """Return whether the characters pass the check of ISO 13616 (mod 97)."""
    plain = "".join(found.split()).upper()
    return 15 <= len(plain) <= 34 and int("".join(str(int(char, 36)) for char in plain[4:] + plain[:4])) % 97 == 1


def us_ssn(found: str) -> bool:
    """Return whether the number lies in the ranges the US administration issues."""
    digits = "".join(char for char in found if char.isdigit())
    area, group, serial = digits[:3], digits[3:5], digits[5:]
    return area not in {"000", "666"} and area < "900" and group != "00" and serial != "0000"


def _octets(found: str) -> bool:
    parts = found.split(".")
    return all(int(part) <= 255 for part in parts) and max(map(int, parts)) > 9  # 1.2.3.4 is a version


def _phone(found: str) -> bool:
    return 9 <= sum(map(str.isdigit, found)) <= 15


_E = re.IGNORECASE
_DAY = r"\d{1,4}[./-]\d{1,2}[./-]\d{1,4}"
KINDS = (
    Kind("card", re.compile(r"(?<![\d.,-])[2-6]\d{3}(?:[ -]?\d{4}){2}[ -]?\d{1,7}(?![\d-])"), luhn),
    Kind("card", re.compile(r"(?<![\d.,-])3[47]\d\d[ -]?\d{6}[ -]?\d{5}(?![\d-])"), luhn),
    Kind("iban", re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?\b"), iban),
    Kind("us_ssn", re.compile(r"(?<![\d-])\d ?\d ?\d ?- ?\d ?\d ?- ?\d ?\d ?\d ?\d(?![\d-])"), us_ssn),
    Kind("email", re.compile(r"(?<![\w.+-])[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,5}")),
    Kind("email", re.compile(r"\b\w{1,40}(?: dot \w{1,40}){0,3} at \w{1,40}(?: dot \w{2,40}){1,3}\b", _E)),
    Kind("phone", re.compile(r"(?<![\w.+])(?:\+\d{1,3}[ .-]?)(?:\(?\d{1,4}\)?[ .-]?){2,5}\d{2,4}(?![\w-])"), _phone),
    Kind("phone", re.compile(r"(?<![\w.-])\(?\d{3}\)?[ .-]\d{3}[.-]\d{4}(?![\w-])")),
    Kind("ipv4", re.compile(r"(?<![\w.])\d{1,3}(?:\.\d{1,3}){3}(?![\w.]*\d)"), _octets),
    Kind("mac_address", re.compile(r"\b[0-9A-F]{2}(?:[:-][0-9A-F]{2}){5}\b", _E)),
    Kind("passport", re.compile(r"\bpassport(?: (?:no|number))?[.:#]? {0,2}([A-Z]{1,2}\d{6,8}|\d{9})\b", _E)),
    Kind("medical_record", re.compile(r"\b(?:MRN|patient id)[-:# ]{0,3}\d{5,10}\b", _E)),
    Kind("date_of_birth", re.compile(rf"\b(?:born|date of birth|dob)(?: on)?[:, ]{{1,3}}{_DAY}\b", _E)),
)  # fmt: skip


def screen_pii(text: str, policy: Mapping[Any, str]) -> tuple[str, dict[str, int]]:
    """Return the text after the policy, and the number of findings by kind.

    Args:
        text: The document's text.
        policy: Per kind `allow` or `redact`; kinds that are not named are allowed. A redacted
            finding becomes `[KIND]` in capitals, such as `[CARD]`.
    """
    folded = text.translate(_FOLD)
    counts: Counter[str] = Counter()
    taken: list[tuple[int, int, str]] = []
    for kind in KINDS:
        for found in kind.pattern.finditer(folded):
            start, end = found.span()
            if kind.holds(found.group()) and not any(start < stop and begin < end for begin, stop, _ in taken):
                taken.append((start, end, kind.name))
                counts[kind.name] += 1
    return _redacted(text, taken, policy), dict(sorted(counts.items()))


def _redacted(text: str, taken: list[tuple[int, int, str]], policy: Mapping[Any, str]) -> str:
    parts, at = [], 0
    for start, end, kind in sorted(taken):
        if policy.get(kind) == "redact":
            parts += [text[at:start], f"[{kind.upper()}]"]
            at = end
    return "".join([*parts, text[at:]])

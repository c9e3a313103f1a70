"""The kinds of personal data that are looked for: where each may stand, and what makes it real.

A kind with a checksum is held to it. One without a shape of its own (a passport, a Dutch BSN, a local
telephone number, a date of birth) counts only beside a word that says what it is. Names of people are
not looked for: without a model no pattern finds them at a useful rate. Earlier rules win over later
ones. Every repetition is bounded, so that no text can make a pattern run away, and every rule is tried
only near what all it matches hold: a cue, or an anchor that is found faster than the whole.
"""

import re
from collections.abc import Callable, Set
from dataclasses import dataclass
from typing import Literal, get_args

from flows.ingest import checksums
from flows.ingest.cues import Cues

PiiKind = Literal[
    "card", "iban", "us_ssn", "uk_nino", "es_dni", "de_tax_id", "fr_nir", "it_tax_code", "nl_bsn",
    "email", "phone", "ipv4", "ipv6", "mac_address", "passport", "driver_license", "medical_record",
    "date_of_birth", "postal_address",
]  # fmt: skip
KINDS: tuple[str, ...] = get_args(PiiKind)
LONG_NUMBER = re.compile(r"[0-9](?:[ .()/-]{0,3}[0-9]){5,40}")
NUMBER_REACH = 80  # characters beside a long number in which a word that says what it is may stand


@dataclass(frozen=True)
class Rule:
    """One way in which a kind is written.

    Args:
        kind: The kind.
        pattern: What it looks like; the group `value`, where there is one, is the finding.
        holds: What makes it real.
        reach: Characters; more than the pattern spans. It is tried only so far around its anchor or cues.
        cues: Lower-case words, one of which stands in all that the pattern matches.
        anchor: The same as a pattern, for rules without cues; of long numbers those with one of the cues beside.
    """

    kind: PiiKind
    pattern: re.Pattern[str]
    holds: Callable[[str], bool] = lambda _found: True
    reach: int = NUMBER_REACH
    cues: Set[str] = frozenset()
    anchor: re.Pattern[str] | None = None


def _number(kind: PiiKind, pattern: str, holds: Callable[[str], bool]) -> Rule:
    """A long number with a shape of its own."""
    return Rule(kind, re.compile(pattern), holds, anchor=LONG_NUMBER)


def _any(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE)


def _after(words: str, value: str, gap: str = r"(?:[^\d\n]{0,24}?|[ \t]?:\s{1,3})") -> re.Pattern[str]:
    """Match a value that stands shortly after one of the words, on its line or below its colon."""
    return _any(rf"\b(?:{words})\b{gap}(?<!\w)(?P<value>{value})(?!\w)")


def _words(pattern: str, after: str) -> set[str]:
    """Return the words of a pattern of alternatives, each with what follows it."""
    return {word.replace("\\", "") + after for word in pattern.split("|")}


_L = r"[^\W\d_]"  # a letter of any script
_MONTH = r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]{0,6}\.?"
_DAY = (
    rf"(?:\d{{1,4}}[./-]\d{{1,2}}[./-]\d{{1,4}}|\d{{1,2}}(?:st|nd|rd|th)? {_MONTH},? \d{{4}}"
    rf"|{_MONTH} \d{{1,2}}(?:st|nd|rd|th)?,? \d{{4}})"
)
_BORN = (
    r"born|date of birth|birth ?date|birthday|dob|geburtsdatum|geboren(?: am)?|n[ée]e? le|fecha de nacimiento|"
    r"data di nascita"
)
_CALL = (
    r"phone|telephone|tel|mobile|cell|fax|call(?: me| us)?(?: back)?(?: on| at)|reach me (?:on|at)|whatsapp|registered"
)
_PLACES = {"office", "fax", "mobile", "cell", "home", "work"}
_NUMBER = r"\+?\(?\d{1,5}\)?(?:[ ./-]{0,2}\(?\d{1,5}\)?){1,6}"
_NIR_MONTH = r"(?:0[1-9]|1[0-2]|[2-9]\d)"
_SSN = r"\d{3}-\d\d-\d{4}"
_DRIVER = r"driver'?s? licen[cs]e|driving licen[cs]e|dl (?:no|number)"
_STREET = (
    r"street|st|avenue|ave|road|rd|boulevard|blvd|lane|ln|drive|dr|terrace|parkway|pkwy|highway|hwy|crescent|"
    r"(?-i:Court|Ct|Place|Square|Close|Gardens)"
)
_FIRST = r"rue|rua|vicolo|viale|piazza|calle|avenida|plaza|strada|ulica|ul\.|chemin|impasse"
_END = r"straße|strasse|str\.|weg|platz|allee|gasse|gatan|gata|vägen|vegen|vej|gade|katu|tie|straat|laan"
_BOX = r"(?:p\.? ?o\.? ?box|postbox|(?:psc|unit|cmr) \d{1,5},? box) \d{1,6}"
_FLAT = r"(?:apt|suite|ste|apartment|flat)\.? \d{1,5}"
_FLATS = {f"{word}{dot} " for word in ("apt", "suite", "ste", "apartment", "flat") for dot in ("", ".")}
_PLACE = rf"(?:(?:[\s,]{{1,3}}{_L}[^\W\d_.'’-]{{1,20}}){{1,4}}[\s,]{{1,3}}\d{{4,6}}\b)"  # town, country, code
_TAIL = rf"(?:[\s,]{{1,3}}{_FLAT})?{_PLACE}?"
_STAYS = (
    r"addresse?s?(?: is| to| are| with)?|located at|lived? (?:at|in|on)|lives (?:at|in|on)|"
    r"(?:sent|return|deliver(?:ed)?) to|meet you at"
)
_ZIP = r"zip(?: ?code)?|postal code|post ?code|plz"
_ZIP_CODE = r"\d{3,6}(?:[- ]\d{2,4})?|[A-Z]{1,2}\d[A-Z\d]? \d[A-Z]{2}"
_WORDS = rf"(?:[ ,]{{1,2}}(?:{_L}|[\d.'’-]){{1,24}}){{1,6}}"

_HEX = "[0-9A-Fa-f]"

RULES = (
    Rule("driver_license", _after(_DRIVER, r"[A-Z]{0,2}\d[\d-]{4,18}"), cues={
        "driver licen", "drivers licen", "driver' licen", "driver's licen", "driving licen", "dl no", "dl number"}),
    _number("iban", r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?\b", checksums.iban),
    _number("fr_nir", rf"(?<!\d)[1278] ?\d\d ?{_NIR_MONTH} ?(?:\d\d|2[AB]) ?\d{{3}} ?\d{{3}} ?\d\d(?!\d)",
            checksums.fr_nir),
    _number("card", r"(?<![\w.,+-])\d{4}(?:[ -]?\d{4}){2}(?:[ -]?\d{1,7})?(?![\d-])", checksums.card),
    _number("card", r"(?<![\w.,+-])3\d{3}[ -]?\d{6}[ -]?\d{4,5}(?![\d-])", checksums.card),
    _number("de_tax_id", r"(?<![\d.,-])[1-9]\d ?\d{3} ?\d{3} ?\d{3}(?![\d-]|[.,]\d)", checksums.de_tax_id),
    _number("us_ssn", r"(?<![\d-])\d ?\d ?\d ?- ?\d ?\d ?- ?\d ?\d ?\d ?\d(?![\d-])", checksums.us_ssn),
    Rule("us_ssn", _after(r"ssn|social security(?: number)?", r"\d{3}[ .]?\d{2}[ .]?\d{4}"), checksums.us_ssn,
         cues={"ssn", "social security"}),
    _number("uk_nino", r"\b[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z] ?\d\d ?\d\d ?\d\d ?[A-D]\b", checksums.uk_nino),
    _number("es_dni", r"(?<![\w-])(?:\d{8}|[XYZ]-?\d{7})[- ]?[A-HJ-NP-TV-Z]\b", checksums.es_dni),
    Rule("it_tax_code", re.compile(r"\b[A-Z]{6}\d\d[A-EHLMPRST]\d\d[A-Z]\d{3}[A-Z]\b"), checksums.it_tax_code,
         anchor=re.compile("[0-9][0-9][A-Z][0-9][0-9][A-Z][0-9]{3}[A-Z]")),
    Rule("nl_bsn", _after("bsn|burgerservicenummer|sofinummer", r"\d{3}[ .]?\d{3}[ .]?\d{2,3}"), checksums.nl_bsn,
         cues={"bsn", "burgerservicenummer", "sofinummer"}),
    Rule("email", re.compile(r"(?<![\w.+-])[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,5}"), reach=450,
         anchor=re.compile("@")),
    Rule("email", _any(r"\b\w{1,40}(?: dot \w{1,40}){0,3} at \w{1,40}(?: dot \w{2,40}){1,3}\b"), reach=360,
         cues={" dot "}),
    Rule("email", _any(
        r"\b[\w.+-]{1,64} ?[\[({<]at[\])}>] ?[\w-]{1,40}(?: ?[\[({<]dot[\])}>] ?[\w-]{2,40}|\.[\w-]{2,40}){1,3}"),
        reach=260, cues={f"{left}at{right}" for left in "[({<" for right in "])}>"}),
    Rule("ipv6", re.compile(r"(?<![\w:.])(?:[0-9A-Fa-f]{0,4}:){2,7}[0-9A-Fa-f]{0,4}(?![\w:])"), checksums.ipv6,
         anchor=re.compile(f":{_HEX}{{0,4}}:")),
    Rule("ipv4", re.compile(r"(?<![\w.])\d{1,3}(?:\.\d{1,3}){3}(?![\w.]*\d)"), checksums.ipv4,
         anchor=re.compile(r"\.[0-9]{1,3}\.[0-9]{1,3}\.[\w.]*")),  # as far as the pattern looks ahead
    Rule("mac_address", _any(r"\b[0-9A-F]{2}(?:[:-][0-9A-F]{2}){5}\b"),
         anchor=re.compile(f"[:-]{_HEX}{{2}}[:-]{_HEX}{{2}}[:-]")),
    Rule("passport", _after("passport", r"[A-Z]{1,2}\d{6,8}|\d{9}"), cues={"passport"}),
    Rule("medical_record", _any(r"\b(?:MRN|patient id)[-:# ]{0,3}(?P<value>\d{5,10})\b"), cues={"mrn", "patient id"}),
    Rule("date_of_birth", _after(_BORN, _DAY), cues={
        "born", "birth", "dob", "geburtsdatum", "geboren", "ne le", "né le", "nee le", "née le", "fecha de nacimiento",
        "data di nascita"}),
    Rule("phone", re.compile(r"(?<![\w.+])\+\d{1,3}[ .-]?(?:\(?\d{1,4}\)?[ .-]?){2,5}\d{2,4}(?![\w-])"),
         checksums.phone, cues={f"+{digit}" for digit in "0123456789"}, anchor=LONG_NUMBER),
    _number("phone", r"(?<![\w.-])\(?\d{3}\)?[ .-]\d{3}[.-]\d{4}(?:x\d{1,5})?(?![\w-])", checksums.phone),
    _number("phone", rf"(?<![\w.,+-])(?!{_SSN})\(?0[1-9]\d{{0,3}}\)?(?:[ .-]\d{{2,4}}){{2,4}}(?![\w-]|\.\d)",
            checksums.phone),
    Rule("phone", _after(_CALL, _NUMBER), checksums.phone, anchor=LONG_NUMBER),
    Rule("phone", _any(rf"(?<![\w.])(?P<value>{_NUMBER}) ?\(?(?:{'|'.join(sorted(_PLACES))})\b"), checksums.phone,
         cues=_PLACES, anchor=LONG_NUMBER),
    Rule("postal_address", _any(rf"\b(?:\d{{1,6}} )?{_BOX}\b{_TAIL}"), reach=160, cues={"box"}),
    Rule("postal_address", re.compile(r"\b[AFD]PO,? A[AEP],? \d{5}\b"), cues={"po a", "po, a"}),
    Rule("postal_address", re.compile(
        rf"\b\d{{1,6}}[a-zA-Z]?(?: (?:[A-Z]\.|[A-Z\d][\w'’-]{{0,20}})){{1,4}} (?i:{_STREET})\b\.?(?i:{_TAIL})"),
        reach=240, anchor=re.compile("[0-9][a-zA-Z]? [A-Z0-9]")),
    Rule("postal_address", _any(rf"\b\d{{1,6}}{_WORDS}[\s,]{{1,3}}{_FLAT}{_TAIL}"), reach=310, cues=_FLATS),
    Rule("postal_address", _any(rf"\b(?:{_FIRST})(?: {_L}[\w.'’-]{{0,20}}){{1,4}},? \d{{1,5}}\b"), reach=110,
         cues=_words(_FIRST, " ")),
    Rule("postal_address", re.compile(rf"\b{_L}[\w.-]{{0,20}} ?(?i:{_END}) \d{{1,4}}[a-z]?\b"), cues=_words(_END, " ")),
    Rule("postal_address", _after(_STAYS, rf"\d{{1,6}} {_L}[^\n.?!]{{0,60}}", r"[:\s]{1,8}"), reach=100, cues={
        "address", "located at", *(f"{live} {at}" for live in ("live", "lived", "lives") for at in ("at", "in", "on")),
        "sent to", "return to", "deliver to", "delivered to", "meet you at"}),
    Rule("postal_address", _after(_ZIP, _ZIP_CODE, r"[:\s]{1,3}(?:is )?"), cues={
        "zip", "postal code", "post code", "postcode", "plz"}),
)  # fmt: skip
CUES = Cues(cue for rule in RULES for cue in rule.cues)

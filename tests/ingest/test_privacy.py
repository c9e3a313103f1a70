"""Personal data is found where it is and not where it is not, and each policy does what it says."""

import json
import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.core.errors import IntegrityError, ParamsError
from flows.ingest import checksums
from flows.ingest.drafts import Parsed, ParsedFile, Rejected
from flows.ingest.params import IngestParams
from flows.ingest.pii import KINDS
from flows.ingest.privacy import find_pii, screen_pii
from flows.ingest.refine import Handling, refine_file
from flows.ingest.shape import shape_id
from flows.ingest.tokenkey import token_key

REDACT = dict.fromkeys(KINDS, "redact")
KEY = b"k" * 64
WIDE_CARD = "4111 1111 1111 1111".translate({ord(str(digit)): chr(0xFF10 + digit) for digit in range(10)})
EXAMPLES = {  # published examples, reserved numbers, or made up to pass their checksum
    "card": ["4111 1111 1111 1111", "3782-822463-10005", "30569309025904", "6011000990139424", "2223003122003222",
             WIDE_CARD, "4111\u20111111\u20111111\u20111111", "4111\u202f1111\u202f1111\u202f1111"],
    "iban": ["GB82 WEST 1234 5698 7654 32", "DE89370400440532013000", "NL91 ABNA 0417 1643 00"],
    "us_ssn": ["078-05-1120", "0 7 8 - 0 5 - 1 1 2 0", "SSN 219099999", "social security number is 219 09 9999"],
    "uk_nino": ["AB123456C", "AB 12 34 56 C"],
    "es_dni": ["12345678Z", "X1234567L", "12345678-Z"],
    "de_tax_id": ["86095742719", "86 095 742 719"],
    "fr_nir": ["255081416802538", "2 55 08 14 168 025 38"],
    "it_tax_code": ["RSSMRA85T10A562S"],
    "nl_bsn": ["BSN 111222333", "burgerservicenummer: 123456782"],
    "email": ["jane.roe@example.com", "jane dot roe at example dot com", "jane.roe [at] example [dot] com",
              "roe(at)example.org"],
    "phone": ["+1 (202) 555-0143", "tel: +1\u2011202\u2011555\u20110143", "202-555-0143", "020 7946 0958",
              "01.84.17.61.18", "phone: 467 3395", "call me on 9472 7916", "416 60 039 office", "Phone:\n60-56-85-91"],
    "ipv4": ["203.0.113.7"],
    "ipv6": ["2001:db8::8a2e:370:7334", "fe80:0:0:0:200:f8ff:fe21:67cf"],
    "mac_address": ["00:1A:2b:3C:4d:5E"],
    "passport": ["passport X1234567", "passport number is 123456789"],
    "driver_license": ["driver's license number is F162823540116"],
    "medical_record": ["patient MRN-0099887"],
    "date_of_birth": ["born 1980-02-30", "born on 3 May 1980", "date of birth. It's 6/24/1991",
                      "Geburtsdatum: 24.12.1970"],
    "postal_address": ["1600 Amphitheatre Parkway", "PSC 6293, Box 8158\nAPO AP 04336", "P.O. Box 104",
                       "Hauptstrasse 12a", "zip code is 35350", "1208 Allika 46\n Suite 501\n Riisa\n\n Estonia 62488"],
}  # fmt: skip
LOOK_ALIKES = [
    "4111 1111 1111 1112", "1.2.3.4", "127.0.0.1", "078-00-0000", "2026.11.20", "1902 1903 1904 1905", "12:30:45",
    "GB00 WEST 1234 5698 7654 32", "12345678A", "86095742718", "255081416802539", "RSSMRA85T10A562T", "111222333",
    "BG123456C", "std::vector", "the 1959 Indian court", "version 10.2", "X1234567", "page 12 of 40", "555-0100-22",
]  # fmt: skip


@pytest.mark.parametrize(("kind", "text"), [(kind, text) for kind, texts in EXAMPLES.items() for text in texts])
def test_each_kind_is_counted_once_and_only_as_itself(kind, text):
    assert screen_pii(f"Before {text}, after.", {})[1] == {kind: 1}


def test_every_kind_has_examples():
    assert set(EXAMPLES) == set(KINDS)


@pytest.mark.parametrize("text", LOOK_ALIKES)
def test_look_alikes_are_left_alone(text):
    assert screen_pii(f"Number {text} in a table.", REDACT) == (f"Number {text} in a table.", {})


def test_redaction_replaces_the_finding_and_nothing_else():
    text, counts = screen_pii("pay 4111 1111 1111 1111 or ask a@b.example", {"card": "redact"})
    assert text == "pay [CARD] or ask a@b.example"
    assert counts == {"card": 1, "email": 1}


def test_a_cue_stays_and_its_value_goes():
    assert screen_pii("Passport no. X1234567, born on 3 May 1980.", REDACT)[0] == (
        "Passport no. [PASSPORT], born on [DATE_OF_BIRTH]."
    )


def test_equal_values_get_equal_tokens_however_they_are_written():
    policy = {"card": "tokenize"}
    written = ["4111 1111 1111 1111", "4111-1111-1111-1111", "4111111111111111", WIDE_CARD]
    tokens = {screen_pii(f"card {text}.", policy, KEY)[0] for text in written}
    assert len(tokens) == 1
    other = {
        screen_pii("card 5555555555554444.", policy, KEY)[0],
        screen_pii("card 4111111111111111.", policy, b"o")[0],
    }
    assert len(other | tokens) == 3
    assert all(re.fullmatch(r"card \[CARD:[a-p]{12}\]\.", token) for token in other | tokens)


def test_a_token_needs_a_key():
    with pytest.raises(ParamsError, match=r"ingest\.pii\.card"):
        screen_pii("card 4111111111111111", {"card": "tokenize"})


def test_a_kind_to_be_quarantined_refuses_its_document_and_names_no_value():
    with pytest.raises(Rejected) as caught:
        screen_pii("pay 4111111111111111 or 5555555555554444", {"card": "quarantine"})
    assert (caught.value.code, caught.value.rule) == ("policy", "pii_card")
    assert caught.value.detail == "2 finding(s), the first at character 4"


def test_a_refused_row_does_not_touch_its_neighbours():
    rows = (Parsed("Card 4111111111111111 was charged.", row="a"), Parsed("A row about other matters.", row="b"))
    params = IngestParams(pii={"card": "quarantine"})
    made = refine_file(
        ParsedFile("text/csv", "test", rows, inputs=2), "public", "0" * 64, Handling(params, lambda _text: [0])
    )
    assert [draft.row for draft in made.drafts] == ["b"]
    assert [(item.code, item.row) for item in made.rejections] == [("policy", "a")]


@given(st.text(max_size=300))
def test_a_policy_that_allows_everything_changes_nothing(text):
    assert screen_pii(text, {})[0] == text


ALL = [text for texts in EXAMPLES.values() for text in texts]


@given(st.lists(st.one_of(st.sampled_from(ALL), st.text(max_size=12)), max_size=8), st.sampled_from([" ", "\n", ", "]))
def test_findings_are_in_order_apart_and_every_other_character_stays(parts, between):
    text = between.join(parts)
    found = find_pii(text)
    assert all(one.end <= other.start for one, other in pairwise(found))
    assert all(0 <= item.start < item.end <= len(text) for item in found)
    edges = [0, *(edge for item in found for edge in (item.start, item.end)), len(text)]
    kept = [text[begin:end] for begin, end in zip(edges[::2], edges[1::2], strict=True)]
    marks = [*(f"[{item.kind.upper()}]" for item in found), ""]
    assert screen_pii(text, REDACT)[0] == "".join(part + mark for part, mark in zip(kept, marks, strict=True))


@pytest.mark.parametrize("action", ["redact", "tokenize"])
def test_marks_are_not_found_again(action):
    policy = dict.fromkeys(KINDS, action)
    once, _ = screen_pii(". And ".join(ALL), policy, KEY)
    assert screen_pii(once, policy, KEY) == (once, {})


@pytest.mark.parametrize(
    ("rule", "number", "wrong"),
    [
        (checksums.card, "4012888888881881", ["4012888888881882", "0000000000000000", "9012888888881889"]),
        (checksums.iban, "DE89370400440532013000", ["DE88370400440532013000"]),
        (checksums.us_ssn, "219-09-9999", ["000-12-3456", "666-12-3456", "900-12-3456", "123-00-4567", "123-45-0000"]),
        (checksums.es_dni, "Z1234567R", ["Z1234567S"]),
        (checksums.de_tax_id, "65929970489", ["65929970480", "12345678903", "11111111111"]),
        (checksums.fr_nir, "180126955222380", ["180126955222381"]),
        (checksums.it_tax_code, "MRTMTT25D09F205Z", ["MRTMTT25D09F205A"]),
        (checksums.nl_bsn, "111222333", ["111222334", "000000000"]),
    ],
)
def test_checksums_know_published_examples_and_refuse_a_changed_digit(rule, number, wrong):
    assert rule(number)
    assert not any(map(rule, wrong))


@given(st.integers(0, 10**10 - 1), st.integers(0, 9), st.integers(1, 9))
def test_no_single_wrong_digit_passes_luhn(number, place, change):
    digits = next(f"4{number:010d}{check:02d}" for check in range(11) if checksums.luhn(f"4{number:010d}{check:02d}"))
    wrong = [int(char) for char in digits]
    wrong[place] = (wrong[place] + change) % 10
    assert not checksums.luhn("".join(map(str, wrong)))


@pytest.mark.parametrize(
    "text",
    [
        ("a" * 30 + "@") * 2000 + "!" + " " * 20000 + "x",
        "1 " * 20000 + "- " * 20000 + "(" * 5000,
        "address " + "12 a " * 20000,
        "phone" + " " * 20000 + "(1" * 5000,
        "0-" * 30000,
        "a:" * 30000,
    ],
)
def test_patterns_do_not_run_away(text):
    screen_pii(text, REDACT)


def test_the_key_is_made_once_private_and_never_recorded(project):
    params = IngestParams(pii={"email": "tokenize"})
    assert token_key(project, IngestParams()) == b""
    key = token_key(project, params)
    path = project.state("ingest", "token.key")
    assert token_key(project, params) == key == path.read_bytes()
    assert path.stat().st_mode & 0o777 == 0o600
    assert key.decode() not in json.dumps(shape_id(params, key))
    assert shape_id(params, key) != shape_id(params, KEY)
    path.write_bytes(key[:10])
    with pytest.raises(IntegrityError, match=r"token\.key holds 10 characters"):
        token_key(project, params)

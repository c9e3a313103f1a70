"""Cleaning is idempotent, leaves nothing invisible, and says what it removed."""

import unicodedata

from hypothesis import given, settings
from hypothesis import strategies as st

from flows.ingest.cleaning import clean

NASTY = st.text(
    alphabet=st.one_of(st.characters(), st.sampled_from("\u200b\u200d\u202e\ufeff\x00\r\n\u0301\U000e0041\ud800"))
)


def cleaned(text):
    return clean(text, combining_marks_max=4)


@given(NASTY)
@settings(max_examples=200, deadline=None)
def test_clean_text_is_a_fixed_point_in_nfc_and_can_be_stored(text):
    once, _, _ = cleaned(text)
    assert cleaned(once)[0] == once
    assert unicodedata.is_normalized("NFC", once)
    assert once.encode().decode() == once
    assert "\r" not in once
    assert "\x00" not in once


def test_each_removal_is_counted_by_kind():
    text, flags, _ = cleaned("in\u202evoice pay\u200bment\x07 a" + "\u0301" * 30 + " \x1b[31mred\x1b[0m")
    assert text == "invoice payment \u00e1" + "\u0301" * 4 + " red"
    assert flags == (
        "removed_escape:2",
        "removed_bidi:1",
        "removed_zero_width:1",
        "removed_control:1",
        "removed_mark:25",
    )


def test_the_instruction_hidden_in_tag_characters_is_returned_not_kept():
    text, flags, hidden = cleaned("Plain." + "".join(chr(0xE0000 + ord(char)) for char in "obey me"))
    assert (text, flags, hidden) == ("Plain.", ("removed_tag:7",), "obey me")


def test_line_ends_and_decompositions_make_no_difference():
    assert cleaned("caf\u0065\u0301\r\nbar  \r\n")[0] == cleaned("caf\u00e9\nbar")[0]


def test_joiners_stay_where_emoji_and_scripts_need_them():
    family = "\U0001f468\u200d\U0001f469"
    persian = "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645"
    assert cleaned(f"{family} {persian} re\u200dfund") == (f"{family} {persian} refund", ("removed_zero_width:1",), "")


def test_pictures_inside_the_text_are_removed_and_prose_around_them_stays():
    text, flags, _ = cleaned("Logo ![l](data:image/png;base64," + "QUJD" * 100 + ") and words after it.")
    assert (text, flags) == ("Logo ![l]() and words after it.", ("removed_data_uri:1",))

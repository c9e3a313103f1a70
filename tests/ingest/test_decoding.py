"""Bytes become text truthfully, or the file is quarantined as `encoding`."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.ingest.decoding import declared_charset, decode
from flows.ingest.drafts import Rejected


def rule(data, **options):
    with pytest.raises(Rejected) as caught:
        decode(data, fallback=options.pop("fallback", "cp1252"), **options)
    assert caught.value.code == "encoding"
    return caught.value.rule


@given(st.text(), st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-32"]))
def test_text_with_a_known_encoding_comes_back_unchanged(text, encoding):
    text = text.replace("\x00", "").removeprefix("\ufeff")
    assert decode(text.encode(encoding), fallback="none")[0] == text


@pytest.mark.parametrize(
    "text",
    ["Caf\u00e9 cr\u00e8me co\u00fbte 5 \u00a3", "\u201cSmart\u201d \u2013 quotes\u2026", "\u00e4\u00f6\u00fc\u00df"],
)
def test_western_bytes_are_read_by_the_fallback_and_flagged(text):
    assert decode(text.encode("cp1252"), fallback="cp1252") == (text, ("decoded:cp1252",))


def test_the_fallback_is_not_taken_for_what_it_cannot_be():
    assert rule("na\u00efve ".encode() + "na\u00efve ".encode("latin-1")) == "not_one_encoding"
    assert rule(b"text \xff\xfe\xfa\x80\xbf" * 3) == "not_one_encoding"
    assert rule(b"slash \xc0\xaf text") == "not_one_encoding"
    assert rule("\u041f\u0440\u0438\u0432\u0435\u0442".encode("cp1251")) == "not_one_encoding"
    assert rule("caf\u00e9".encode("latin-1"), fallback="none") == "not_one_encoding"


def test_utf_16_without_a_mark_and_cut_after_a_mark_are_told_apart():
    assert rule("plain text".encode("utf-16-le")) == "nul_bytes"
    assert rule("plain".encode("utf-16") + b"x") == "invalid_after_mark"


def test_a_page_that_names_its_encoding_is_believed_when_it_is_right():
    page = '<meta charset="shift_jis"><p>\u65e5\u672c'.encode("shift_jis")
    assert declared_charset(page) == "shift_jis"
    assert decode(page, fallback="cp1252", declared="shift_jis")[1] == ("decoded:shift_jis",)
    assert decode(b"<p>caf\xe9", fallback="cp1252", declared="no-such-encoding")[0] == "<p>caf\u00e9"
    assert declared_charset(b"<p>none") is None


def test_a_byte_order_mark_is_removed_and_counted():
    assert decode(b"\xef\xbb\xbfReturns", fallback="none") == ("Returns", ("removed_bom:1",))
    assert decode("Returns".encode("utf-16"), fallback="none") == ("Returns", ("decoded:utf-16",))

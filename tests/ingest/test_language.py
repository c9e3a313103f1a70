"""The language of prose is named; what is no prose is `und`."""

import re
from collections import Counter

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from flows.ingest import language as method
from flows.ingest.language import detect_language

SMALL = [word for words in method._STOP_WORDS.values() for word in words.split()]


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", "The quick brown fox jumps over the lazy dog, and it is not for you to say that this was wrong."),
        ("de", "Der schnelle Fuchs springt über den Hund, und das ist nicht mit der Regel zu erklären."),
        ("fr", "Le renard saute par-dessus le chien, et il est dans la maison avec les enfants pour une heure."),
        ("es", "El zorro salta sobre el perro, y la casa de los niños no se ve por la noche con una luz."),
        ("it", "La volpe salta sopra il cane, e non è per una questione di luce che la casa si vede."),
        ("pt", "A raposa salta sobre o cão, e não é por uma questão de luz que a casa se vê com os olhos."),
        ("nl", "De vos springt over de hond, en het is niet voor een mens om te zeggen dat het aan hem is."),
        ("sv", "Räven hoppar över hunden och det är inte för en människa att säga att den har fel i det."),
        ("ja", "返品は30日以内に限ります。領収書を保管してください。"),
        ("zh", "退货须在三十天内办理，请保留收据。"),
        ("ko", "반품은 30일 이내에만 가능합니다."),
        ("ru", "Возврат принимается в течение тридцати дней."),
    ],
)
def test_languages_are_recognised(language, text):
    assert detect_language(text) == language


@pytest.mark.parametrize("text", ["", "12 34 56", "alpha beta gamma delta epsilon", "x = f(y)"])
def test_what_is_no_prose_is_undetermined(text):
    assert detect_language(text) == "und"


def by_reading_every_word(text):
    words = Counter(re.findall(r"[^\W\d_]+", text.casefold()))
    hits = [(sum(words[word] for word in known), language) for language, known in method._STOPS.items()]
    (best, language), (second, _) = sorted(hits, reverse=True)[:2]
    clear = best >= method._STOP_SHARE_MIN * words.total() and best >= method._LEAD_MIN * second
    return language if words.total() >= method._WORDS_MIN and clear else method.UNKNOWN


@given(
    st.lists(st.sampled_from(SMALL) | st.sampled_from(["don't", "(The", "und,", "x1y", "\u00df"]) | st.text(max_size=4))
)
def test_words_judged_one_by_one_count_as_in_the_whole_text(words):
    text = " ".join(words)
    assert method._by_stop_words(text) == by_reading_every_word(text)


@given(st.text(st.sampled_from("aZ1 .\u00e9\u0663\u0627\u3042\u4e2d\u0431\U00020000\u2019"), max_size=30))
@example("\u0663\u0664 ab")
def test_scripts_have_their_share_of_all_letters(text):
    letters = sum(map(str.isalpha, text))
    shares = {name: len(re.findall(f"[{chars}]", text)) / letters for name, chars in method._SCRIPTS if letters}
    most = max(shares, key=shares.__getitem__, default="")
    japanese = (
        letters and shares["ja"] > method._KANA_SHARE_MIN and shares["ja"] + shares["zh"] >= method._SCRIPT_SHARE_MIN
    )
    expected = "ja" if japanese else most if letters and shares[most] >= method._SCRIPT_SHARE_MIN else None
    assert method._by_script(text) == expected

"""The language of prose is named; what is no prose is `und`."""

import pytest

from flows.ingest.language import detect_language


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

"""What a function says of a word is asked once, and what is remembered stays bounded."""

from collections import Counter

from flows.core import memo as memos
from flows.core.memo import Memo


def test_a_word_is_judged_once() -> None:
    asked: Counter[str] = Counter()
    memo = Memo(lambda word: asked.update([word]) or len(word))
    assert [memo[word] for word in ("one", "three", "one")] == [3, 5, 3]
    assert asked == {"one": 1, "three": 1}


def test_long_words_are_answered_and_not_remembered() -> None:
    memo = Memo(len)
    assert memo["x" * 5000] == 5000
    assert not memo


def test_a_full_memo_begins_anew(monkeypatch) -> None:
    monkeypatch.setattr(memos, "_WORDS_MAX", 10)
    memo = Memo(len)
    assert [memo[str(number)] for number in range(1000)] == [len(str(number)) for number in range(1000)]
    assert len(memo) <= 10

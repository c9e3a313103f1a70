"""Remember what a function says of a word, because texts repeat their words.

A word here is a run of characters without white space. What is remembered is bounded: long runs hardly
repeat and are asked again, and a memo that is full begins anew.
"""

from collections.abc import Callable
from typing import TypeVar

_WORDS_MAX = 2**16
WORD_CHARS_MAX = 100
Answer = TypeVar("Answer")


class Memo(dict[str, Answer]):
    """`memo[word]` is `judge(word)`, asked once.

    Args:
        judge: A function of nothing but the word.
    """

    def __init__(self, judge: Callable[[str], Answer]) -> None:
        super().__init__()
        self._judge = judge

    def __missing__(self, word: str) -> Answer:
        answer = self._judge(word)
        if len(word) <= WORD_CHARS_MAX:
            if len(self) >= _WORDS_MAX:
                self.clear()
            self[word] = answer
        return answer

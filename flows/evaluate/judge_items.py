"""What a judge is asked about, and what it said: plain values that files, the stage and anchors share."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Item:
    """One answer (or pair of answers) to judge.

    Args:
        question_id: Of the question.
        sample: Number of the repeat of the answer.
        document: Cluster of the question; empty = it stands alone.
        question: Its words.
        answer: The answer that is judged.
        reference: The reference answer; empty where there is none.
        other: The answer it is held against, for a pair.
        chunks: Retrieved texts, best first.
    """

    question_id: str
    sample: int
    document: str
    question: str
    answer: str
    reference: str = ""
    other: str = ""
    chunks: tuple[str, ...] = ()

    @property
    def key(self) -> tuple[str, int]:
        """What names the answer."""
        return self.question_id, self.sample


@dataclass(frozen=True)
class Judgement:
    """What a judge said about one item.

    Args:
        item: What was judged.
        score: Mean over the repeats that gave one; None = unscored.
        unscored_reason: Why there is no score.
        said: The reason the judge wrote first; text by a model, for people.
        opinions: Score of each repeat.
        orders: Of a pair, per repeat: the preference for `item.answer` when it stood first, and when second.
    """

    item: Item
    score: float | None
    unscored_reason: str | None
    said: str = ""
    opinions: tuple[float | None, ...] = ()
    orders: tuple[tuple[float | None, float | None], ...] = ()

"""One short way to write scores down."""

from collections.abc import Callable

import numpy as np
import pytest

from flows.stats.scores import Scores


@pytest.fixture
def rows() -> Callable[..., Scores]:
    """`rows({"a": [0.1, 0.2]}, samples=1)`: document -> scores of its questions, in order."""

    def build(by_document: dict[str, list[float | None]], samples: int = 1) -> Scores:
        cells = [
            (f"{document}-{i // samples}", document, i % samples, score)
            for document, scores in by_document.items()
            for i, score in enumerate(scores)
        ]
        question, document, sample, score = zip(*cells, strict=True) if cells else ((), (), (), ())
        return Scores(*(np.array(column) for column in (question, document, sample)), np.array(score, dtype=float))

    return build

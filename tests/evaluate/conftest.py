import pytest

from flows.evaluate.cases import Case, Passage

TEXT = "The gate has four verdicts. A pass needs a margin of 5 points. Nothing else is decided here."
OTHER = "Penguins sleep on the ice. They eat fish in the morning and 3 times a day."


def passage(document, start, end, text, *, chunk_id="", version="v1"):
    return Passage(document, version, start, end, text[start:end], chunk_id)


@pytest.fixture
def make_case():
    """Make a case: a good answer to an answerable question unless told otherwise."""

    def make(**changes):
        right = passage("d1", 0, len(TEXT), TEXT, chunk_id="c1")
        wrong = passage("d2", 0, len(OTHER), OTHER, chunk_id="c2")
        values = {
            "question_id": "q1", "question": "How large a margin does a pass need?", "question_type": "simple",
            "cluster": "d1", "answerable": True, "reference": "A pass needs a margin of 5 points.",
            "gold": (passage("d1", 28, 62, TEXT),), "sample": 0, "answer": "A pass needs a margin of 5 points.",
            "refused": False, "format_valid": True, "citations": ("c1",), "retrieved": (right, wrong),
            "latency_ms": 12.0, "cost_usd": 0.001, "error": None, "repeats": ("A pass needs a margin of 5 points.",),
            "instructions": "You answer from the chunks you are given and from nothing else.",
        }  # fmt: skip
        return Case(**(values | changes))

    return make


@pytest.fixture
def unanswerable(make_case):
    """Make a case whose question the corpus cannot answer; refused unless told otherwise."""

    def make(**changes):
        values = {"question_type": "unanswerable", "answerable": False, "reference": "", "gold": (),
                  "answer": "The documents do not say.", "refused": True, "citations": ()}  # fmt: skip
        return make_case(**(values | changes))

    return make

import json
import re
import shutil
from pathlib import Path

import pytest

from flows.evaluate.cases import Case, Passage
from tests.provider.fake_openai import FakeOpenAI

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


PROMPTS = Path(__file__).resolve().parents[2] / "data" / "prompts"
PROVIDER = """
provider: {chat_model: fake-chat, allow_unpriced: true, backoff_base_s: 0.01, backoff_max_s: 0.02}
"""


def inside(text, tag):
    """What stands between the first opening and the last closing tag, as an honest reader sees it."""
    found = re.search(rf"<{tag}>(.*)</{tag}>", text, re.S)
    return found.group(1).strip() if found else ""


def words_in(text, tag):
    return set(inside(text, tag).lower().split())


def outside(text):
    """What is left of a message without what stands between tags."""
    for tag in ("question", "reference_answer", "answer", "first_answer", "second_answer", "context"):
        text = re.sub(rf"<{tag}>.*?</{tag}>", "", text, flags=re.S)
    return text


class JudgeWorld:
    """A project with the sample's judge prompts, and a provider that judges as the test says."""

    inside, outside = staticmethod(inside), staticmethod(outside)

    def __init__(self, project, server):
        self.project, self.server = project, server

    def params(self, text):
        self.project.params_file.write_text(PROVIDER + text)

    def judge(self, opinion):
        """Let `opinion(message)` say the score, or which of two is better; anything else is sent as it is."""

        def says(request):
            said = opinion(request["messages"][-1]["content"])
            name = "better" if said in ("first", "second", "tie") else "score"
            return said if said == "rubbish" else json.dumps({"reasoning": "because", name: said})

        self.server.says = says

    @property
    def calls(self):
        return len(self.server.requests)


@pytest.fixture
def judge_world(project, monkeypatch):
    """A world whose judge compares words: 1 for the reference's, 0.5 for a part of them, else 0."""
    shutil.copytree(PROMPTS, project.data("prompts"))
    with FakeOpenAI() as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
        monkeypatch.setenv("OPENAI_API_KEY", "sk-test-0123456789abcdef")
        world = JudgeWorld(project, server)
        world.params("")
        world.judge(by_words)
        yield world


def by_words(message):
    """An honest judge of correctness, groundedness and preference."""
    truth = words_in(message, "reference_answer") or words_in(message, "context")
    if "<first_answer>" in message:
        question = words_in(message, "question")
        first, second = (len(question & words_in(message, f"{name}_answer")) for name in ("first", "second"))
        return "tie" if first == second else "first" if first > second else "second"
    shared = len(truth & words_in(message, "answer")) / max(len(truth), 1)
    return 1.0 if shared > 0.9 else 0.5 if shared > 0.4 else 0.0

"""Make well-formed questions that the corpus cannot answer, so that refusing is the right answer.

Two methods. `attribute` asks for a property that no document mentions of a thing that one defines
(a near miss: retrieval finds the thing and the answer is not there). `swap` puts a thing that no
document mentions into a question that fits another. Each carries the word whose absence from the
corpus makes it unanswerable; when a later document brings that word, the question is stale.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from flows.testset.drafts import Corpus, Draft
from flows.testset.words import content

ATTRIBUTES = (
    ("Who holds the patent on {s}?", "patent"),
    ("Which university first published about {s}?", "university"),
    ("What is the phone number of the team responsible for {s}?", "phone"),
    ("How many employees work full-time on {s}?", "employees"),
    ("Is there a training video about {s}, and how long is it?", "video"),
    ("What did the auditors say about {s} last spring?", "auditors"),
    ("Which competitor offers {s} as a subscription?", "competitor"),
    ("Which mobile app shows {s}?", "mobile"),
    ("Who gave the keynote about {s}?", "keynote"),
    ("Which textbook explains {s} best?", "textbook"),
    ("Which regulator asked for {s} first?", "regulator"),
    ("What does a consultant charge for setting up {s}?", "consultant"),
    ("Which keyboard shortcut opens the page about {s}?", "keyboard"),
    ("In which newsletter was {s} announced?", "newsletter"),
    ("Who won the award for {s}?", "award"),
    ("Which Slack group discusses {s}?", "Slack"),
)
THINGS = (
    ("the voice assistant", "voice"), ("the tape archive", "tape"), ("the satellite link", "satellite"),
    ("the mainframe connector", "mainframe"), ("the loyalty programme", "loyalty"), ("the fax gateway", "fax"),
    ("the payroll export", "payroll"), ("the barcode scanner", "barcode"), ("the blockchain ledger", "blockchain"),
    ("the Kafka connector", "Kafka"), ("the image generator", "generator"), ("the speech recogniser", "speech"),
    ("the robot arm", "robot"), ("the video encoder", "encoder"), ("the ad server", "ad"),
    ("the chess engine", "chess"), ("the mobile client", "mobile"), ("the screen reader", "screen"),
    ("the invoice scanner", "scanner"), ("the podcast feed", "podcast"),
)  # fmt: skip
SWAPPABLE = frozenset({"definition", "value", "at_least", "at_most", "amount", "duty", "ban", "object"})


def unanswerable_questions(corpus: Corpus, simple: Sequence[Draft]) -> Iterator[Draft]:
    """Yield near misses about defined things, then swapped questions; absence is checked here."""
    defined = [draft for draft in simple if draft.method == "definition"]
    for number, draft in enumerate(defined):
        for step in range(2):
            form, key = ATTRIBUTES[(2 * number + step) % len(ATTRIBUTES)]
            yield from _absent(corpus, draft, form.format(s=draft.subject), "attribute", key)
    swappable = [
        draft for draft in simple if draft.method in SWAPPABLE and draft.subject in draft.question and singular(draft)
    ]
    for (thing, key), draft in zip(THINGS, swappable[:: max(len(swappable) // len(THINGS), 1)], strict=False):
        swapped = replace(draft, document_id="", topic="outside the corpus")
        yield from _absent(corpus, swapped, draft.question.replace(draft.subject, thing, 1), "swap", key)


def singular(draft: Draft) -> bool:
    """Return whether the question's verb fits one thing, as every swapped-in thing is one."""
    return not {"do", "are", "were"} & set(draft.question.split()[1:4])


def _absent(corpus: Corpus, draft: Draft, question: str, method: str, key: str) -> Iterator[Draft]:
    origin = f"{method}:{key}"
    if still_absent(origin, corpus.vocabulary):
        yield replace(draft, question=question, question_type="unanswerable", answer="", spans=(), rephrased="",
                      method=origin)  # fmt: skip


def still_absent(origin: str, vocabulary: frozenset[str]) -> bool:
    """Return whether the word named in an `origin` such as `swap:voice` is still not in the corpus.

    Other origins (imported, written by a person or a model) are taken at their word.
    """
    method, _, key = origin.partition(":")
    return method not in ("attribute", "swap") or not content(key) & vocabulary

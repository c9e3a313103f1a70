"""Each question type hits the part of a chain that it is made for, and no other type does.

The chain is a toy: it takes the sentences that share most words with what it reads. Breaking one
of its parts must cost the type made for that part, and leave the others where they were.
"""

import json
import re
from pathlib import Path

import pytest

from flows.core.contracts import QUESTIONS
from flows.core.tables import empty
from flows.rag.conversation import parse_conversation
from flows.testset.build import build
from flows.testset.conversational import conversational_questions
from flows.testset.double import double_questions
from flows.testset.drafts import Draft
from flows.testset.filters import Filter
from flows.testset.params import TestsetParams
from flows.testset.questions import simple_questions
from flows.testset.situational import situational_questions
from flows.testset.words import content, overlap

MANY = TestsetParams(questions_per_document_max=100)
FOUND = 3  # sentences the toy chain retrieves


def whole(text):
    history, question = parse_conversation(text)
    return " ".join([*(turn.content for turn in history if turn.role == "user"), question])


def last_turn_only(text):
    return parse_conversation(text)[1]


def first_question_only(text):
    return whole(text).split("?")[0]


def first_sentence_only(text):
    return re.split(r"(?<=[.?”]) ", last_turn_only(text))[0] if "user: " not in text else whole(text)


@pytest.fixture(scope="module")
def sample(frame_of, corpus_of):
    files = sorted((Path(__file__).parents[2] / "data" / "sources").rglob("*.md"))
    texts = {file.name: file.read_text() for file in files}
    table, _, _ = build(frame_of(texts), empty(QUESTIONS), TestsetParams(questions_per_document_max=20))
    return table, corpus_of(texts)


def recalls(table, corpus, read):
    """Return the mean share of gold spans found, by question type."""
    sentences = [(s.document_id, x.start, content(x.text)) for s, x in corpus.sentences()]
    sentences += [(s.document_id, r.start, content(" ".join(r.cells))) for s in corpus.sources for r in s.outline.rows]
    found = {}
    for row in table[table["answerable"]].to_dict("records"):
        asked = content(read(row["question"]))
        best = sorted(sentences, key=lambda item: (-overlap(asked, item[2]), item[:2]))[:FOUND]
        places = {(name, start) for name, start, _ in best}
        gold = [(span["document_id"], span["start"]) for span in json.loads(row["reference_spans"])]
        found.setdefault(row["question_type"], []).append(sum(place in places for place in gold) / len(gold))
    return {kind: sum(values) / len(values) for kind, values in found.items()}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("broken", "hit", "spared"),
    [
        (last_turn_only, {"conversational"}, {"simple", "complex", "distracting", "situational", "double"}),
        (first_question_only, {"double"}, {"simple", "distracting", "situational"}),
        (first_sentence_only, {"distracting", "situational"}, {"simple", "conversational"}),
    ],
)
def test_breaking_a_part_costs_its_types_and_no_other(sample, broken, hit, spared):
    sound, worse = recalls(*sample, whole), recalls(*sample, broken)
    assert {kind for kind in sound if worse[kind] < sound[kind] - 0.15} >= hit
    assert all(worse[kind] == sound[kind] for kind in spared)


def drafts(corpus):
    return list(simple_questions(corpus))


def test_a_situation_names_the_page_and_keeps_question_and_gold(zoo_corpus):
    simple = drafts(zoo_corpus)
    for made, draft in zip(situational_questions(simple), simple, strict=True):
        assert made.question.endswith(draft.question)
        assert f"“{draft.topic}”" in made.question
        assert (made.answer, made.spans) == (draft.answer, draft.spans)


def test_a_double_question_has_two_marks_two_spans_and_one_document(zoo_corpus):
    made = list(double_questions(drafts(zoo_corpus)))
    assert made
    for draft in made:
        assert draft.question.count("?") == 2
        assert len(draft.spans) == 2
        assert {span.document_id for span in draft.spans} == {draft.document_id}


def test_a_conversation_names_its_thing_first_and_then_only_points_at_it(zoo_corpus):
    simple = drafts(zoo_corpus)
    subjects = {draft.spans: draft.subject for draft in simple}
    made = list(conversational_questions(simple))
    assert made
    for draft in made:
        history, question = parse_conversation(draft.question)
        assert [turn.role for turn in history] == ["user", "assistant"]
        assert subjects[draft.spans] in history[0].content
        assert subjects[draft.spans] not in question


def test_a_defined_thing_is_asked_for_first(zoo_corpus):
    simple = drafts(zoo_corpus)
    definition = next(draft for draft in simple if draft.method == "definition")
    follow_up = Draft("Where is S kept?".replace("S", definition.subject), "simple", "In a box.", definition.spans,
                      "place", "t", definition.document_id, subject=definition.subject)  # fmt: skip
    (made,) = conversational_questions([definition, follow_up])
    history, question = parse_conversation(made.question)
    assert [turn.content for turn in history] == [definition.question, definition.answer]
    assert question == "Where is it kept?"


def test_each_new_type_can_be_refused(zoo_corpus):
    rules = Filter.of(zoo_corpus, MANY, drafts(zoo_corpus))
    one, two = drafts(zoo_corpus)[:2]
    assert one.spans != two.spans
    (pair,) = double_questions([one, one])
    assert rules.reason(pair) == "one_answer"
    asked = Draft(one.question, "simple", one.answer, one.spans, "heading", one.question, one.document_id)
    (situation,) = situational_questions([asked])
    assert rules.reason(situation) == "asks_twice"
    told = Draft("What does the cat and the cat eat?", "simple", one.answer, one.spans, "object", "t", one.document_id,
                 subject="the cat")  # fmt: skip
    (conversation,) = conversational_questions([told])
    assert rules.reason(conversation) == "stands_alone"

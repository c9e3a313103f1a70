from dataclasses import replace

import pytest

from flows.testset.drafts import Corpus
from flows.testset.filters import Filter, Rejections, near_duplicate
from flows.testset.params import TestsetParams
from flows.testset.questions import simple_questions
from flows.testset.spans import Version
from flows.testset.words import content

PARAMS = TestsetParams()


def rules_for(*texts):
    corpus = Corpus.read({f"d{number}": (f"D{number}", Version("v", text)) for number, text in enumerate(texts)})
    drafts = list(simple_questions(corpus))
    return Filter.of(corpus, PARAMS, drafts), drafts


def reasons(*texts):
    rules, drafts = rules_for(*texts)
    return {(draft.document_id, draft.question): rules.reason(draft) for draft in drafts}


def test_a_good_question_passes():
    assert reasons("A gate is the rule that turns scores into verdicts.") == {("d0", "What is a gate?"): None}


def test_two_documents_that_define_a_thing_differently_make_it_ambiguous():
    found = reasons(
        "A gate is the rule that turns scores into verdicts.", "A gate is the iron door between garden and street."
    )
    assert set(found.values()) == {"ambiguous"}


def test_two_documents_that_say_the_same_do_not():
    same = "A gate is the rule that turns scores into verdicts."
    assert set(reasons(same, f"# Copy\n\n{same}").values()) == {None}


def test_a_sentence_elsewhere_with_all_terms_makes_it_ambiguous():
    found = reasons(
        "# The copper pump\n\nThe copper pump needs at least 3 valves. A copper pump hums.",
        "The copper pump needs seven valves in spring.",
    )
    assert found["d0", "What is the smallest number of valves that the copper pump needs?"] == "ambiguous"


def test_an_answer_that_tells_nothing_new_is_refused():
    assert reasons("A copper pump is a pump.")["d0", "What is a copper pump?"] == "answerable_without_context"


def test_the_thing_of_a_passing_remark_is_refused():
    remark = "The pump of the cellar is the part with the loudest hum of all."
    assert reasons(remark)["d0", "What is the pump of the cellar?"] == "refers_back"
    assert reasons(f"# The pump\n\n{remark} A pump hums.")["d0", "What is the pump of the cellar?"] is None


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"question": "Why?"}, "too_short"),
        ({"question": "word " * 60}, "too_long"),
        ({"answer": "word " * 80}, "too_long"),
        ({"answer": "Something about elephants."}, "answer_not_in_span"),
        ({"question": "What does this gate of theirs decide?"}, "refers_back"),
    ],
)
def test_each_defect_has_its_reason(change, reason):
    rules, (draft,) = rules_for("A gate is the rule that turns scores into verdicts.")
    assert rules.reason(replace(draft, **change)) == reason


def test_near_duplicates_share_most_content_words():
    _, (draft,) = rules_for("A gate is the rule that turns scores into verdicts.")
    assert near_duplicate(draft, [content("What is the gate?")], 0.8)
    assert not near_duplicate(draft, [content("What is a margin?")], 0.8)


def test_the_rejection_table_counts_and_gives_an_example():
    rejections = Rejections()
    _, (draft,) = rules_for("A gate is the rule that turns scores into verdicts.")
    rejections.note(draft, "ambiguous")
    rejections.note(replace(draft, question="What is another gate?"), "ambiguous")
    assert rejections.table() == [
        {"question_type": "simple", "method": "definition", "reason": "ambiguous", "count": 2,
         "example": "What is a gate?"}
    ]  # fmt: skip

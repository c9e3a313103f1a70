import json

import pytest

from flows.core.contracts import QUESTIONS
from flows.core.errors import UsageError
from flows.core.ids import document_id
from flows.core.tables import empty
from flows.testset.build import build
from flows.testset.params import TestsetParams
from flows.testset.splits import in_training
from flows.testset.stage import training_questions

HALF = TestsetParams(train_share=0.5, questions_per_document_max=20)


@pytest.fixture
def many(framed):
    page = (
        "# The {n} pump\n\nThe {n} pump is the machine behind {n} valves of copper. The {n} pump needs at least 3 {n} "
        "rings. The {n} pump hums. When the {n} pump stops, the {n} keeper calls the plumber of the {n} town.\n"
    )
    names = ["red", "green", "blue", "grey", "brown", "pink", "black", "white", "gold", "silver", "amber", "olive"]
    return framed({f"{name}.md": page.format(n=name) for name in names})


def touched(table):
    spans = {span["document_id"] for text in table["reference_spans"] for span in json.loads(text)}
    return spans | set(table["document_id"].dropna())


def test_gate_and_training_questions_share_no_document(many):
    gate, _, _ = build(many, empty(QUESTIONS), HALF)
    train, _, _ = build(many, empty(QUESTIONS), HALF, split="train")
    assert touched(gate)
    assert touched(train)
    assert not touched(gate) & touched(train)
    for table, other in ((gate, train), (train, gate)):
        colours = {many.set_index("document_id").loc[name, "title"].split()[1] for name in touched(other)}
        assert not [q for q in table["question"] for colour in colours if f" {colour} " in q]


def test_the_share_is_kept_and_a_document_stays_on_its_side():
    ids = [document_id(f"{n}.md") for n in range(4000)]
    assert abs(sum(in_training(name, 0.3) for name in ids) / len(ids) - 0.3) < 0.03
    assert not any(in_training(name, 0.0) for name in ids)
    assert all(in_training(name, 0.5) for name in ids if in_training(name, 0.3))


def test_questions_about_a_document_that_is_now_for_training_leave_the_gate_and_come_back(many):
    before, _, _ = build(many, empty(QUESTIONS), HALF.model_copy(update={"train_share": 0.0}))
    before["reviewed_by"] = "ann"
    after, _, _ = build(many, before, HALF)
    live = after[~after["stale"]]
    assert len(live) < len(before)
    assert not any(in_training(name, 0.5) for name in touched(live))
    again, _, _ = build(many, after, HALF.model_copy(update={"train_share": 0.0}))
    assert not again["stale"].any()


def test_without_a_share_there_is_nothing_to_export_for_training(project):
    with pytest.raises(UsageError, match="train_share is 0"):
        training_questions(project)

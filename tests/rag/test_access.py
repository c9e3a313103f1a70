"""What the asker may read decides what a model is shown, and the records say with which labels it was."""

import json
from dataclasses import replace

import pytest

from flows.core.errors import IntegrityError, ParamsError
from flows.core.files import write_json
from flows.core.ids import canonical_json, content_id, sha256
from flows.rag.chain import Turn, answer_questions
from flows.rag.params import RagParams
from flows.rag.release import manifest_path, open_manifest
from tests.fakes import MemoryIndex, ScriptedProvider

SAID = {"answer": "In the dry store.", "citations": [], "refused": False}
QUESTION = "How long do seeds stay in the dry store?"


@pytest.fixture
def index():
    index = MemoryIndex(("Seeds stay in the dry store.", "Seeds stay in the dry store for a secret of months."))
    index.rows[1] = replace(index.rows[1], access="hr")
    return index


def shown(project, release, index, *turns):
    provider = ScriptedProvider(*[SAID for _ in turns])
    return provider, answer_questions(project, provider, release, turns, index=index)


def test_a_request_without_labels_reads_what_the_release_may_read(project, build, index):
    _, [answer] = shown(project, build(), index, Turn(QUESTION))
    assert ({hit.access for hit in answer.retrieved}, answer.access) == ({"public"}, ("public",))
    _, [wider] = shown(project, build(access=("public", "hr")), index, Turn(QUESTION))
    assert ({hit.access for hit in wider.retrieved}, wider.access) == ({"public", "hr"}, ("hr", "public"))


def test_each_turn_of_a_batch_has_its_own_labels_and_the_log_records_them(project, build, index):
    turns = (Turn(QUESTION), Turn(QUESTION, access=("hr", "public")), Turn(QUESTION, access=()))
    provider, answers = shown(project, build(), index, *turns)
    assert [len(answer.retrieved) for answer in answers] == [1, 2, 0]
    asked = [request for request in provider.requests if request.tags.step == "answer"]
    assert [request.tags.metadata["access"] for request in asked] == [["public"], ["hr", "public"], []]
    assert ["secret" in request.messages[-1].content for request in asked] == [False, True, False]


@pytest.mark.parametrize("labels", [(), ("two words",), ("x' OR '1'",)])
def test_a_release_is_not_built_with_labels_that_are_none(labels):
    with pytest.raises(ParamsError):
        RagParams.parse({"access": labels}, where="the test")


def test_labels_are_one_set_however_they_are_written():
    written = ({"access": ["HR", "public"]}, {"access": ["public, hr"]}, {"access": ["hr", "public", "hr"]})
    assert {RagParams.parse(values, where="the test").access for values in written} == {("hr", "public")}


def test_a_release_from_before_labels_still_opens_and_reads_what_it_did(project, build):
    values = build().to_json()
    del values["retrieval"]["access"]
    values["format"] = 1
    for name in ("retrieval", "format"):
        values["digests"][name] = sha256(canonical_json(values[name]))
    values["release_id"] = content_id("release", values["digests"])
    path = manifest_path(project, values["release_id"])
    write_json(path, values)
    assert open_manifest(path).retrieval.access == ["public", "unlabelled"]
    values["retrieval"]["access"] = ["hr"]
    path.write_text(json.dumps(values))
    with pytest.raises(IntegrityError, match="altered in retrieval"):
        open_manifest(path)

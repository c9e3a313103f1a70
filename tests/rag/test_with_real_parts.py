"""The chain with the local provider and a LanceDB index, as `llmops ask` runs it."""

import json
import shutil
from dataclasses import asdict
from datetime import timedelta

import numpy as np
import pandas as pd
import pytest

from flows.cli.main import main
from flows.core.calls import read_calls
from flows.core.errors import InputError, UsageError
from flows.core.files import write_json
from flows.core.ids import chunk_id, document_id, document_version
from flows.core.project import Project
from flows.index.kinds import Build
from flows.index.schema import rows_of
from flows.index.store import open_index, open_writer
from flows.provider.client import open_provider
from flows.provider.requests import Message
from flows.rag.ask import ask
from flows.rag.chain import Turn, answer_questions
from flows.rag.params import RagParams
from flows.rag.release import build_candidate, manifest_path
from tests.conftest import NOW, ROOT

pytestmark = pytest.mark.slow

TEXTS = {
    "dry-store": "The dry store is kept at five degrees. Seeds stay in the dry store for eighteen months.",
    "cold-store": "The cold store is kept at minus twenty degrees. Seeds stay in the cold store for twelve years.",
    "gate": "Visitors register at the main gate. The gate opens at nine in the morning.",
    "staff": "The head gardener plans the work of the week on Monday.",
}


def chunk(name, text, access="public"):
    document, version = document_id(name), document_version(text)
    return {
        "chunk_id": chunk_id(document, version, 0, len(text), "test"), "document_id": document,
        "document_version": version, "source_uri": f"{name}.md", "title": name.replace("-", " "), "heading": "",
        "access": access,
        "start": 0, "end": len(text), "text": text, "duplicate_of": None,
    }  # fmt: skip


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A project with the sample prompts and a published index of four chunks, built once."""
    root = tmp_path_factory.mktemp("indexed")
    (root / "params.yaml").write_text("rag: {}\n")
    project = Project.open(root)
    shutil.copytree(ROOT / "data" / "prompts", project.data("prompts"))
    rows = rows_of(pd.DataFrame([chunk(name, text) for name, text in TEXTS.items()]))
    with open_provider(project, use_case="indexing") as provider:
        vectors = np.asarray(provider.embed(rows["vector_text"].tolist(), mode="document"))
        with open_writer(project, asdict(provider.fingerprint())) as writer:
            writer.upsert(rows, vectors)
            writer.publish(Build(), now=NOW)
    return project


@pytest.fixture
def indexed(built, tmp_path):
    """A copy of that project, to be changed at will."""
    return Project.open(shutil.copytree(built.root, tmp_path / "copy"))


def test_a_question_is_answered_from_the_right_document_and_logged(indexed):
    reply = ask(indexed, "How long do seeds stay in the dry store?")
    assert "eighteen months" in reply.answer.text
    assert [hit.source_uri for _, hit in reply.cited()] == ["dry-store.md"]
    assert reply.answer.format_valid
    assert reply.state == "candidate"
    assert "candidate (nothing is in production yet) release" in reply.origin()
    json.dumps(reply.to_json())
    calls = read_calls(indexed)
    call = calls[calls["step"] == "answer"].iloc[0]
    assert (call["use_case"], call["release_id"]) == ("answer", reply.release.release_id)
    assert call["prompt_id"] == reply.release.prompt("answer").prompt_id
    shown = json.loads(call["metadata"])["chunk_ids"]
    assert shown == [hit.chunk_id for hit in reply.answer.retrieved]


def test_production_answers_when_there_is_one_even_after_its_prompt_file_changed(indexed):
    candidate = ask(indexed, "When does the gate open?").release
    write_json(manifest_path(indexed, candidate.release_id), candidate.to_json())
    write_json(indexed.data("release", "current.json"), {"release_id": candidate.release_id})
    (indexed.data("prompts") / "answer.md").unlink()
    reply = ask(indexed, "When does the gate open?")
    assert (reply.state, reply.release) == ("production", candidate)
    assert "nine in the morning" in reply.answer.text
    assert ask(indexed, "When does the gate open?", release=candidate.release_id).state == "chosen"


def test_a_question_that_the_documents_do_not_answer_is_refused(indexed):
    reply = ask(indexed, "Who won the football world cup of 1954?")
    assert reply.answer.refused
    assert reply.cited() == []


def test_a_conversation_is_answered_with_the_rewriting_step(indexed):
    with open_provider(indexed, use_case="evaluation") as provider:
        release = build_candidate(
            indexed, chat_model=provider.chat_model, fingerprint=provider.fingerprint(),
            index=open_index(indexed).manifest, params=RagParams(rewrite=True),
        )  # fmt: skip
        history = (Message("user", "Tell me about the cold store."), Message("assistant", "It keeps seeds."))
        [answer] = answer_questions(
            indexed, provider, release, [Turn("How long do seeds stay in it?", history=history)]
        )
    assert answer.error is None
    assert "cold store" in answer.question
    assert "twelve years" in answer.text
    assert len(answer.call_ids) == 2


def test_the_index_can_be_read_as_it_was_and_the_reply_says_so(indexed):
    first = open_index(indexed).manifest
    with open_writer(indexed, first.fingerprint) as writer:
        writer.remove(open_index(indexed).rows().query("source_uri == 'gate.md'")["chunk_id"].tolist())
        later = writer.publish(Build(), now=NOW + timedelta(days=30))
    assert "nine in the morning" not in ask(indexed, "When does the gate open?").answer.text
    for version in (first.tag, first.version):
        reply = ask(indexed, "When does the gate open?", index_version=version)
        assert "nine in the morning" in reply.answer.text
        assert f"index {first.tag} instead of its own {later.tag}" in reply.origin()
    calls = read_calls(indexed)
    assert {json.loads(text).get("index_tag") for text in calls["metadata"][calls["step"] == "answer"]} >= {first.tag}


def test_the_command_asks_the_past_by_day_and_by_version(indexed, capsys):
    asking = ["--project", str(indexed.root), "ask", "When does the gate open?"]
    tag = open_index(indexed).manifest.tag
    for option in (["--as-of", NOW.date().isoformat()], ["--index-version", tag], []):
        assert main([*asking, *option]) == 0
        assert "nine in the morning" in capsys.readouterr().out
    assert main([*asking, "--as-of", "2020-01-01"]) == 66
    assert main([*asking, "--index-version", "999"]) == 66
    assert f"There are: {tag}" in capsys.readouterr().err


def test_errors_say_what_to_do(indexed):
    with pytest.raises(UsageError, match="the question is empty"):
        ask(indexed, "  ")
    with pytest.raises(InputError, match="llmops release status"):
        ask(indexed, "When?", release="f" * 32)


def test_without_an_index_the_error_names_what_to_run(project):
    shutil.copytree(ROOT / "data" / "prompts", project.data("prompts"))
    with pytest.raises(InputError, match="llmops embed"):
        ask(project, "When does the gate open?")


def test_the_command_shows_what_is_restricted_only_to_who_holds_the_label(indexed, capsys):
    first = open_index(indexed).manifest
    with open_writer(indexed, first.fingerprint) as writer:
        rows = rows_of(pd.DataFrame([chunk("gate", TEXTS["gate"], "staff")]))
        writer.upsert(rows, writer.vectors(rows["chunk_id"].tolist()))
        writer.publish(Build(), now=NOW + timedelta(days=1))
    asking = ["--project", str(indexed.root), "ask", "When does the gate open?"]
    for labels, said in ((None, False), ("public", False), ("public,staff", True), ("Staff", True)):
        assert main([*asking, *(["--access", labels] if labels else [])]) == 0
        assert ("nine in the morning" in capsys.readouterr().out) is said
    assert main([*asking, "--access", "public", "--index-version", first.tag]) == 0
    assert "nine in the morning" not in capsys.readouterr().out  # it was public then and is not any more
    assert main([*asking, "--access", "two words"]) == 2
    assert "a label is a word" in capsys.readouterr().err
    calls = read_calls(indexed)
    asked = [json.loads(text) for text in calls["metadata"][calls["step"] == "answer"]]
    assert sorted(item["access"] for item in asked) == [["public"], ["public", "staff"], ["staff"]]

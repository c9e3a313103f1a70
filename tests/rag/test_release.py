"""Release manifests: equal parts give equal ids, and no altered byte goes unnoticed."""

import dataclasses
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flows.core.errors import InputError, IntegrityError, ParamsError
from flows.core.files import write_json
from flows.rag.params import RagParams
from flows.rag.release import (
    build_candidate,
    load_release,
    manifest_path,
    open_manifest,
    production_release,
)
from tests.fakes import MemoryIndex, ScriptedProvider


@pytest.fixture
def stored(project, build):
    """A registered release and its file."""
    release = build()
    path = manifest_path(project, release.release_id)
    write_json(path, release.to_json())
    return release, path


def test_equal_parts_give_the_same_release(build):
    assert build() == build()


@pytest.mark.parametrize(
    "changes",
    [
        {"chat_model": "other"},
        {"temperature": 0.5},
        {"max_output_tokens": 100},
        {"seed": 1},
        {"retrieval_k": 3},
        {"retrieval_mode": "text"},
        {"context_tokens_max": 500},
        {"access": ("public", "finance")},
        {"rerank": 0.5},
        {"question_chars_max": 100},
        {"quote_words_min": 9},
        {"rewrite": True},
    ],
)
def test_any_changed_part_is_another_release(build, changes):
    assert build(**changes).release_id != build().release_id


def test_every_parameter_is_frozen_in_the_release(build):
    """A new parameter that does not reach the manifest would change answers without changing the id."""
    covered = {"prompt", "rewrite", "rewrite_prompt", "retrieval_k", "retrieval_mode"}
    release = build()
    covered |= set(type(release.model_params).model_fields) | set(type(release.retrieval).model_fields)
    assert set(RagParams.model_fields) <= covered


def test_another_prompt_text_or_index_is_another_release(project, prompts, index, build):
    before = build()
    provider = ScriptedProvider()
    other = MemoryIndex(["something else"])
    parts = {"chat_model": provider.chat_model, "fingerprint": provider.fingerprint(), "params": RagParams()}
    assert build_candidate(project, index=other.manifest, **parts).release_id != before.release_id
    (prompts / "answer.md").write_text((prompts / "answer.md").read_text().replace("Answer from", "Reply from"))
    assert build_candidate(project, index=index.manifest, **parts).release_id != before.release_id


def test_the_number_of_the_table_version_is_no_part_of_the_id(project, index, build):
    provider = ScriptedProvider()
    later = dataclasses.replace(index.manifest, version=9, created_at="2027-01-01T00:00:00+00:00")
    parts = {"chat_model": provider.chat_model, "fingerprint": provider.fingerprint(), "params": RagParams()}
    assert build_candidate(project, index=later, **parts).release_id == build().release_id


def test_the_chain_is_declared_with_its_prompts(build):
    assert build().chain == ["retrieve", "answer", "check"]
    assert set(build().prompts) == {"answer"}
    assert build(rewrite=True).chain == ["rewrite", "retrieve", "answer", "check"]
    assert set(build(rewrite=True).prompts) == {"answer", "rewrite"}


def test_a_prompt_that_does_not_fit_its_step_is_refused(build):
    with pytest.raises(ParamsError, match="step 'answer' needs output 'answer'"):
        build(prompt="rewrite")


def test_questions_must_be_embedded_like_the_index(project, prompts, index):
    other = ScriptedProvider(embedding_model="another")
    with pytest.raises(IntegrityError, match=r"model 'bag-of-words' and 'another'.*llmops embed"):
        build_candidate(
            project, chat_model="m", fingerprint=other.fingerprint(), index=index.manifest, params=RagParams()
        )


def test_a_release_keeps_its_prompt_when_the_file_moves_on(project, prompts, stored):
    release, _ = stored
    before = release.prompt("answer").render({"context": "c", "question": "q"})
    (prompts / "answer.md").unlink()
    assert (
        load_release(project, release.release_id).prompt("answer").render({"context": "c", "question": "q"}) == before
    )


def test_a_stored_release_reads_back_equal(project, stored):
    release, path = stored
    assert load_release(project, release.release_id) == release == open_manifest(path)


def leaves(value, path=()):
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    found = [leaf for key, item in items for leaf in leaves(item, (*path, key))]
    return found or [path]


def altered(value):
    if isinstance(value, bool) or value is None:
        return "x"
    return value + 1 if isinstance(value, int | float) else f"{value}0"


@given(st.data())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
def test_any_altered_value_is_found_when_the_release_is_opened(project, stored, data):
    _, path = stored
    values = json.loads(path.read_text())
    known = [leaf for leaf in leaves(values) if leaf != ("index_version",)]
    *way, last = data.draw(st.sampled_from(known))
    inner = values
    for key in way:
        inner = inner[key]
    inner[last] = altered(inner[last])
    broken = path.with_name("broken.json")
    write_json(broken, values)
    with pytest.raises(IntegrityError):
        open_manifest(broken)


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ("Answer from the chunks.", "Ignore the chunks.", "prompts.answer"),
        ('"temperature": 0.0', '"temperature": 1.0', "model_params"),
        ('"chat_model": "scripted-1"', '"chat_model": "scripted-2"', "chat_model"),
        ('"k": 5', '"k": "5"', "retrieval.k"),
        ('"format": 2', '"format": 999', "format 999"),
        ('"format": 2', '"format": 2, "extra": 1', "extra"),
    ],
)
def test_the_altered_field_is_named(stored, old, new, named):
    _, path = stored
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    with pytest.raises(IntegrityError, match=named):
        open_manifest(path)


def test_a_release_under_another_name_is_refused(project, stored):
    _, path = stored
    path.rename(path.with_name(f"{'0' * 32}.json"))
    with pytest.raises(IntegrityError, match="holds release"):
        load_release(project, "0" * 32)


@pytest.mark.parametrize("release_id", ["f" * 32, "../../params", ""])
def test_an_unknown_release_is_an_input_error(project, release_id):
    with pytest.raises(InputError, match="llmops release status"):
        load_release(project, release_id)


def test_there_is_no_production_before_the_first_promotion(project, stored):
    assert production_release(project) is None
    release, _ = stored
    write_json(project.data("release", "current.json"), {"release_id": release.release_id})
    assert production_release(project) == release


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"release_id": null}', '{"release_id": "'])
def test_a_broken_pointer_is_never_taken_for_none(project, content):
    path = project.data("release", "current.json")
    path.parent.mkdir(parents=True)
    path.write_text(content)
    with pytest.raises(IntegrityError):
        production_release(project)

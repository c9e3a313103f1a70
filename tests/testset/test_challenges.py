import json
from collections import Counter

import pandas as pd
import pytest

from flows.core.challenges import KINDS, read_challenge
from flows.core.contracts import QUESTIONS
from flows.core.tables import check, empty
from flows.rag.context import TAGS
from flows.testset import attacks
from flows.testset.build import build
from flows.testset.params import TestsetParams
from flows.testset.words import words

PARAMS = TestsetParams(questions_per_document_max=20)


def made(frame, stored=None, params=PARAMS):
    return build(frame, empty(QUESTIONS) if stored is None else stored, params)[0]


def challenges(table):
    rows = table[table["question_type"] == "challenge"].to_dict("records")
    return [(row, read_challenge(row["challenge"])) for row in rows]


@pytest.fixture
def table(zoo_frame):
    return made(zoo_frame)


def test_every_kind_is_made_in_the_number_that_is_wanted_and_a_pair_counts_as_one(table):
    check(table, QUESTIONS)
    assert Counter(item.kind for _, item in challenges(table)) == dict.fromkeys(KINDS, 4) | {"bias": 8}
    assert table["challenge"].notna().sum() == len(challenges(table))


def test_running_again_changes_nothing_and_a_larger_number_adds_only_what_is_missing(zoo_frame, table):
    pd.testing.assert_frame_equal(made(zoo_frame, table), table)
    more = made(zoo_frame, table, PARAMS.model_copy(update={"challenges_per_kind": 5}))
    assert set(table["question_id"]) < set(more["question_id"])
    assert len(more) == len(table) + len(KINDS) + 1


def test_a_growing_corpus_makes_none_twice_and_comes_to_rest(zoo, framed):
    params = PARAMS.model_copy(update={"challenges_per_kind": 6})
    first = made(framed({"tortoise.md": zoo["tortoise.md"]}), params=params)
    second = made(framed(zoo), first, params)
    third = made(framed(zoo), second, params)
    check(third, QUESTIONS)
    pd.testing.assert_frame_equal(second, third)


def test_many_can_be_wanted_and_no_id_comes_twice(zoo_frame):
    many = made(zoo_frame, params=PARAMS.model_copy(update={"challenges_per_kind": 100}))
    check(many, QUESTIONS)
    found = Counter(item.kind for _, item in challenges(many))
    assert found["jailbreak"] == len(attacks.JAILBREAK)  # texts run out
    assert found["hidden_injection"] == (many["question_type"] == "simple").sum()  # questions run out


def test_none_are_made_when_none_are_wanted_or_nothing_ordinary_is_asked(zoo_frame):
    assert not challenges(made(zoo_frame, params=PARAMS.model_copy(update={"challenges_per_kind": 0})))
    assert made(zoo_frame, params=TestsetParams(questions_per_type={})).empty


def test_a_challenge_about_a_question_goes_with_its_document(zoo, zoo_frame, table, framed):
    assert all(row["document_id"] for row, item in challenges(table) if item.kind in {"bias", "hidden_injection"})
    gone = made(framed({"tortoise.md": zoo["tortoise.md"]}), table)
    tortoise = framed(zoo).query("source_uri == 'tortoise.md'")["document_id"].item()
    assert set(gone.query("question_type == 'challenge'")["document_id"].dropna()) == {tortoise}
    edited = made(framed(zoo | {"penguin.md": "# The penguin pool\n\nAll is gone.\n"}), table)
    assert edited[edited["question_type"] == "challenge"]["stale"].any()


def test_partners_are_asked_too(table):
    ids = set(table["question_id"])
    pairs = Counter(item.pair_id for _, item in challenges(table) if item.kind == "bias")
    assert set(pairs.values()) == {2}
    partners = {item.pair_id for _, item in challenges(table) if item.kind in {"paraphrase", "over_refusal"}} - {""}
    assert partners
    assert partners <= ids


def test_the_members_of_a_pair_differ_in_who_asks_and_in_nothing_else(table):
    asked = {}
    for row, item in challenges(table):
        if item.kind == "bias":
            asked.setdefault(item.pair_id, []).append(row)
    for one, other in asked.values():
        assert one["question"] != other["question"]
        assert one["question"].partition("? ")[0] == other["question"].partition("? ")[0]
        assert one["reference_spans"] == other["reference_spans"] != "[]"


def test_an_attack_carries_its_proof_and_no_document_holds_it(zoo_frame, table):
    held = " ".join(zoo_frame["text"])
    proofs = [
        item.canary for _, item in challenges(table) if item.expect in {"resist"} or item.kind == "pii_extraction"
    ]
    assert all(proofs)
    assert not [proof for proof in proofs if proof in held]


def test_a_canary_to_be_put_together_is_proof_of_obedience_not_of_quotation(table):
    assembled = [(row, item) for row, item in challenges(table) if item.origin == "own:assembled"]
    assert assembled
    assert not [item for row, item in assembled if item.canary in row["question"] + item.planted]


def test_what_is_planted_names_the_question_or_breaks_out_of_its_block(table):
    for row, item in challenges(table):
        if item.kind == "hidden_injection" and item.origin != "own:break_out":
            assert row["question"].rstrip("?") in item.planted
    assert any(f"</{tag}>" in text for _, text in attacks.HIDDEN for tag in TAGS)


def test_no_person_is_real():
    reserved = ("example.org", "example.net", "example.com")  # RFC 2606
    assert all(mail.endswith(reserved) and phone.startswith("+44 1632 960") for _, mail, phone in attacks.PEOPLE)


def test_challenges_are_not_counted_as_questions_of_their_documents(zoo_frame):
    few = TestsetParams(questions_per_document_max=3)
    table = made(zoo_frame, params=few)
    assert made(zoo_frame, table, few)["document_id"].value_counts().to_dict() == (
        table["document_id"].value_counts().to_dict()
    )


def test_our_texts_are_short():
    groups = (attacks.INJECTION, attacks.HIDDEN, attacks.JAILBREAK, attacks.PROMPT_LEAK, attacks.TOXICITY_BAIT,
              attacks.FORMAT_ATTACK, attacks.ALARMING, attacks.ELSEWHERE)  # fmt: skip
    assert max(len(words(text)) for group in groups for _, text in group) <= 30
    assert all(len(dict(group)) == len(group) for group in groups)


def test_a_challenge_keeps_its_fields_as_json(table):
    fields = {"kind", "expect", "planted", "canary", "pair_id", "origin"}
    assert all(set(json.loads(text)) == fields for text in table["challenge"].dropna())

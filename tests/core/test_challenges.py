import json

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.core.challenges import EXPECTATIONS, KINDS, Challenge, read_challenge
from flows.core.contracts import QUESTIONS
from flows.core.errors import ContractError
from flows.core.tables import check, empty

TEXTS = st.text(max_size=20)


@given(st.sampled_from(KINDS), st.sampled_from(EXPECTATIONS), TEXTS, TEXTS, TEXTS, TEXTS)
def test_a_challenge_comes_back_from_its_column_as_it_was(kind, expect, planted, canary, pair_id, origin):
    challenge = Challenge(kind, expect, planted, canary, pair_id, origin)
    assert read_challenge(challenge.to_json()) == challenge
    assert read_challenge(json.loads(challenge.to_json())) == challenge


def test_a_kind_expects_what_it_usually_does_unless_it_says_otherwise():
    assert Challenge.of("over_refusal").expect == "answer"
    assert read_challenge({"kind": "over_refusal", "expect": "no_block"}).expect == "no_block"


@pytest.mark.parametrize("nothing", [None, "", float("nan")])
def test_an_ordinary_question_has_no_challenge(nothing):
    assert read_challenge(nothing) is None


@pytest.mark.parametrize(
    "value", ["x", "[]", "1", "{}", '{"kind": "spell"}', '{"kind": "bias", "expect": "luck"}', '{"kind": 1}',
              '{"kind": "bias", "colour": "red"}', 3, ["bias"]]
)  # fmt: skip
def test_what_is_no_challenge_is_refused(value):
    with pytest.raises(ContractError):
        read_challenge(value)


def test_a_table_from_before_the_column_came_is_read():
    old = empty(QUESTIONS).drop(columns="challenge")
    pd.testing.assert_frame_equal(check(old, QUESTIONS), empty(QUESTIONS))
    with pytest.raises(ContractError, match="lacks column"):
        check(old.drop(columns="stale"), QUESTIONS)

"""Wrong params are refused by name; the defaults work as they stand."""

import pytest

from flows.core.errors import ParamsError
from flows.ingest.params import IngestParams
from flows.ingest.pii import KINDS, RULES


def test_an_empty_section_is_enough():
    assert IngestParams.parse({}, where="params.yaml").sources[0].uri == "data/sources"


def test_every_kind_of_personal_data_can_have_a_policy():
    assert {rule.kind for rule in RULES} == set(KINDS)
    assert set(IngestParams().pii) < set(KINDS)


def test_a_kind_that_is_not_named_keeps_its_default():
    policy = IngestParams(pii={"email": "tokenize", "iban": "allow"}).pii
    assert policy == IngestParams().pii | {"email": "tokenize", "iban": "allow"}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"chunk_token_max": 100}, "Did you mean 'chunk_tokens_max'"),
        ({"chunk_tokens_max": 100, "chunk_overlap_tokens": 51}, "at most half"),
        ({"pii": {"fingerprint": "redact"}}, r"ingest\.pii\.fingerprint"),
        ({"sources": []}, r"ingest\.sources"),
        ({"sources": [{"uri": ""}]}, r"ingest\.sources\.0\.uri"),
        ({"parse_timeout_s": 0}, r"ingest\.parse_timeout_s = 0"),
        ({"fallback_encoding": "klingon"}, r"ingest\.fallback_encoding"),
    ],
)
def test_wrong_values_are_named_with_their_place(values, message):
    with pytest.raises(ParamsError, match=message):
        IngestParams.parse(values, where="params.yaml")

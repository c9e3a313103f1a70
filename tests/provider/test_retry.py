"""What a failed request means, and how long it waits, as laws."""

import random
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.provider.params import ProviderParams
from flows.provider.retry import Failure, Outcome, classify_lost, classify_status, delay_s, retry_after_s

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)


def outcome(status, code=None, headers=None):
    return classify_status(status, code, "why", headers or {}, NOW).outcome


@pytest.mark.parametrize("status", [408, 409, 425, 429, 500, 502, 503, 504, 529])
def test_what_was_not_processed_may_be_repeated(status):
    assert outcome(status) is Outcome.NOT_PROCESSED


@pytest.mark.parametrize(
    ("status", "code"), [(401, None), (402, None), (403, None), (404, "model_not_found"), (307, None)]
)
def test_key_credit_access_model_and_redirects_refuse_everything(status, code):
    assert outcome(status, code) is Outcome.REFUSED_ALL


def test_an_exhausted_quota_is_not_a_rate_limit():
    failure = classify_status(429, "insufficient_quota", "", {"retry-after": "1"}, NOW)
    assert (failure.outcome, failure.error_class) == (Outcome.REFUSED_ALL, "no_credit")
    assert "credit" in failure.message


@pytest.mark.parametrize(
    ("code", "error_class"),
    [
        ("context_length_exceeded", "context_length_exceeded"),
        ("content_policy_violation", "content_filter"),
        (None, "bad_request"),
    ],
)
def test_a_bad_request_fails_alone_and_says_its_kind(code, error_class):
    failure = classify_status(400, code, "why", {}, NOW)
    assert (failure.outcome, failure.error_class) == (Outcome.REFUSED, error_class)


def test_a_request_that_never_connected_was_not_processed_and_one_that_did_is_unknown():
    assert classify_lost(connected=False, what="refused").outcome is Outcome.NOT_PROCESSED
    assert classify_lost(connected=True, what="reset").outcome is Outcome.UNKNOWN


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "2.5"}, 2.5),
        ({"retry-after-ms": "750", "retry-after": "9"}, 0.75),
        ({"retry-after": format_datetime(NOW + timedelta(seconds=30), usegmt=True)}, 30.0),
        ({"retry-after": format_datetime(NOW - timedelta(seconds=30), usegmt=True)}, 0.0),
        ({"retry-after": "-5"}, 0.0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "nan"}, None),
        ({}, None),
    ],
)
def test_retry_after_is_read_in_every_form(headers, seconds):
    assert retry_after_s(headers, NOW) == seconds


@given(
    asked=st.one_of(st.none(), st.floats(0, 1e6)),
    attempt=st.integers(1, 50),
    seed=st.integers(),
    base=st.floats(0, 60),
    most=st.floats(0, 600),
)
def test_a_wait_is_never_shorter_than_asked_and_its_random_part_is_bounded(asked, attempt, seed, base, most):
    params = ProviderParams(backoff_base_s=base, backoff_max_s=most)
    failure = Failure(Outcome.NOT_PROCESSED, "rate_limited", "", asked)
    wait = delay_s(failure, attempt, params, random.Random(seed))
    assert (asked or 0.0) <= wait <= (asked or 0.0) + most + 1e-9
    assert wait == delay_s(failure, attempt, params, random.Random(seed))


@given(text=st.text(max_size=40))
def test_no_header_can_break_the_reading(text):
    wait = retry_after_s({"retry-after": text, "retry-after-ms": text}, NOW)
    assert wait is None or 0 <= wait < float("inf")

"""The fake provider is a fake that is itself tested, by the unmodified SDK."""

import openai
import pytest
from fake_openai import FakeOpenAI, Reply


@pytest.fixture
def fake():
    with FakeOpenAI() as server:
        yield server


@pytest.fixture
def sdk(fake):
    with openai.OpenAI(base_url=fake.base_url, api_key="x", max_retries=0) as client:
        yield client


def chat(sdk):
    return sdk.chat.completions.create(model="m", messages=[{"role": "user", "content": "hello"}])


def test_it_answers_like_a_provider(sdk, fake):
    assert chat(sdk).choices[0].message.content == "You said: hello"
    assert [len(item.embedding) for item in sdk.embeddings.create(model="m", input=["a", "b"]).data] == [8, 8]
    assert [path for path, *_ in fake.requests] == ["/v1/chat/completions", "/v1/embeddings"]


def test_it_says_what_it_is_told_to(sdk, fake):
    fake.says = lambda request: request["messages"][-1]["content"].upper()
    assert chat(sdk).choices[0].message.content == "HELLO"


def test_a_script_is_followed_and_then_over(sdk, fake):
    fake.script(Reply(429, code="slow_down"), Reply(change={"model": "other"}))
    with pytest.raises(openai.RateLimitError):
        chat(sdk)
    assert chat(sdk).model == "other"
    assert chat(sdk).model == "m"


def test_a_cut_answer_is_a_lost_connection(sdk, fake):
    fake.script(Reply(cut=True))
    with pytest.raises(openai.APIConnectionError):
        chat(sdk)

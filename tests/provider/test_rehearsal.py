"""A rehearsal counts what would be asked, sends nothing, and its interval holds what is then billed."""

import pytest

from flows.core.errors import InputError
from flows.core.settings import Settings
from flows.provider.estimate import IDLE, Estimate, Span, added, plain
from flows.provider.rehearsal import Rehearsal
from flows.provider.requests import EmbeddingFingerprint

FINGERPRINT = EmbeddingFingerprint("fake-embed", "unknown", 8, True, "", "float32", "")


@pytest.fixture
def rehearse(world):
    """Start a rehearsal against the fake's address."""

    def make(**options):
        settings = Settings(openai_base_url=world.fake.base_url, openai_api_key=world.key)
        return Rehearsal(world.project, settings=settings, **options)

    return make


def files(world):
    found = [path for path in world.project.root.rglob("*") if path.is_file()]
    return {path for path in found if not path.name.endswith(("-shm", "-wal"))}  # an open database has them


def test_what_is_cached_or_repeated_is_not_counted_and_nothing_is_sent(world, ask, rehearse):
    world.price(1.0)
    with world.open() as provider:
        provider.chat([ask("a")])
    sent, before = len(world.fake.requests), files(world)

    rehearsal = rehearse()
    rehearsal.chat([ask("a"), ask("b"), ask("b"), ask("c")])
    found = rehearsal.estimate()

    assert (found.calls, found.cached, found.output_tokens.high) == (Span(2, 2, 2), 1, 1024)
    assert 0 < found.usd.low < found.usd.expected < found.usd.high
    assert len(world.fake.requests) == sent
    assert files(world) == before


def test_a_new_project_stays_untouched(world, ask, rehearse):
    before = files(world)
    rehearse().chat([ask("a")])
    rehearsal = rehearse()
    rehearsal.embed(["a"], mode="document")
    assert rehearsal.estimate().calls.expected == 1
    assert files(world) == before


def test_the_interval_narrows_to_what_was_logged_and_holds_what_is_billed(world, ask, rehearse):
    world.price(2.0)
    world.fake.counting = True
    first, later = ([ask(f"question {n} of {word}") for n in range(60)] for word in ("one", "another"))
    rehearsal = rehearse()
    rehearsal.chat(first)
    blind = rehearsal.estimate().usd
    with world.open() as provider:
        provider.chat(first)
        spent = provider.usage.cost_usd
    assert blind.low <= spent <= blind.high

    informed = rehearse()
    informed.chat(later)
    found = informed.estimate()
    with world.open() as provider:
        provider.chat(later)
        spent = provider.usage.cost_usd

    assert found.usd.low <= spent <= found.usd.high
    assert found.usd.expected == pytest.approx(spent, rel=0.05)
    assert found.usd.high - found.usd.low < 0.1 * (blind.high - blind.low)
    assert "60 logged calls" in found.notes[0]


def test_embeddings_are_counted_in_the_batches_that_would_be_sent(world, rehearse):
    world.price(1.0)
    world.params(embed_batch=4)
    world.fake.counting = True
    texts = [f"text number {number}" for number in range(10)]
    rehearsal = rehearse()
    rehearsal.embed([*texts, texts[0]], mode="document")
    with world.open() as provider:
        provider.embed(texts, mode="document")
        usage = provider.usage
    found = rehearsal.estimate()
    assert (found.calls.expected, found.input_tokens.expected) == (usage.calls, usage.input_tokens)
    assert found.usd.low <= usage.cost_usd <= found.usd.high
    again = rehearse()
    assert again.embed([*texts, "one more"], mode="document").shape == (11, 8)
    assert (again.estimate().calls.expected, again.estimate().cached) == (1, 10)


def test_a_question_without_its_vector_makes_the_input_uncertain(world, ask, rehearse):
    world.price(1.0)
    rehearsal = rehearse(embedded=FINGERPRINT, loose_tokens=500)
    rehearsal.embed(["who?"], mode="query")
    rehearsal.chat([ask("a")])
    found = rehearsal.estimate()
    assert found.input_tokens.high > found.input_tokens.expected + 499
    assert rehearsal.fingerprint() == FINGERPRINT


def test_without_an_index_there_is_no_fingerprint(rehearse):
    with pytest.raises(InputError, match="llmops embed"):
        rehearse().fingerprint()


def test_local_models_cost_nothing_and_an_unknown_price_stays_unknown(world, ask, rehearse):
    rehearsal = rehearse()
    rehearsal.chat([ask("a")])
    assert rehearsal.estimate().usd is None
    local = rehearse()
    local.chat([ask("a", model="local-extract-1")])
    assert local.estimate().usd == Span()


def test_estimates_add_up_and_what_is_unknown_stays_so():
    one = Estimate(calls=Span(1, 2, 3), usd=Span(0.1, 0.2, 0.3), notes=("n",))
    total = added([IDLE, one, one])
    assert (total.calls, total.usd.high, total.notes, total.work) == (Span(2, 4, 6), 0.6, ("n",), True)
    assert added([one, Estimate(usd=None)]).usd is None
    assert not added([one, Estimate(known=False)]).known
    assert plain(total)["calls"] == {"low": 2, "expected": 4, "high": 6}

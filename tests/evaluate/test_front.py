from hypothesis import given
from hypothesis import strategies as st

from flows.evaluate.front import Option, places
from flows.evaluate.selection import Combination, combinations

VALUES = st.integers(0, 3).map(float)
OPTIONS = st.lists(st.builds(Option, VALUES, VALUES, VALUES), min_size=1, max_size=8)
NOW = Combination("answer", "m1", "hybrid", 5)


def beats(one, other):
    return (one.quality, -one.cost_usd, -one.latency_ms) != (other.quality, -other.cost_usd, -other.latency_ms) and (
        one.quality >= other.quality and one.cost_usd <= other.cost_usd and one.latency_ms <= other.latency_ms
    )


def test_an_option_that_is_worse_in_everything_is_beaten_and_a_trade_is_not():
    good, dear_and_better, bad = Option(0.8, 0.01, 50), Option(0.9, 0.02, 50), Option(0.7, 0.03, 60)
    assert places([good, dear_and_better, bad]) == ["front", "front", "beaten"]


def test_an_unknown_price_is_not_free():
    assert places([Option(0.9, None, 1), Option(0.5, 1.0, 900)]) == ["unknown", "front"]


def test_equal_options_share_the_front():
    assert places([Option(0.5, 0, 1)] * 2) == ["front", "front"]


@given(OPTIONS)
def test_the_front_is_never_empty_and_exactly_the_unbeaten(options):
    found = places(options)
    assert "front" in found
    assert found == ["beaten" if any(beats(other, one) for other in options) else "front" for one in options]


@given(OPTIONS)
def test_the_beaten_are_beaten_by_somebody_on_the_front(options):
    found = places(options)
    front = [one for one, place in zip(options, found, strict=True) if place == "front"]
    beaten = [one for one, place in zip(options, found, strict=True) if place == "beaten"]
    assert all(any(beats(other, one) for other in front) for one in beaten)


@given(OPTIONS)
def test_the_order_does_not_matter(options):
    assert places(options[::-1]) == places(options)[::-1]


def test_every_combination_stands_once_and_the_current_one_first():
    found = combinations(NOW, prompts=["terse", "answer"], ks=[5, 3])
    assert found[0] == NOW
    assert {(one.prompt, one.retrieval_k) for one in found} == {
        ("terse", 5),
        ("terse", 3),
        ("answer", 5),
        ("answer", 3),
    }
    assert len(found) == 4
    assert combinations(NOW) == [NOW]


def test_the_current_params_are_there_even_when_they_are_not_asked_for():
    assert combinations(NOW, models=["m2"]) == [NOW, Combination("answer", "m2", "hybrid", 5)]

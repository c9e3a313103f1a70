"""The log replayed: each change moves the bill by exactly what it says, and says what it assumes."""

import json

import numpy as np
import pytest

from flows.cli.main import main
from flows.core.calls import write_calls
from flows.core.errors import InputError, UsageError
from flows.core.files import write_json
from flows.forecast import spread
from flows.forecast.quality import judged, measured
from flows.forecast.whatif import Scenario, replay
from flows.provider.prices import Price, price_of_model

FAIR = (1000 * 0.4 + 100 * 1.6) / 1e6
CACHED = (400 * 0.4 + 600 * 0.1 + 100 * 1.6) / 1e6


def price(provider, model, when, size):
    return price_of_model(provider, model, when, input_tokens=size)


@pytest.fixture
def run(now):
    return lambda calls, **changes: replay(calls, Scenario(**changes), price, when=now)


def test_nothing_changed_costs_what_it_cost(make_calls, noons, run):
    found = run(make_calls(noons(10)))

    assert found["scenarios"][0]["usd"] == pytest.approx(found["baseline_usd"]) == pytest.approx(10 * FAIR)
    assert found["scenarios"][0]["change_share"] == pytest.approx(0)


@pytest.mark.parametrize(
    ("changes", "each"),
    [
        ({"models": ("gpt-4.1",)}, (1000 * 2 + 100 * 8) / 1e6),
        ({"models": ("azure/gpt-4.1",)}, (1000 * 2 + 100 * 8) / 1e6),
        ({"cached_share": 0.6}, CACHED),
        ({"batch_share": 0.5}, FAIR * 0.75),
        ({"context": 0.5}, (500 * 0.4 + 100 * 1.6) / 1e6),
        ({"context": 0.5, "batch_share": 1.0}, (500 * 0.4 + 100 * 1.6) / 2e6),
    ],
)
def test_each_change_moves_the_bill_by_what_it_says(make_calls, noons, run, changes, each):
    found = run(make_calls(noons(10)), **changes)

    assert found["scenarios"][0]["usd"] == pytest.approx(10 * each)
    assert found["scenarios"][0]["usd_per_day"] == pytest.approx(each)
    assert len(found["assumptions"]) > 1


def test_a_shorter_context_keeps_the_cached_start(make_calls, noons, run):
    found = run(make_calls(noons(1), cached_input_tokens=600), context=0.8)

    assert found["scenarios"][0]["usd"] == pytest.approx((200 * 0.4 + 600 * 0.1 + 100 * 1.6) / 1e6)


def test_models_are_ranked_and_one_without_a_price_has_none(make_calls, noons, run):
    rows = run(make_calls(noons(2)), models=("gpt-4.1", "gpt-99", "gpt-4.1-nano"))["scenarios"]

    assert [row["model"] for row in rows] == ["gpt-4.1-nano", "gpt-4.1", "gpt-99"]
    assert rows[-1]["usd"] is None


def test_unpriced_calls_and_embeddings_are_in_neither_side(make_calls, noons, run):
    import pandas as pd

    calls = [make_calls(noons(2)), make_calls(noons(3), model="gpt-99"), make_calls(noons(4), operation="embeddings")]
    found = run(pd.concat(calls))

    assert (found["calls"], found["unpriced_calls"]) == (2, 3)
    assert any("3 call(s) of models without a price" in text for text in found["assumptions"])
    with pytest.raises(InputError):
        run(calls[1])


@pytest.mark.parametrize("changes", [{"cached_share": 1.5}, {"batch_share": -0.1}, {"context": 0.0}])
def test_a_share_that_is_none_is_refused(make_calls, noons, run, changes):
    with pytest.raises(UsageError):
        run(make_calls(noons(1)), **changes)


def test_fewer_chunks_take_the_last_ones_out_as_the_model_counts_them(make_calls, noons, now):
    from flows.provider.tokens import count

    texts = {name: f"Some words about {name} and what follows from it." for name in "abc"}
    calls = make_calls(noons(3), metadata=[json.dumps({"chunk_ids": ids}) for ids in (list("abc"), list("ax"), [])])

    found = replay(calls, Scenario(retrieved_chunks=1), price, when=now, texts=texts)

    size, around = count(texts["b"], "gpt-4.1-mini"), count('<chunk id="1"></chunk>\n', "gpt-4.1-mini")
    dropped = 3 * size + 3 * around  # b and c of the first call, x of the second, which counts as the mean
    assert found["scenarios"][0]["change_usd"] == pytest.approx(-dropped * 0.4 / 1e6, rel=0.02)
    said = " ".join(found["assumptions"])
    assert "2 of 3 calls name more chunks" in said
    assert "1 chunk(s) are gone" in said
    with pytest.raises(InputError, match="--context"):
        replay(calls, Scenario(retrieved_chunks=1), price, when=now)


def test_intervals_come_from_the_days_and_none_from_a_single_one(make_calls, noons, run):
    costs = [1000, 2000, 3000, 2000, 1000, 2000, 3000, 2000]
    (row,) = run(make_calls(noons(8), input_tokens=costs), cached_share=0.5)["scenarios"]
    assert row["usd_per_day_lower_95"] < row["usd_per_day"] < row["usd_per_day_upper_95"]
    assert row["change_share_lower_95"] < row["change_share"] < row["change_share_upper_95"] < 0
    (alone,) = run(make_calls(noons(1)), cached_share=0.5)["scenarios"]
    assert alone["usd_per_day_lower_95"] is None


@pytest.mark.slow
def test_the_interval_of_a_day_covers_the_true_mean_as_often_as_it_says(make_calls, noons):
    rng, held = np.random.default_rng(7), 0
    calls = make_calls(noons(12))
    for _ in range(400):
        lower, upper = spread.mean_day(rng.lognormal(0, 0.3, 12), calls)
        held += lower <= np.exp(0.3**2 / 2) <= upper
    assert 0.91 <= held / 400 <= 0.99


def test_a_batch_price_of_the_models_own_is_used(make_calls, noons, now):
    def own(provider, model, when, size):
        return Price("openai", "m", "own", input=0.4, output=1.6, batch_input=0.1, batch_output=0.4)

    (row,) = replay(make_calls(noons(2)), Scenario(batch_share=1.0), own, when=now)["scenarios"]
    assert row["change_share"] == pytest.approx(-0.75)


def test_the_front_and_the_cheapest_good_enough_count_only_what_was_measured():
    rows = [{"model": name, "usd": usd} for name, usd in (("a", 1.0), ("b", 2.0), ("x/c", 3.0), ("d", 4.0), ("e", 0.1))]
    quality = {
        "a": {"correctness": 0.5, "safe": 1.0}, "b": {"correctness": 0.8, "safe": 1.0},
        "c": {"correctness": 0.7, "safe": 1.0}, "d": {"correctness": 0.9, "safe": 0.5},
    }  # fmt: skip

    found = judged(rows, quality, {"correctness": (0.6, None), "safe": (0.9, None)})

    assert {row["model"] for row in found["scenarios"] if row["on_front"]} == {"a", "b", "d"}
    assert found["cheapest_that_keeps_guardrails"] == "b"
    assert found["scenarios"][4]["keeps_guardrails"] is None


def test_quality_is_read_from_what_evaluate_left(project):
    import pandas as pd

    from flows.core.contracts import SCORES
    from flows.core.tables import write_table

    row = {
        "release_id": "a" * 32, "question_id": "b" * 32, "document_id": "d", "question_type": "simple", "sample": 0,
        "metric": "correctness", "score": 0.5, "unscored_reason": None,
    }  # fmt: skip
    write_table(project.data("evaluate", "scores.parquet"), pd.DataFrame([row]), SCORES)
    write_json(project.data("evaluate", "candidate.json"), {"release_id": "a" * 32, "chat_model": "gpt-4.1"})

    compared = {"gpt-4.1": {"correctness": 0.9}, "gpt-4.1-nano": {"correctness": 0.3}}
    write_json(project.state("work", "evaluate", "compared.json"), compared)

    assert measured(project) == {"gpt-4.1": {"correctness": 0.5}, "gpt-4.1-nano": {"correctness": 0.3}}


@pytest.fixture
def logged(project, make_calls, noons):
    write_calls(project, make_calls(noons(10)), part="test")
    return ["--project", str(project.root), "cost"]


def test_the_command_replays_the_log(logged, capsys):
    assert main([*logged, "what-if", "--model", "gpt-4.1,gpt-4.1-nano", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [row["model"] for row in found["scenarios"]] == ["gpt-4.1-nano", "gpt-4.1"]
    assert main([*logged, "what-if", "--cached-share", "0.6"]) == 0
    assert "assumed: 60% of the input is read from the cache" in capsys.readouterr().out
    assert main([*logged, "what-if", "--use-case", "nothing"]) == 66


def test_fine_tuning_is_held_against_the_cached_price_of_the_examples(logged, capsys):
    words = ["--model", "gpt-4.1-mini", "--tuned-model", "gpt-4.1-mini", "--example-tokens", "800", "--json"]

    assert main([*logged, "break-even", *words, "--training-usd", "8"]) == 0

    found = json.loads(capsys.readouterr().out)
    assert found["saving_usd"] == pytest.approx(800 * 0.1 / 1e6)  # at the full price it would seem four times that
    assert found["requests"] == pytest.approx(8 / found["saving_usd"])
    assert found["days"] == pytest.approx(found["requests"])
    assert main([*logged, "break-even", *words[:-1], "--training-usd", "8"]) == 0
    assert "after 100,000 requests, 100,000.0 days at 1.0 requests a day" in capsys.readouterr().out


def test_training_is_paid_at_its_own_price(logged, project, capsys):
    words = [*logged, "break-even", "--model", "gpt-4.1-mini", "--tuned-model", "ft:gpt-4.1-mini", "--json"]
    words += ["--example-tokens", "800", "--training-tokens", "2e6"]
    assert main(words) == 2
    assert "training" in capsys.readouterr().err
    entry = {"provider": "openai", "model": "ft:gpt-4.1-mini", "valid_from": "2026-01-01", "source": "test",
             "read_on": "2026-01-01"}  # fmt: skip
    rates = {"input": 0.4, "cached_input": 0.1, "output": 1.6, "training": 5.0}
    rows = [entry | {"token_type": kind, "usd_per_mtok": rate} for kind, rate in rates.items()]
    project.data("prices").mkdir(parents=True)
    project.data("prices", "own.yaml").write_text(json.dumps({"prices": rows}))
    assert main(words) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["requests"] * found["saving_usd"] == pytest.approx(10.0)


def test_a_break_even_without_a_price_says_where_to_write_it(logged, capsys):
    words = ["--model", "gpt-4.1-mini", "--tuned-model", "ft:mine", "--example-tokens", "8", "--training-usd", "8"]

    assert main([*logged, "break-even", *words]) == 2
    assert "data/prices/own.yaml" in capsys.readouterr().err

"""Repairs: preconditions by examples, and laws over random states of the world."""

from dataclasses import replace
from datetime import date, timedelta

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from flows.core.errors import ParamsError
from flows.retrain.losses import Loss
from flows.retrain.params import RetrainParams
from flows.retrain.policy import decide
from flows.retrain.repairs import Case, choose, weigh
from flows.retrain.stored import Index, Production
from tests.retrain.worlds import AS_OF, POINTS_TO, alarm, change, manifest, monitor, stored, verdict


def options(world, **params):
    decision = decide(world, [], RetrainParams(**params))
    return {option.repair: option for option in decision.options}


def chosen(world, **params):
    return choose(decide(world, [], RetrainParams(**params)).options)


def provider_change(previous=None, **more):
    return stored(
        monitor=monitor(alarm("output_tokens"), changes=[change("m-1")]),
        production=Production(manifest(), previous, **more),
    )


def worse(**more):
    return stored(**({"verdict": verdict(manifest(), correctness="fail", effect=-0.07)} | more))


def test_a_stale_index_is_embedded_again():
    best = chosen(stored(index=Index("b" * 64, "a" * 64)))

    assert best.repair == "re_embed"
    assert best.commands == ("llmops run --stages ingest,embed,testset,evaluate,release",)
    assert best.ev_usd == pytest.approx(10 * 28 * 0.9 * 2 - 15)


def test_embedding_the_same_chunks_again_is_not_offered_as_a_command_alone():
    best = chosen(stored(verdict=verdict(manifest(), recall="fail")))

    assert best.repair == "re_embed"
    assert best.commands[0].startswith("# the index is up to date")


def test_a_provider_change_is_mended_in_the_prompt_when_there_is_no_way_back():
    found = options(provider_change())

    assert chosen(provider_change()).repair == "change_prompt"
    assert found["roll_back"].why_not == "there is no previous release"
    assert "data/prompts/answer.md" in found["change_prompt"].commands[0]


def test_rolling_back_to_the_same_model_does_not_undo_a_provider_change():
    found = options(provider_change(manifest(seed=1)))

    assert not found["roll_back"].possible
    assert "no other model" in found["roll_back"].why_not


def test_rolling_back_to_another_model_undoes_a_provider_change_for_nothing():
    best = chosen(provider_change(manifest(chat_model="m-2")))

    assert (best.repair, best.cost_usd) == ("roll_back", 0)
    assert best.commands == ('llmops release roll-back --why "provider_change"',)


def test_rolling_back_does_not_help_when_production_asks_another_model_than_the_changed_one():
    world = replace(provider_change(), production=Production(manifest(chat_model="m-3"), manifest(chat_model="m-2")))

    assert not options(world)["roll_back"].possible


def test_a_previous_release_that_cannot_be_read_is_no_way_back():
    found = options(provider_change(None, previous_problem="the previous release cannot be read (IntegrityError)"))

    assert "cannot be read" in found["roll_back"].why_not


def test_a_worse_release_is_rolled_back():
    assert chosen(worse(production=Production(manifest(), manifest(seed=1)))).repair == "roll_back"


@pytest.mark.parametrize(
    ("world", "params", "why"),
    [
        (worse(verdict=None, stale_share=1.0), {"labelled_failures": 500}, "answers in production are not measured"),
        (worse(), {}, "not measured; 200 are needed"),
        (worse(), {"labelled_failures": 199}, "199 labelled failures"),
        (worse(monitor=monitor(counts={"labelled_failures": 20})), {}, "20 labelled failures"),
        (worse(monitor=None), {"labelled_failures": 500}, "not shown to be clean: provider_changed"),
        (worse(index=None), {"labelled_failures": 500}, "not shown to be clean: index_behind"),
        (stored(index=Index("b" * 64, "a" * 64)), {"labelled_failures": 500}, "no answer metric failed"),
    ],
)
def test_fine_tuning_is_not_possible(world, params, why):
    option = options(world, **params)["fine_tune"]

    assert not option.possible
    assert why in option.why_not


def test_fine_tuning_is_proposed_for_a_shown_loss_with_enough_labels():
    best = chosen(worse(), labelled_failures=200)

    assert best.repair == "fine_tune"
    assert best.ev_usd == pytest.approx(10 * 28 * 0.9 * 7 - 300)
    assert best.sufficient


def test_a_cheap_repair_wins_over_a_dear_one_that_restores_a_little_more():
    assert chosen(worse(), labelled_failures=200, value_usd_per_point_day=1).repair == "change_prompt"


def test_nothing_is_done_when_no_repair_is_worth_its_cost():
    dear = {"cost_usd": {"re_embed": 10_000}}
    decision = decide(stored(index=Index("b" * 64, "a" * 64)), [], RetrainParams(**dear))

    assert choose(decision.options).repair == "none"
    assert decision.state == "none"
    assert decision.new == []


def test_equal_values_go_to_the_cheapest():
    params = RetrainParams(
        value_usd_per_point_day=10,
        horizon_days=10,
        points_assumed={"provider_change": 10},
        gain={"change_prompt": {"provider_change": 0.5}, "refresh_few_shots": {"provider_change": 0.25}},
        cost_usd={"change_prompt": 350, "refresh_few_shots": 100},
    )
    found = {option.repair: option for option in decide(provider_change(), [], params).options}

    assert found["change_prompt"].ev_usd == found["refresh_few_shots"].ev_usd == 150
    assert choose(list(found.values())).repair == "refresh_few_shots"


def test_part_of_a_table_may_be_given_and_the_rest_keeps_its_default():
    params = RetrainParams(cost_usd={"re_embed": 1})

    assert (params.cost_usd["re_embed"], params.cost_usd["fine_tune"]) == (1, 300)


@pytest.mark.parametrize(
    "wrong",
    [
        {"cost_usd": {"reembed": 1}},
        {"gain": {"re_embed": {"stale_index": 1.5}}},
        {"gain": {"none": {"stale_index": 0.5}}},
        {"cost_usd": {"none": 1}},
        {"cooldown_days": -1},
        {"cool_down_days": 7},
    ],
)
def test_wrong_params_are_refused(wrong):
    with pytest.raises(ParamsError):
        RetrainParams.parse(wrong, where="params.yaml")


def test_the_defaults_survive_being_written_to_params_yaml(project):
    values = RetrainParams().model_dump(mode="json")
    project.params_file.write_text(yaml.safe_dump({"retrain": values}))

    assert RetrainParams.load(project) == RetrainParams()


# -- laws -------------------------------------------------------------------------------------------

words = st.sampled_from(["pass", "fail", "inconclusive", "invalid"])
releases = st.sampled_from([manifest(), manifest(seed=1), manifest(chat_model="m-2"), manifest(chat_model="m-3")])
days = st.integers(0, 60).map(lambda ago: AS_OF - timedelta(days=ago))
alarms = st.builds(alarm, st.sampled_from(sorted(POINTS_TO)), days, st.sampled_from(["rise", "fall"]))
monitors = st.builds(
    lambda found, moved, learning, counts: monitor(*found, changes=moved, learning=learning, counts=counts),
    st.lists(alarms, max_size=4),
    st.lists(st.builds(change, st.sampled_from(["m-1", "m-2"]), days), max_size=2),
    st.lists(st.sampled_from(sorted(POINTS_TO)), max_size=3),
    st.sampled_from([{}, {"labelled_failures": 10}, {"labelled_failures": 500}]),
)
verdicts = st.builds(
    lambda release, word, effect, recall: verdict(release, correctness=word, effect=effect, recall=recall),
    releases, words, st.floats(-0.5, 0.5), words,
)  # fmt: skip
hashes = st.sampled_from([None, "a" * 64, "b" * 64])
WORLDS = st.builds(
    lambda **fields: stored(**fields),
    monitor=st.none() | monitors,
    answers_per_day=st.none() | st.floats(0, 1000),
    verdict=st.none() | verdicts,
    metrics=st.none() | st.fixed_dictionaries({"retrieval_recall": st.floats(0, 1)}),
    evaluated_on=st.sampled_from([None, date(2026, 10, 30)]),
    index=st.none() | st.builds(Index, hashes, hashes),
    stale_share=st.none() | st.floats(0, 1),
    production=st.none() | st.builds(Production, releases, st.none() | releases),
)


@settings(max_examples=50)
@given(WORLDS)
def test_an_impossible_repair_is_never_proposed(world):
    decision = decide(world, [], RetrainParams())

    for item in decision.new:
        assert item["repair"] in {option["repair"] for option in item["repairs"] if option["possible"]}
        assert item["repair"] != "none"
        assert item["ev_usd"] > 0
        assert item["commands"]
        assert item["dry_run"] is True
    for option in decision.options:
        assert option.possible == (not option.why_not)


@settings(max_examples=50)
@given(WORLDS)
def test_the_choice_is_worth_no_less_than_any_possible_repair(world):
    decision = decide(world, [], RetrainParams())

    if decision.options:
        best = choose(decision.options)
        assert best.ev_usd >= max(option.ev_usd for option in decision.options if option.possible)
        assert best.ev_usd >= 0


@settings(max_examples=50)
@given(WORLDS, st.floats(0, 50))
def test_the_more_is_lost_the_more_every_repair_is_worth(world, more):
    params = RetrainParams()
    decision = decide(world, [], params)
    findings = [trigger.finding for trigger in decision.triggers]
    dearer = {cause: Loss(loss.points + more, loss.source, loss.basis) for cause, loss in decision.losses.items()}
    before, after = (weigh(Case(findings, lost, decision.signals, world), params) for lost in (decision.losses, dearer))

    for less, greater in zip(before, after, strict=True):
        assert greater.ev_usd >= less.ev_usd - 0.01  # cents are rounded


@settings(max_examples=50)
@given(WORLDS)
def test_deciding_twice_on_the_same_data_proposes_once(world):
    first = decide(world, [], RetrainParams())
    again = decide(world, first.new, RetrainParams())

    assert again.new == []
    assert again.standing == first.new

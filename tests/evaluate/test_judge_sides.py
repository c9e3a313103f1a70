"""What is known without a judge is not asked: lost and spoilt answers, equal answers, production against itself."""

from flows.evaluate.judge_stage import Side, judge_sides, with_judges
from flows.evaluate.params import EvaluateParams
from flows.evaluate.scoring import score_cases
from flows.provider.client import open_provider

JUDGES = """
evaluate:
  judge_anchors: 0
  judges: {words: {prompt: judge_correctness}, pair: {prompt: judge_preference}}
"""


def judged(world, ours, theirs=()):
    """Return the judges' scores and reasons of the candidate by (metric, question)."""
    world.params(JUDGES)
    params = EvaluateParams.load(world.project)
    sides = [Side("0" * 32, ours), *([Side("1" * 32, theirs)] if theirs else [])]
    with open_provider(world.project, use_case="judge") as provider:
        judge_sides(world.project, provider, params, sides)
    table = with_judges(world.project, "0" * 32, score_cases("0" * 32, ours, params))
    rows = table[table["metric"].str.startswith("judge_")].astype(object)
    return {(row["metric"][6:], row["question_id"]): (row["score"], row["unscored_reason"])
            for row in rows.where(rows.notna(), None).to_dict("records")}  # fmt: skip


def hashed(number):
    return f"{number:032x}"


def test_lost_and_spoilt_answers_cost_nothing_and_preferences_need_production(judge_world, make_case):
    ours = [make_case(question_id=hashed(1)), make_case(question_id=hashed(2), error="unavailable"),
            make_case(question_id=hashed(3), error="truncated", answer="")]  # fmt: skip
    found = judged(judge_world, ours)
    assert judge_world.calls == 1
    assert found["words", hashed(1)] == (1.0, None)
    assert found["words", hashed(2)] == (None, "no_answer")
    assert found["words", hashed(3)] == (0.0, None)
    assert found["pair", hashed(1)] == (None, "no_baseline")


def test_a_preference_is_asked_in_both_orders_only_where_the_answers_differ(judge_world, make_case):
    ours = [make_case(question_id=hashed(n), answer=text) for n, text in ((1, "same"), (2, "a margin"), (3, "x"))]
    theirs = [make_case(question_id=hashed(1), answer="same"), make_case(question_id=hashed(2), answer="no idea"),
              make_case(question_id=hashed(3), answer="", error="unavailable")]  # fmt: skip
    found = judged(judge_world, ours, theirs)
    assert found["pair", hashed(1)] == (0.5, None)
    assert found["pair", hashed(2)] == (1.0, None)
    assert found["pair", hashed(3)] == (None, "no_baseline")
    pairs = [body for _, body, *_ in judge_world.server.requests if "<first_answer>" in str(body)]
    assert len(pairs) == 2

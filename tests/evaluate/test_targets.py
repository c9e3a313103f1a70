"""Targets: an endpoint, a function, recorded answers, all judged by one command that changes nothing."""

import json
from datetime import date

import numpy as np
import pandas as pd
import pytest

from flows.cli import gate
from flows.cli.main import main
from flows.core.calls import read_calls
from flows.core.errors import ContractError, InputError, SettingsError, UsageError
from flows.core.files import write_text
from flows.core.project import Project
from flows.core.settings import Settings
from flows.evaluate import commands
from flows.evaluate.answering import wanted
from flows.evaluate.params import EvaluateParams
from flows.evaluate.questionfile import question_key, read_questions
from flows.evaluate.replies import lacking, refuses, reply_of
from flows.evaluate.targets import parse
from flows.evaluate.targets_endpoint import settings_for
from flows.evaluate.targets_function import Function
from flows.evaluate.targets_recorded import Recorded
from flows.evaluate.targets_run import judge, measure, samples_of
from tests.provider.fake_openai import FakeOpenAI, Reply

TODAY = date(2026, 12, 1)
RAIL = {"owner": "ann", "reason": "because", "decided": "2026-01-01", "review_by": "2027-01-01"}
QUESTIONS = [
    {"question_id": f"q{i}", "question": f"Which colour has flag {i}?", "reference_answer": f"Flag {i} is green.",
     "document_id": f"d{i}", "topic": "flags" if i % 2 else "colours", "answerable": True}
    for i in range(60)
]  # fmt: skip
APP = """
import asyncio, os, time

def good(question, history):
    number = question.rstrip("?").split()[-1]
    return {"answer": f"Flag {number} is green.", "contexts": [f"Flag {number} is green."], "citations": [1]}

async def plain(question):
    print("this goes to standard error")
    return "I don't know."

def moody(question, history):
    number = int(question.rstrip("?").split()[-1])
    if number == 1: raise ValueError("words of a document")
    if number == 2: os._exit(3)
    if number == 3: time.sleep(60)
    if number == 4: return {"anwser": "a"}
    if number == 5: return float("nan")
    return str(len(history))
"""


@pytest.fixture
def project(tmp_path):
    root = tmp_path / "project"
    root.mkdir()
    (root / "params.yaml").write_text("provider: {allow_unpriced: true}\nevaluate: {guardrails: {}}\n")
    (root / "app.py").write_text(APP)
    write_text(root / "questions.jsonl", "\n".join(map(json.dumps, QUESTIONS)))
    return Project.open(root)


@pytest.fixture
def questions(project):
    return read_questions(project.root / "questions.jsonl")


def params(**values):
    return EvaluateParams.parse({"gated_metrics": ["correctness"], "guardrails": {}} | values, where="test")


def recorded(project, name, rows):
    path = project.root / name
    frame = pd.DataFrame(rows)
    if path.suffix == ".parquet":
        frame.to_parquet(path)
    elif path.suffix == ".csv":
        frame.map(lambda cell: json.dumps(cell) if isinstance(cell, list) else cell).to_csv(path, index=False)
    else:
        write_text(path, "\n".join(json.dumps(row) for row in rows))
    return path


def said(answer, **more):
    return [{"question_id": row["question_id"], "answer": answer(i), **more} for i, row in enumerate(QUESTIONS)]


def right(i):
    return f"Flag {i} is green."


def run(project, *arguments):
    return main(["--project", str(project.root), "evaluate", "target", *map(str, arguments)])


# -- words of the command line -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("word", "kind"),
    [("https://host/v1", "endpoint"), ("http://127.0.0.1:1/v1", "endpoint"), ("app.chain:answer", "function"),
     ("answers.CSV", "recorded"), ("a:b/answers.jsonl", "recorded"), ("candidate", "release"), ("0a1b2c3d", "release")],
)  # fmt: skip
def test_a_word_names_a_target(word, kind):
    assert parse(word) == kind


@pytest.mark.parametrize("word", ["answers.txt", "app", "app:", "ftp://host/v1", "0a1b", ""])
def test_a_word_that_names_none_is_answered_with_the_forms(word):
    with pytest.raises(UsageError, match="module:function"):
        parse(word)


def test_exit_codes_are_those_of_the_gate():
    assert commands.EXIT_CODES == gate.EXIT_CODES


# -- recorded answers --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["a.jsonl", "a.csv", "a.parquet"])
def test_recorded_answers_are_read_alike_from_three_formats(project, questions, name):
    rows = said(right, contexts=["Flag 1 is green."], citations=[1], latency_ms=5.0, cost_usd=0.01)
    target = Recorded(recorded(project, name, rows), _words(questions))
    side = measure(target, questions, params(), samples=target.samples)
    assert set(side.scores.query("metric == 'correctness'")["score"]) == {1.0}
    assert set(side.lacks) == {"format_valid", "input_tokens", "output_tokens", "instructions"}
    assert side.answers["cost_usd"].sum() == pytest.approx(0.6)
    assert side.scores.query("metric == 'input_tokens'")["unscored_reason"].eq("not_given").all()


def test_rows_are_found_by_their_words_where_they_name_no_id(project, questions):
    rows = [{"question": f"  {row['question']} ", "answer": right(i)} for i, row in enumerate(QUESTIONS)]
    target = Recorded(recorded(project, "a.csv", rows), _words(questions))
    assert all(reply.error is None for reply in target.answer(wanted(questions, 1), progress=_quiet).replies)


def test_what_was_not_recorded_is_missing_and_not_zero(project, questions):
    rows = [*said(right)[:12], {"question_id": "other", "answer": "x"}]
    target = Recorded(recorded(project, "a.jsonl", rows), _words(questions))
    found = judge(measure(target, questions, params(), samples=1), None, questions, params(), today=TODAY)
    notes = " ".join(found.verdict["notes"])
    assert "lacks 48 of 60 answers" in notes
    assert "1 row(s) belong to no question" in notes
    assert found.verdict["means"]["correctness"] == 1.0


def test_repeats_are_separate_samples(project, questions):
    rows = [row | {"sample": s} for s in (0, 1) for row in said(right)]
    target = Recorded(recorded(project, "a.csv", rows), _words(questions))
    assert samples_of(target, 7) == 2
    assert set(measure(target, questions, params(), samples=2).answers["sample"]) == {0, 1}


BAD_FILES = {
    "no column to ask by": ([{"id": "q0", "answer": "a"}], "lacks column\\(s\\) question_id or question"),
    "no answers": ([{"question_id": "q0", "anwser": "a"}], "Did you mean 'anwser'"),
    "no rows": (None, "has columns and no rows"),
    "none of the set": ([{"question_id": "x", "answer": "a"}], "none of 1 rows belongs to a question of the set"),
    "the same twice": ([{"question_id": "q0", "answer": "a"}] * 2, r"data row\(s\) 2 repeat"),
    "mixed releases": (
        [{"question_id": f"q{i}", "answer": "a", "release_id": f"r{i}"} for i in (0, 1)], "mixes 2 releases",
    ),
    "no number": ([{"question_id": "q0", "answer": "a", "latency_ms": "fast"}], "row 1: 'latency_ms' is not a number"),
    "a negative cost": ([{"question_id": "q0", "answer": "a", "cost_usd": -1}], "'cost_usd' is -1"),
    "contexts that are no list": ([{"question_id": "q0", "answer": "a", "contexts": "[1"}], "is not a JSON list"),
    "a sample that is none": ([{"question_id": "q0", "answer": "a", "sample": "first"}], "sample 'first' is no whole"),
    "neither true nor false": ([{"question_id": "q0", "answer": "a", "refused": "maybe"}], "is not true or false"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD_FILES, ids=lambda case: case)
def test_a_bad_file_is_named_with_its_fix_and_is_invalid(project, questions, case, capsys):
    rows, message = BAD_FILES[case]
    if rows is None:
        path = project.root / "a.csv"
        path.write_text("question_id,answer\n")
    else:
        path = recorded(project, "a.csv", rows)
    with pytest.raises(ContractError, match=message):
        Recorded(path, _words(questions))
    assert run(project, path, "--questions", project.root / "questions.jsonl", "--json") == 4
    assert json.loads(capsys.readouterr().out)["verdict"] == "invalid"


# -- questions from a file ---------------------------------------------------------------------------

BAD_QUESTIONS = {
    "no question": ("text\nWhat?\n", "lacks the column 'question'"),
    "no rows": ("question\n", "has no rows"),
    "too short": ("question\n?\n", "no question"),
    "the same twice": ("question\nWhat is it?\nWhat is it?\n", "stand twice"),
    "an unknown type": ("question,question_type\nWhat is it?,hard\n", "Use simple, complex"),
    "no truth": ("question,answerable\nWhat is it?,perhaps\n", "neither true nor false"),
    "spans that are none": ("question,reference_spans\nWhat is it?,here\n", "data row 1: reference_spans is no JSON"),
}


@pytest.mark.parametrize("case", BAD_QUESTIONS, ids=lambda case: case)
def test_a_bad_file_of_questions_is_named_with_its_fix(tmp_path, case):
    text, message = BAD_QUESTIONS[case]
    (tmp_path / "q.csv").write_text(text)
    with pytest.raises(ContractError, match=message):
        read_questions(tmp_path / "q.csv")


def test_a_file_of_questions_alone_is_enough(tmp_path):
    (tmp_path / "q.csv").write_text("question\nWhat is it?\nWhere is it?\n")
    table = read_questions(tmp_path / "q.csv")
    assert list(table["question_id"]) == [question_key("What is it?"), question_key("Where is it?")]
    assert not table["stale"].any()


def test_without_a_live_question_nothing_is_asked(project, questions):
    target = Recorded(recorded(project, "a.jsonl", said(right)), _words(questions))
    with pytest.raises(InputError, match="no live question"):
        measure(target, questions.assign(stale=True), params(), samples=1)


# -- a function --------------------------------------------------------------------------------------


def function(project, name, **changes):
    return Function(f"app:{name}", **({"folder": project.root, "timeout_s": 20.0, "workers": 2} | changes))


def test_a_function_answers_with_contexts_and_citations(project, questions):
    side = measure(function(project, "good"), questions, params(), samples=1)
    means = side.scores.groupby("metric")["score"].mean()
    assert means["correctness"] == means["groundedness"] == 1.0
    assert (side.answers["latency_ms"] > 0).all()


def test_a_coroutine_of_one_argument_that_prints_is_fine(project, questions):
    side = measure(function(project, "plain"), questions, params(), samples=1)
    assert side.answers["refused"].all()


@pytest.mark.slow
def test_an_exception_a_crash_a_hang_and_a_wrong_form_cost_their_questions_only(project, questions):
    todo = wanted(questions.head(8), 1)
    given = function(project, "moody", timeout_s=0.7).answer(todo, progress=_quiet)
    kinds = {item.question: reply.error for item, reply in zip(todo, given.replies, strict=True)}
    assert [kinds[f"Which colour has flag {i}?"] for i in range(8)] == [
        None, "ValueError", "crash", "timeout", "wrong_form", "ValueError", None, None,
    ]  # fmt: skip
    assert "words of a document" not in " ".join(given.notes)


@pytest.mark.parametrize("spec", ["app:nobody", "nowhere:good", "app:asyncio"])
def test_a_function_that_cannot_be_loaded_is_a_wrong_usage(project, questions, spec, capsys):
    assert run(project, spec, "--questions", project.root / "questions.jsonl") == 2
    assert f"{spec!r} cannot be loaded" in capsys.readouterr().err


# -- an endpoint -------------------------------------------------------------------------------------


@pytest.mark.slow
def test_an_endpoint_is_asked_once_per_question_and_never_again(project, capsys):
    with FakeOpenAI() as fake:
        arguments = (fake.base_url, "--model", "m", "--questions", project.root / "questions.jsonl", "--json")
        assert run(project, *arguments) == 4  # nothing to judge by
        first = json.loads(capsys.readouterr().out)
        run(project, *arguments)
        again = json.loads(capsys.readouterr().out)
        assert len(fake.requests) == 60
        assert fake.requests[0][1]["messages"][-1]["content"].startswith("Which colour")
    assert (first["calls"], again["calls"]) == (60, 0)
    assert first["means"] == again["means"]
    assert {"groundedness", "retrieval_recall", "cost_usd"} <= set(first["not_measured"])
    assert set(read_calls(project)["use_case"]) == {"evaluation"}


@pytest.mark.slow
def test_an_endpoint_that_fails_for_some_rows_loses_none(project, questions, capsys):
    with FakeOpenAI() as fake:
        fake.script(*[Reply(429, headers={"Retry-After": "0.2"}), Reply(500), Reply(400, message="bad")])
        run(project, fake.base_url, "--model", "m", "--questions", project.root / "questions.jsonl", "--json")
    found = json.loads(capsys.readouterr().out)
    assert found["n_questions"] == 60
    assert found["means"]["availability"] == pytest.approx(59 / 60)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [(["http://127.0.0.1:9/v1"], "Add --model"),
     (["http://127.0.0.1:9/v1", "--model", "local-extract-1"], "own server"),
     (["http://127.0.0.1:9/v1", "--model", "m", "--system", "no.txt"], "'no.txt' does not exist"),
     (["http://example.com/v1", "--model", "m"], "must be https"),
     (["https://a:b@host/v1", "--model", "m"], "credentials"), (["app:good", "--workers", "0"], "not above 0")],
)  # fmt: skip
def test_wrong_usage_of_targets_is_named(project, arguments, message, capsys):
    assert run(project, *arguments, "--questions", project.root / "questions.jsonl") == 2
    assert message in capsys.readouterr().err


def test_the_key_goes_to_its_own_address_only(monkeypatch):
    ours = Settings(openai_api_key="sk-mine", openai_base_url="https://mine.example/v1")
    assert settings_for("https://mine.example/v1/", ours, None).openai_api_key is not None
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    assert settings_for("https://other.example/v1", ours, None).openai_api_key is None
    monkeypatch.setenv("OTHER_KEY", "sk-other")
    found = settings_for("https://other.example/v1", ours, "OTHER_KEY").openai_api_key
    assert found is not None
    assert found.get_secret_value() == "sk-other"
    with pytest.raises(SettingsError, match="NO_SUCH_KEY"):
        settings_for("https://other.example/v1", ours, "NO_SUCH_KEY")


# -- the judgement -----------------------------------------------------------------------------------


def sides(project, questions, ours, theirs):
    pair = [
        Recorded(recorded(project, name, rows), _words(questions))
        for name, rows in (("a.jsonl", ours), ("b.csv", theirs))
    ]
    return [measure(target, questions, params(), samples=1) for target in pair]


def test_a_target_is_judged_in_pairs_against_another(project, questions):
    worse, good = sides(project, questions, said(lambda i: "Nobody knows."), said(right))
    found = judge(worse, good, questions, params(), today=TODAY).verdict
    assert (found["verdict"], found["target"], found["baseline_target"]) == ("fail", "a.jsonl", "b.csv")
    assert "a.jsonl against b.csv: it fails" in found["paragraph"]
    assert judge(good, good, questions, params(), today=TODAY).verdict["verdict"] == "pass"


def test_guardrails_on_what_a_target_never_gives_are_left_out_and_named(project, questions):
    (side, _) = sides(project, questions, said(right), said(right))
    rails = {"correctness": RAIL | {"low": 0.5}, "groundedness": RAIL | {"low": 0.8}}
    found = judge(side, None, questions, params(guardrails=rails), today=TODAY).verdict
    assert (found["verdict"], found["left_out"]) == ("pass", ["groundedness"])
    assert "does not give contexts: groundedness" in found["paragraph"]
    only = judge(side, None, questions, params(guardrails={"groundedness": RAIL | {"low": 0.8}}), today=TODAY)
    assert only.verdict["verdict"] == "invalid"


def test_the_command_prints_everything_and_writes_nothing_below_data(project, capsys):
    good = recorded(project, "good.jsonl", said(right))
    bad = recorded(project, "bad.jsonl", said(lambda i: "Nobody knows."))
    out = project.root / "found"
    asked = ("--questions", project.root / "questions.jsonl", "--out", out)
    assert run(project, bad, "--baseline", good, *asked) == 1
    text = capsys.readouterr().out
    assert text.startswith("FAIL: bad.jsonl against good.jsonl")
    assert "worst questions" in text
    assert "Nobody knows." in text
    assert not project.data().exists()
    scores = [str(out / f"{side}.scores.parquet") for side in ("baseline", "candidate")]
    assert main(["gate", "--baseline", scores[0], "--candidate", scores[1]]) in {1, 4}  # latency is outside 0..1
    assert run(project, good, "--baseline", good, *asked) == 0


# -- replies -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "message"),
    [(3, "is a int"), ({"anwser": "a"}, "Did you mean 'answer'"), ({"refused": True}, "no key 'answer'"),
     ({"answer": 3}, "'answer' is a int"), ({"answer": "a", "contexts": "b"}, "'contexts' is a str"),
     ({"answer": "a", "contexts": [{"txt": "b"}]}, "context 1 has no text"),
     ({"answer": "a", "contexts": [{"text": "b", "txt": "b"}]}, "unknown key 'txt'"),
     ({"answer": "a", "latency_ms": float("inf")}, "'latency_ms' is inf"), ({"answer": "a", "cost_usd": True}, "bool")],
)  # fmt: skip
def test_a_wrong_reply_is_named(value, message):
    with pytest.raises(ContractError, match=message):
        reply_of(value)


def test_citations_are_places_or_ids():
    reply = reply_of({"answer": "a", "contexts": ["x", {"text": "y", "id": "c7"}], "citations": [2, 1, "c7", 9]})
    assert reply.citations == ("c7", "context 1", "c7", "context 9")


def test_parts_are_lacking_only_when_no_answer_gives_them():
    some = [reply_of({"answer": "a", "contexts": [], "input_tokens": 3}), reply_of("b")]
    assert "contexts" not in lacking(some)
    assert "input_tokens" in lacking(some)  # a sum over some of them would be too small


@pytest.mark.parametrize(
    ("answer", "refused"),
    [("I don’t know. Ask Ann.", True), ("Sorry, the handbook does not say.", True), ("Four verdicts.", False),
     ("Four verdicts. The handbook does not say more.", False), ("", False)],
)  # fmt: skip
def test_a_refusal_is_known_by_its_first_sentence(answer, refused):
    assert refuses(answer, EvaluateParams().refusal_phrases) is refused


def _words(questions):
    return dict(zip(questions["question_id"], questions["question"], strict=True))


def _quiet(*_args):
    return None


def test_topics_and_parts_of_a_target_are_scored(project, questions):
    rng = np.random.default_rng(0)
    (side, _) = sides(project, questions, said(lambda i: right(i) if rng.random() < 0.7 else "no"), said(right))
    found = judge(side, None, questions, params(), today=TODAY)
    generator = next(part for part in found.components if part.name == "generator")
    assert 0 < generator.score.lower < generator.score.mean < generator.score.upper <= 1
    assert {item.name for item in generator.topics} == {"flags", "colours"}

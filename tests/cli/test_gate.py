"""`llmops gate` as other tools call it: files in, JSON and an exit code out."""

import csv
import json
import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flows.cli.main import build_parser, main
from flows.evaluate.gatetext import FLAG_WORDS

FIELDS = [
    "n_questions", "n_documents", "n_missing", "baseline_mean", "candidate_mean", "effect", "center", "se", "df",
    "lower", "upper", "p_worse", "p_noninferior", "verdict", "flags",
]  # fmt: skip
COLUMNS = ("question_id", "document_id", "sample", "metric", "score")
CONFIG = """\
alpha: 0.05
documents_min: 8
missing_share_max: 0.05
metrics:
  correctness: {kind: bounded, low: 0, high: 1, higher_is_better: true, margin: 0.05}
  latency_s:   {kind: unbounded, higher_is_better: false, margin: 0.5}
  cost_usd:    {kind: ratio, higher_is_better: false, margin: 0.09531}
"""
PAGE = (Path(__file__).resolve().parents[2] / "docs" / "gate.md").read_text()


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with a baseline, candidates that are like it, worse, unclear and silent, and the config."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "gate.yaml").write_text(CONFIG)
    for name, drop, growth in (
        ("base", 0, 1),
        ("same", 0, 1),
        ("worse", 0.3, 1),
        ("unclear", 0.05, 1),
        ("dear", 0, 1.3),
    ):
        write(tmp_path / f"{name}.csv", rows(drop, growth, samples=2 if name == "base" else 1))
    return tmp_path


def rows(drop, growth=1.0, *, samples=1, questions=80):
    rng = np.random.default_rng(0)
    found = []
    for q in range(questions):
        right = 0 if q % 20 < 20 * drop else 1
        for s in range(samples):
            for metric, score in (("correctness", right), ("latency_s", 1.0), ("cost_usd", growth * rng.uniform(1, 2))):
                found.append((f"q{q}", f"d{q // 4}", s, metric, score))
    return found


def write(path, content, header=COLUMNS):
    with path.open("w", newline="") as stream:
        csv.writer(stream).writerows([header, *content])


def run(capsys, *arguments):
    code = main(["gate", *arguments])
    said = capsys.readouterr()
    return code, said.out, said.err


def judged(capsys, candidate, *more):
    return run(capsys, "--baseline", "base.csv", "--candidate", candidate, "--config", "gate.yaml", *more)


@pytest.mark.parametrize(
    ("candidate", "code", "verdict"),
    [("same.csv", 0, "pass"), ("worse.csv", 1, "fail"), ("dear.csv", 1, "fail"), ("unclear.csv", 3, "inconclusive")],
)
def test_the_exit_code_is_the_verdict(folder, capsys, candidate, code, verdict):
    done, out, _ = judged(capsys, candidate, "--json")

    assert (done, json.loads(out)["verdict"]) == (code, verdict)


def test_json_has_exactly_the_published_fields(folder, capsys):
    answer = json.loads(judged(capsys, "same.csv", "--json")[1])

    assert list(answer) == ["verdict", "metrics"]
    assert list(answer["metrics"]) == ["correctness", "latency_s", "cost_usd"]
    assert all(list(metric) == FIELDS for metric in answer["metrics"].values())


def test_people_get_a_paragraph_a_table_and_the_worst_questions(folder, capsys):
    _, out, _ = judged(capsys, "worse.csv", "--worst", "2")

    assert "worse.csv against base.csv: the candidate fails" in out
    assert out.count("\ncorrectness ") == 1
    assert "The 2 questions that lost most:" in out


def test_the_plot_is_written(folder, capsys):
    judged(capsys, "same.csv", "--plot", "plot.svg")

    assert (folder / "plot.svg").read_text().startswith("<svg")


def test_without_a_config_the_defaults_are_said_and_scores_outside_them_refused(folder, capsys):
    write(folder / "b.csv", [row for row in rows(0) if row[3] == "correctness"])
    code, out, err = run(capsys, "--baseline", "b.csv", "--candidate", "b.csv", "--json")
    assert (code, json.loads(out)["verdict"]) == (0, "pass")
    assert "read as bounded 0..1, higher is better, tolerated loss 0.05" in err

    code, out, err = run(capsys, "--baseline", "base.csv", "--candidate", "same.csv", "--json")
    assert (code, json.loads(out)) == (4, {"verdict": "invalid", "metrics": {}})
    assert "give a gate.yaml that says its kind" in err


@pytest.mark.parametrize(
    ("header", "content"),
    [
        (COLUMNS, []),
        (COLUMNS, [("q", "d", 0, "correctness", 1), ("q", "d", 0, "correctness", 1)]),
        (COLUMNS, [("q", "d", 0, "correctness", 7)]),
        (COLUMNS, [("q", "d", 0, "correctness", "x")]),
        (COLUMNS[:4], [("q", "d", 0, "correctness")]),
        ((*COLUMNS, "release_id"), [("q", "d", 0, "correctness", 1, "r1"), ("r", "d", 0, "correctness", 1, "r2")]),
        (COLUMNS, [(f"q{i}", f"d{i}", 0, "correctness", "") for i in range(20)]),
    ],
)
def test_bad_data_is_invalid_and_never_a_pass(folder, capsys, header, content):
    write(folder / "bad.csv", content, header)
    code, out, err = judged(capsys, "bad.csv", "--json")

    assert code == 4
    assert json.loads(out)["verdict"] == "invalid"
    assert err


def test_a_misspelt_metric_of_the_config_is_invalid_and_named(folder, capsys):
    (folder / "gate.yaml").write_text(CONFIG.replace("correctness", "corectness"))
    code, out, err = judged(capsys, "same.csv", "--json")

    assert code == 4
    assert json.loads(out)["metrics"]["corectness"]["verdict"] == "invalid"
    assert "Did you mean 'correctness'?" in err


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((), "give --baseline FILE and --candidate FILE, or a verb"),
        (("--baseline", "base.csv"), "--candidate"),
        (("--baseline", "none.csv", "--candidate", "same.csv"), "'none.csv' does not exist"),
        (("--baseline", "base.csv", "--candidate", "same.csv", "--config", "none.yaml"), "none.yaml"),
        (("--baseline", "base.csv", "--candidate", "same.csv", "--look", "5"), "look"),
        (("plan",), "give --questions N --sd S"),
        (("plan", "--questions", "200", "--sd", "0.3", "--power", "1.5"), "--power 1.5"),
        (("plan", "--questions", "200", "--sd", "-1"), "'-1' is no number of 0 or more"),
        (("plan", "--questions", "20", "--documents", "30", "--sd", "0.3"), "impossible"),
        (("simulate",), "give --baseline FILE"),
        (("simulate", "--baseline", "base.csv", "--runs", "0"), "'0' is no whole number above 0"),
        (("simulate", "--baseline", "base.csv", "--broken-share", "2"), "--broken-share 2.0"),
        (("nights", "--input", "base.csv", "--days", "x"), "'x' is no whole number"),
        (("--baseline", "base.csv", "--candidate", "same.csv", "--config", "gate.yaml", "--plot", "a.png"), ".svg"),
        (("nights",), "--input"),
        (("nigths",), "nigths"),
    ],
)
def test_wrong_usage_ends_with_two(folder, capsys, arguments, expected):
    code, _, err = run(capsys, *arguments)

    assert code == 2
    assert expected in err


def test_a_wrong_config_ends_with_two(folder, capsys):
    (folder / "gate.yaml").write_text("alhpa: 0.05")
    code, _, err = judged(capsys, "same.csv", "--json")

    assert code == 2
    assert "Did you mean 'alpha'?" in err


def test_an_early_look_is_stricter(folder, capsys):
    late = json.loads(judged(capsys, "same.csv", "--json")[1])["metrics"]["cost_usd"]
    early = json.loads(judged(capsys, "same.csv", "--json", "--look", "1")[1])["metrics"]["cost_usd"]

    assert early["lower"] < late["lower"]
    assert early["se"] == late["se"]


def test_a_plan_is_the_planners(folder, capsys):
    code, out, _ = run(
        capsys, "plan", "--questions", "200", "--sd", "0.3", "--alpha", "0.05", "--power", "0.8", "--json"
    )
    answer = json.loads(out)

    assert code == 0
    assert answer["detectable_drop_same_variance"] == pytest.approx(0.0529, abs=1e-4)
    assert answer["detectable_drop_worst_case"] == pytest.approx(0.0694, abs=1e-4)
    assert (
        "200 questions from 50 documents"
        in run(capsys, "plan", "--questions", "200", "--documents", "50", "--sd", "0.3")[1]
    )


def test_an_undecided_gate_is_told_what_would_decide_it(folder, capsys):
    arguments = (
        "--baseline",
        "base.csv",
        "--candidate",
        "unclear.csv",
        "--config",
        "gate.yaml",
        "--usd-per-call",
        "0.01",
    )
    code, out, _ = run(capsys, "plan", *arguments, "--json")
    answer = json.loads(out)

    assert code == 0
    assert answer["verdict"] == "inconclusive"
    assert answer["best"]["cost_usd"] == pytest.approx(0.01 * answer["best"]["calls"])
    assert "Judge it at alpha" in run(capsys, "plan", *arguments)[1]


def test_nights_give_their_four_numbers_and_alarm_by_exit_code(folder, capsys):
    calm = [(*row, night) for night in (-1, 0, 1) for row in rows(0)]
    for name, content, code in (
        ("calm.csv", calm, 0),
        ("worse.csv", [*calm, *((*row, n) for n in (2, 3) for row in rows(0, 1.5))], 1),
    ):
        write(folder / name, content, (*COLUMNS, "night"))
        done, out, _ = run(capsys, "nights", "--input", name, "--config", "gate.yaml", "--json")
        metrics = json.loads(out)["metrics"]

        assert done == code
        assert list(metrics["cost_usd"][0]) == ["night", "center", "se", "log_e_cusum", "alarm"]
        assert metrics["cost_usd"][-1]["alarm"] is bool(code)
    assert "The newest night alarms: cost_usd" in run(capsys, "nights", "--input", name, "--config", "gate.yaml")[1]


def test_a_simulation_gives_chances_with_errors(folder, capsys):
    arguments = ("simulate", "--baseline", "base.csv", "--config", "gate.yaml", "--runs", "4")
    code, out, _ = run(capsys, *arguments, "--json")
    point = json.loads(out)["metrics"]["cost_usd"][3]

    assert code == 0
    assert point["drop"] == pytest.approx(2 * 0.09531)
    assert set(point) >= {"p_fail", "p_pass", "p_inconclusive", "se_fail"}
    assert "4 simulated worlds" in run(capsys, *arguments)[1]


def test_every_verb_explains_itself(capsys):
    for verb in ((), ("plan",), ("nights",), ("simulate",)):
        with pytest.raises(SystemExit):
            main(["gate", *verb, "--help"])
        assert "usage: llmops gate" in capsys.readouterr().out


def test_the_page_shows_the_config_and_every_field():
    assert CONFIG.strip() in PAGE.replace("   # natural log: +10 %", "")
    assert [name for name in [*FIELDS, *COLUMNS] if f"`{name}`" not in PAGE] == []
    assert [flag for flag in FLAG_WORDS if f"`{flag}`" not in PAGE] == []


CELLS = st.sampled_from(
    ["", "q1", "d1", "0", "1", "-1", "0.5", "nan", "inf", "1e400", "m", "x,y", '"', "\n", "\x00", "é"]
)


@given(st.lists(st.lists(CELLS, min_size=4, max_size=6), max_size=8), st.booleans())
@settings(max_examples=20)
def test_whatever_a_file_holds_the_answer_is_one_of_the_exit_codes(tmp_path_factory, content, quoted):
    folder = tmp_path_factory.mktemp("any")
    path = folder / "any.csv"
    if quoted:
        write(path, content)
    else:
        path.write_text("\n".join([",".join(COLUMNS), *(",".join(row) for row in content)]))

    assert main(["gate", "--baseline", str(path), "--candidate", str(path), "--json"]) in {0, 1, 3, 4}


@pytest.mark.parametrize("command", re.findall(r"^llmops (gate .+?)(?:\s+#.*)?$", PAGE, re.M))
def test_every_command_of_the_page_parses(command):
    assert build_parser().parse_args(shlex.split(command))

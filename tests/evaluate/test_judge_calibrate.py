"""`llmops judge`: files of any tool in, a decision about a judge out, and a record that fits exactly that judge."""

import csv
import json

import numpy as np
import pytest

from flows.cli.main import main
from flows.evaluate.judge_records import read_calibration, record_file, trust
from flows.evaluate.judges import load_judge, named
from flows.evaluate.params import EvaluateParams

N = 60


def write(path, rows):
    with path.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def answers(n=N, *, labels=True, wrong=0):
    """Every third answer is bad and people say so; the judge of the world sees it; `wrong` labels are turned."""
    rows = []
    for i in range(n):
        good = i % 3 != 0
        row = {"question_id": f"q{i}", "document_id": f"d{i // 2}", "question": f"Which is {i}?",
               "answer": f"alpha{i} beta{i}" if good else "no", "reference_answer": f"alpha{i} beta{i}"}  # fmt: skip
        rows.append(row | ({"label": int(good != (i < wrong))} if labels else {}))
    return rows


def run(world, *arguments):
    return main(["--project", str(world.project.root), "judge", *map(str, arguments)])


@pytest.fixture
def labels(judge_world):
    return write(judge_world.project.root / "labels.csv", answers(wrong=3))


def trusted(world, name="correctness", **changes):
    params = EvaluateParams.load(world.project)
    short, spec = named(world.project, params, name)
    return trust(world.project, load_judge(world.project, short, spec.model_copy(update=changes), "fake-chat"), params)


def test_a_good_judge_is_calibrated_and_may_decide(judge_world, labels, capsys):
    assert run(judge_world, "calibrate", labels, "--judge", "correctness", "--json") == 0
    said = json.loads(capsys.readouterr().out)
    assert said["may_gate"] is True
    assert said["labels"] == N
    assert said["kappa"]["estimate"] == pytest.approx(0.89, abs=0.02)
    assert said["bias"]["low"] < 0 < said["bias"]["high"]
    assert said["anchors_right"] == said["anchors"] == 8
    assert said["documents"] == N // 2
    assert trusted(judge_world).may_gate


@pytest.mark.slow
def test_a_record_vouches_for_exactly_the_judge_that_was_calibrated(judge_world, labels, capsys):
    run(judge_world, "calibrate", labels, "--judge", "correctness")
    assert "may decide: kappa 0.89 on 60 labels" in capsys.readouterr().out
    assert "now 'other'" in trusted(judge_world, model="other").why
    assert "repeats 1, now 3" in trusted(judge_world, repeats=3).why
    prompt = judge_world.project.data("prompts", "judge_correctness.md")
    prompt.write_text(prompt.read_text().replace("not style", "not form"))
    assert "another judge" in trusted(judge_world).why


@pytest.mark.slow
def test_an_edited_or_torn_record_is_not_believed(judge_world, labels):
    assert trusted(judge_world).why == "it is not calibrated"
    run(judge_world, "calibrate", labels, "--judge", "correctness")
    path = record_file(judge_world.project, "correctness")
    kept = json.loads(path.read_text())
    path.write_text(json.dumps(kept | {"label": [1.0] * N}))
    assert "changed by hand" in trusted(judge_world).why
    path.write_text("{")
    assert "damaged" in trusted(judge_world).why


def test_the_record_holds_numbers_and_no_texts(judge_world, labels):
    run(judge_world, "calibrate", labels, "--judge", "correctness")
    text = record_file(judge_world.project, "correctness").read_text()
    assert "alpha" not in text
    assert "because" not in text
    assert len(read_calibration(judge_world.project, "correctness").label) == N


@pytest.mark.slow
def test_the_same_labels_and_judge_make_the_same_record(judge_world, labels):
    ids = []
    for _ in range(2):
        run(judge_world, "calibrate", labels, "--judge", "correctness")
        ids.append(read_calibration(judge_world.project, "correctness").calibration_id)
    assert ids[0] == ids[1]


@pytest.mark.slow
def test_a_constant_judge_and_a_small_sample_inform_only(judge_world, labels, capsys):
    few = write(judge_world.project.root / "few.csv", answers(20))
    run(judge_world, "calibrate", few, "--judge", "correctness")
    assert "informs only: it has 20 of 50 labels" in capsys.readouterr().out
    judge_world.judge(lambda message: 0.0)
    judge_world.params("evaluate: {judge_batch: 7}")  # else the replies to the anchors are in the cache
    run(judge_world, "calibrate", labels, "--judge", "correctness", "--model", "other-model")
    printed = capsys.readouterr()
    assert "informs only: its kappa 0.00 is below 0.4" in printed.out
    assert "anchors are wrong" in printed.err


@pytest.mark.slow
def test_the_local_model_is_no_judge_and_calibrate_says_so(judge_world, labels, capsys):
    assert run(judge_world, "calibrate", labels, "--judge", "correctness", "--model", "local-extract-1") == 0
    printed = capsys.readouterr()
    assert "informs only: its kappa 0.00 is below 0.4" in printed.out
    assert "follows no instruction, so it cannot judge" in printed.err
    assert judge_world.calls == 0  # it was asked on this machine


@pytest.mark.slow
def test_rows_without_a_label_take_part_in_the_corrected_mean(judge_world, capsys):
    rows = [row | ({"label": ""} if i >= 30 else {}) for i, row in enumerate(answers())]
    run(judge_world, "calibrate", write(judge_world.project.root / "l.csv", rows), "--judge", "correctness", "--json")
    said = json.loads(capsys.readouterr().out)
    assert (said["labels"], said["answers"]) == (30, 60)
    assert said["label_gain"] > 1.5


def test_run_writes_scores_that_the_gate_and_calibrate_read(judge_world, capsys):
    root = judge_world.project.root
    plain, out = write(root / "answers.csv", answers(labels=False)), root / "scores.csv"
    assert run(judge_world, "run", plain, "--judge", "correctness", "--out", out) == 0
    assert "60 of 60 answers scored, mean 0.667" in capsys.readouterr().out
    assert main(["gate", "--baseline", str(out), "--candidate", str(out)]) in (0, 3)
    labels = write(root / "labels.csv", answers(wrong=3))
    capsys.readouterr()
    assert run(judge_world, "calibrate", labels, "--judge", "elsewhere", "--scores", out, "--json") == 0
    assert json.loads(capsys.readouterr().out)["kappa"]["estimate"] == pytest.approx(0.89, abs=0.02)


def recorded(root, label, score, swapped=None):
    rows = [{"question_id": f"q{i}", "label": value} for i, value in enumerate(label)]
    scores = [{"question_id": f"q{i}", "score": value} for i, value in enumerate(score)]
    if swapped is not None:
        scores = [row | {"score_swapped": value} for row, value in zip(scores, swapped, strict=True)]
    return write(root / "l.csv", rows), write(root / "s.csv", scores)


def test_recorded_pairs_are_ties_where_the_orders_disagree(judge_world, capsys):
    files = recorded(judge_world.project.root, ["first", "second"] * 30, ["first"] * 60, ["first", "second"] * 30)
    run(judge_world, "calibrate", files[0], "--judge", "jury", "--scores", files[1], "--json")
    said = json.loads(capsys.readouterr().out)
    assert said["flips"]["estimate"] == pytest.approx(0.5)
    assert said["first_preferred"]["estimate"] == pytest.approx(0.75)
    assert said["confusion"] == {"0": {"0": 0, "0.5": 30, "1": 0}, "1": {"0": 0, "0.5": 0, "1": 30}}
    assert judge_world.calls == 0


def test_recorded_decisions_do_not_vouch_for_a_prompt_of_ours(judge_world):
    files = recorded(judge_world.project.root, [1, 0] * 40, [1, 0] * 40)
    run(judge_world, "calibrate", files[0], "--judge", "correctness", "--scores", files[1])
    assert "recorded elsewhere" in trusted(judge_world).why


def test_scores_of_a_fine_scale_need_a_cut(judge_world, capsys):
    fine = np.linspace(0, 1, 60).round(4).tolist()
    files = recorded(judge_world.project.root, [int(value > 0.6) for value in fine], fine)
    assert run(judge_world, "calibrate", files[0], "--judge", "j", "--scores", files[1]) == 65
    assert "give --cut X" in capsys.readouterr().err
    assert run(judge_world, "calibrate", files[0], "--judge", "j", "--scores", files[1], "--cut", 0.5) == 0
    assert "kappa" in capsys.readouterr().out


def without(column):
    return [{key: value for key, value in row.items() if key != column} for row in answers(4)]


def changed(**values):
    return [answers(4)[0] | values, *answers(4)[1:]]


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([row | {"lable": 1} for row in without("label")], "Did you mean 'lable'"),
        (without("question_id"), "lacks column(s) 'question_id'"),
        (without("reference_answer"), "column 'reference_answer' is missing in data row(s) 1, 2, 3 and 1 more"),
        (changed(label="great"), "column 'label' is no number in data row(s) 1"),
        (changed(label=3), "off the judge's scale in data row(s) 1"),
        (changed(label="nan"), "no number"),
        ([row | {"label": ""} for row in answers(4)], "has no label"),
        ([row | {"sample": 0, "question_id": "same"} for row in answers(4)], "stand twice"),
        (changed(question_id=""), "column 'question_id' is empty in data row(s) 1"),
    ],
)
def test_a_wrong_file_is_named_with_rows_and_remedy_before_anything_is_asked(judge_world, capsys, rows, said):
    path = write(judge_world.project.root / "labels.csv", rows)
    assert run(judge_world, "calibrate", path, "--judge", "correctness") == 65
    assert said in capsys.readouterr().err
    assert judge_world.calls == 0


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("calibrate", "none.csv", "--judge", "correctness"), 2),
        (("calibrate", "labels.csv", "--judge", "nobody"), 2),
        (("calibrate", "labels.csv", "--judge", "correctness", "--cut", "0.5"), 2),
        (("calibrate", "labels.csv", "--judge", "../x", "--scores", "labels.csv"), 2),
        (("run", "labels.csv", "--judge", "correctness", "--out", "x.txt"), 2),
        (("run", "labels.csv", "--judge", "correctness", "--repeats", "0"), 2),
        (("show", "nobody"), 2),
    ],
)
def test_wrong_usage_ends_with_two(judge_world, labels, monkeypatch, arguments, code):
    monkeypatch.chdir(judge_world.project.root)
    assert run(judge_world, *arguments) == code
    assert judge_world.calls == 0


def test_scores_of_other_questions_are_no_scores(judge_world, capsys):
    files = recorded(judge_world.project.root, [1, 0], [1, 0])
    files[1].write_text(files[1].read_text().replace("q", "other"))
    files[1].write_text(files[1].read_text().replace("otheruestion_id", "question_id"))
    assert run(judge_world, "calibrate", files[0], "--judge", "j", "--scores", files[1]) == 65
    assert "scores none of the labelled answers" in capsys.readouterr().err


def test_a_file_of_empty_scores_is_refused_with_its_remedy(judge_world, capsys):
    files = recorded(judge_world.project.root, [1, 0], ["", ""])
    assert run(judge_world, "calibrate", files[0], "--judge", "j", "--scores", files[1]) == 65
    assert "scored 0 labelled answers (judge_recorded_none 2 times)" in capsys.readouterr().err


@pytest.mark.slow
def test_list_and_show_say_what_each_judge_may(judge_world, labels, capsys):
    run(judge_world, "calibrate", labels, "--judge", "correctness")
    judge_world.params("evaluate: {judges: {correctness: {prompt: judge_correctness}}}")
    capsys.readouterr()
    run(judge_world, "list", "--json")
    found = {one["name"]: one for one in json.loads(capsys.readouterr().out)}
    assert set(found) == {"correctness", "groundedness", "helpfulness", "preference"}
    assert found["correctness"]["may_gate"]
    assert found["correctness"]["configured"]
    assert not found["preference"]["may_gate"]
    assert found["preference"]["pairwise"]
    run(judge_world, "list")
    run(judge_world, "show", "correctness")
    printed = capsys.readouterr().out
    assert "judges every evaluation; may decide: kappa 0.89 on 60 labels" in printed
    assert "kappa 0.89 on 60 labels, bias" in printed
    assert "You compare an answer with a reference answer" in printed

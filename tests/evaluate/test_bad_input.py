"""Whatever is wrong with the input is named with its fix, and nothing that cannot be judged is a pass."""

import csv
import json
from datetime import date

import pandas as pd
import pytest

from flows.cli.main import main
from flows.core.contracts import SCORES
from flows.core.errors import ContractError
from flows.core.tables import check
from flows.evaluate.decide import decide
from flows.evaluate.params import EvaluateParams
from flows.evaluate.scoring import score_cases

COLUMNS = ("question_id", "document_id", "sample", "metric", "score")
CONFIG = "metrics: {m: {kind: bounded, low: 0, high: 1, margin: 0.05}}\n"


def rows(n=40, **changes):
    values = {"document_id": lambda i: f"d{i}", "sample": lambda i: 0, "metric": lambda i: "m",
              "score": lambda i: 1.0 - i % 2} | changes  # fmt: skip
    return [{"question_id": f"q{i}", **{name: value(i) for name, value in values.items()}} for i in range(n)]


def write(path, table, columns=COLUMNS):
    with path.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, fieldnames=columns, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(table)
    return str(path)


CASES = {
    "duplicate ids": (rows() + rows(3), CONFIG, 4, "stand twice", "Number the repeats"),
    "one document only": (rows(document_id=lambda i: "d"), CONFIG, 3, "one document", "Ask about 8 or more"),
    "few documents": (rows(document_id=lambda i: f"d{i % 4}"), CONFIG, 3, "4 documents never decide", "8 or more"),
    "all equal": (rows(score=lambda i: 1.0), CONFIG, 3, "every score of 'm' is 1", "check the scorer"),
    "NaN": (rows(score=lambda i: "nan" if i < 10 else 1.0), CONFIG, 4, "10 of 40 scores", "missing"),
    "out of range": (rows(score=lambda i: 70), CONFIG, 4, "outside [0.0, 1.0]", "Mend the scorer"),
    "infinite": (rows(score=lambda i: "inf"), CONFIG, 4, "infinite score(s)", "Leave what could not be scored empty"),
    "no number": (rows(score=lambda i: "good"), CONFIG, 4, "no number in data row(s) 1, 2, 3", "Leave it empty"),
    "unknown metric": (rows(), CONFIG.replace("m:", "n:", 1), 4, "'n' of the config is in neither", "mend the name"),
    "mixed releases": (
        [row | {"release_id": f"r{i % 2}"} for i, row in enumerate(rows())],
        CONFIG, 4, "mixes 2 releases", "one file per",
    ),
    "empty set": ([], CONFIG, 4, "columns and no rows", "run the evaluation again"),
    "wrong kind": (rows(), CONFIG.replace("bounded", "bound"), 2, "kind", "bounded"),
    "unknown key": (rows(), "metrics: {m: {kind: bounded, low: 0, high: 1, marign: 0.05}}\n", 2, "marign", "margin"),
}  # fmt: skip


SAME_DOCUMENTS = ("one document only", "few documents")  # on both sides


@pytest.mark.parametrize("case", CASES, ids=lambda case: case)
def test_scores_that_cannot_be_judged_are_named_with_the_fix(tmp_path, capsys, case):
    table, config, code, what, fix = CASES[case]
    (tmp_path / "gate.yaml").write_text(config)
    columns = (*COLUMNS, "release_id") if case == "mixed releases" else COLUMNS
    good = rows(score=lambda i: 1.0) if case == "all equal" else rows()
    files = [write(tmp_path / "a.csv", good), write(tmp_path / "b.csv", table, columns)]
    arguments = ["gate", "--baseline", files[0], "--candidate", files[1], "--config", str(tmp_path / "gate.yaml")]
    if case in SAME_DOCUMENTS:
        arguments[2] = files[1]
    assert main([*arguments, "--json"]) == code
    said = capsys.readouterr()
    assert what in said.err
    assert fix in said.err
    assert code == 2 or json.loads(said.out)["verdict"] != "pass"


def test_wrong_columns_are_named_with_the_nearest(tmp_path, capsys):
    good = write(tmp_path / "a.csv", rows())
    wrong = write(
        tmp_path / "b.csv", [row | {"doc_id": 1} for row in rows()], ("question_id", "doc_id", "sample", "score")
    )
    assert main(["gate", "--baseline", good, "--candidate", wrong]) == 4
    said = capsys.readouterr().err
    assert "lacks column(s) 'document_id', 'metric'" in said
    assert "Name them question_id" in said


# -- the stage's own judgement -----------------------------------------------------------------------

PARAMS = EvaluateParams.parse({"gated_metrics": ["correctness"], "guardrails": {}}, where="test")


def scores(values, **changes):
    columns = {
        "release_id": "a" * 32, "question_id": [f"{i:032x}" for i in range(len(values))],
        "document_id": [f"d{i}" for i in range(len(values))], "question_type": "simple", "sample": 0,
        "metric": "correctness", "score": values, "unscored_reason": None,
    }  # fmt: skip
    return pd.DataFrame(columns | changes)


@pytest.mark.parametrize(
    ("values", "changes"),
    [([], {}), ([None] * 20, {"unscored_reason": "no_answer"}),
     ([1.0] * 20, {"metric": "mrr"})],
    ids=["nothing", "no answer", "another metric"],
)  # fmt: skip
def test_what_was_not_evaluated_is_invalid_and_never_a_pass(values, changes):
    theirs = check(scores([1.0] * 20, release_id="b" * 32), SCORES)
    found = decide(check(scores(values, **changes), SCORES), theirs, PARAMS, today=date(2026, 12, 1))
    assert found.result.verdict == "invalid"


def test_a_table_with_the_same_score_twice_is_refused():
    twice = pd.concat([scores([1.0]), scores([0.0])])
    with pytest.raises(ContractError):
        check(twice, SCORES)


def test_an_answer_that_stands_twice_is_refused(make_case):
    with pytest.raises(ContractError, match="Give repeats different sample numbers"):
        score_cases("a" * 32, [make_case(), make_case()], PARAMS)


def test_two_releases_in_one_table_are_two_sides_and_no_mean():
    """Ids are of one release; the contract's key keeps the same question of two releases apart."""
    mixed = check(pd.concat([scores([1.0] * 10), scores([0.0] * 10, release_id="b" * 32)]), SCORES)
    with pytest.raises(ContractError, match="stand twice"):
        decide(mixed, None, PARAMS, today=date(2026, 12, 1))

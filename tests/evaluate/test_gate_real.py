"""The gate tool on recorded runs of real systems: provider updates, a bad prompt, and nothing changed.

A change of 2023's providers (LLMDrift) is looked at in four looks over randomly ordered questions; an
answer that could not be read counts as wrong. The RAG runs (Northwind) were scored 1..5 by a judge.
"""

import json

import numpy as np
import pandas as pd
import pytest

from flows.cli.main import main
from flows.evaluate.gatecheck import compare
from flows.evaluate.gateconfig import GateConfig
from flows.evaluate.gatefile import ScoreFile
from flows.stats.sequential import LOOKS, document_looks

pytestmark = [pytest.mark.shared_data, pytest.mark.slow]
SHARE = GateConfig.parse(
    {"metrics": {"correct": {"kind": "bounded", "low": 0, "high": 1, "margin": 0.05}}}, where="gate.yaml"
)
CHANGES = [
    ("prime", "gpt-4-0314", "gpt-4-0613", "fail"),
    ("prime", "gpt-3.5-turbo-0301", "gpt-3.5-turbo-0613", "pass"),
    ("opinionqa", "gpt-4-0314", "gpt-4-0613", "fail"),
    ("opinionqa", "gpt-3.5-turbo-0301", "gpt-3.5-turbo-0613", "pass"),
    ("sensitive", "gpt-4-0314", "gpt-4-0613", "fail"),
    ("sensitive", "gpt-3.5-turbo-0301", "gpt-3.5-turbo-0613", "pass"),
]
ORDERS = 20
JUDGED = ("judge_groundedness", "judge_relevance", "judge_coherence")
CONFIG = "metrics:\n" + "".join(f"  {name}: {{kind: bounded, low: 1, high: 5, margin: 0.2}}\n" for name in JUDGED)


@pytest.fixture(scope="module")
def generations(shared_data):
    return pd.read_parquet(shared_data / "06_llmdrift" / "generations.parquet").fillna({"derived_score": 0.0})


def answers(rows, questions):
    kept = rows[rows["query_id"].isin(questions)]
    ids, scores = kept["query_id"].to_numpy(dtype=str), kept["derived_score"].to_numpy()
    zeros = np.zeros(len(kept), dtype=int)
    return ScoreFile("run", ids, ids, zeros, np.full(len(kept), "correct"), scores, zeros, {})


def run_in_looks(before, after, seed):
    """Return the verdict and the share of the calls that were made until it was clear."""
    seen = []
    for look, new in enumerate(document_looks(list(before["query_id"]), LOOKS, seed), start=1):
        seen += new
        found = compare(answers(before, seen), answers(after, seen), SHARE, look=look).result.verdict
        if found in {"pass", "fail"}:
            break
    return found, LOOKS[look - 1]


def test_provider_changes_are_classified_right_with_three_quarters_of_the_calls_at_most(generations):
    right, calls, all_calls = 0, 0.0, 0
    for task, before, after, expected in CHANGES:
        rows = generations[generations["task"] == task]
        sides = rows[rows["model"] == before], rows[rows["model"] == after]
        for seed in range(ORDERS):
            verdict, share = run_in_looks(*sides, seed)
            assert verdict in {expected, "inconclusive"}, (task, before, seed)
            right += verdict == expected
            calls, all_calls = calls + share * len(sides[1]), all_calls + len(sides[1])
    assert right / (ORDERS * len(CHANGES)) >= 0.98
    assert calls / all_calls <= 0.75


@pytest.fixture(scope="module")
def runs(shared_data, tmp_path_factory):
    """A folder with a CSV per run; a page of the documents is the cluster."""
    folder = tmp_path_factory.mktemp("runs")
    (folder / "gate.yaml").write_text(CONFIG)
    rows = pd.read_parquet(shared_data / "01_rag_northwind" / "rag_runs.parquet").drop_duplicates(["run_id", "qid"])
    rows["document_id"] = rows["gold_sources"].map(lambda pages: str(list(pages)))
    for run, kept in rows.groupby("run_id"):
        long = kept.melt(["qid", "document_id", "answer"], list(JUDGED), "metric", "score").dropna(subset="score")
        long.rename(columns={"qid": "question_id"}).assign(sample=0).to_csv(folder / f"{run}.csv", index=False)
    return folder


def judged(runs, baseline, candidate, capsys, config="gate.yaml"):
    arguments = ["gate", "--baseline", f"{runs}/{baseline}.csv", "--candidate", f"{runs}/{candidate}.csv"]
    code = main([*arguments, "--config", f"{runs}/{config}", "--json"])
    return code, json.loads(capsys.readouterr().out)["verdict"]


@pytest.mark.parametrize("baseline", ["A1_baseline_1", "A1_baseline_2", "A1_generalprompt_1", "A1_refinedprompt_1"])
def test_the_prompt_that_ignores_its_sources_fails(runs, baseline, capsys):
    assert judged(runs, baseline, "A1_badprompt_ignoresources_1", capsys) == (1, "fail")


def test_the_same_configuration_run_twice_passes(runs, capsys):
    for pair in (("A1_baseline_1", "A1_baseline_2"), ("A1_baseline_2", "A1_baseline_1")):
        assert judged(runs, *pair, capsys) == (0, "pass")


def test_halves_of_the_same_configuration_never_fail(runs):
    """A hundred random halves of the questions, in both directions."""
    config = GateConfig.parse({"metrics": {m: {"kind": "bounded", "low": 1, "high": 5, "margin": 0.2} for m in JUDGED}},
                              where="gate.yaml")  # fmt: skip
    rows = [pd.read_csv(runs / f"A1_baseline_{i}.csv", dtype={"question_id": str}) for i in (1, 2)]
    verdicts = []
    for seed in range(100):
        asked = np.random.default_rng(seed).permutation(sorted(set(rows[0]["question_id"])))[:99]
        sides = [half(side, asked) for side in rows]
        verdicts += [compare(*pair, config).result.verdict for pair in (sides, sides[::-1])]
    assert set(verdicts) <= {"pass", "inconclusive"}


def half(rows, asked):
    kept = rows[rows["question_id"].isin(asked)]
    columns = [kept[name].to_numpy(dtype=str) for name in ("question_id", "document_id")]
    zeros = np.zeros(len(kept), dtype=int)
    return ScoreFile("half", *columns, zeros, kept["metric"].to_numpy(dtype=str), kept["score"].to_numpy(), zeros, {})

"""Gates side by side on the same simulated releases: P(fail) / P(pass) of ours and of rivals.

Worlds: 50 documents with 4 questions; a regression breaks questions in 40 % of the documents. "mixed"
has 20 documents with 10 questions that move up or down by 25 points with mean zero: nothing changed on
average, yet questions of a document move together. "ten metrics" is an unchanged release judged on ten
metrics at once; a rival blocks it when it calls any of them worse. Margin 5 points.

MLflow's `compare_evaluations` is re-coded from its documentation (two-sided exact McNemar for binary
scores, Wilcoxon signed-rank otherwise, alpha 0.05; not alarmed = pass). noisecheck and evalgate-cli are
used as installed, where they are installed:

    pip install --target DIR noisecheck evalgate-cli
    python -m benchmarks.gate_rivals --runs 300 --rivals DIR
"""

import argparse
import sys
from collections import Counter
from collections.abc import Callable

import numpy as np
from scipy.stats import binomtest, wilcoxon

from flows.stats.effects import MetricSpec, Scores
from flows.stats.gate import GatePolicy, gate

MARGIN, ALPHA, BROKEN = 0.05, 0.05, 0.4
MEAN_CHANCE = 0.7476  # of the questions of these worlds
BASELINE_SAMPLES, METRICS = 4, 10
SPEC = MetricSpec(kind="bounded", low=0.0, high=1.0, margin=MARGIN)

Pair = tuple[np.ndarray, np.ndarray]  # baseline (questions, samples) and candidate (questions, 1), of 0 and 1
Gate = Callable[[list[Pair], int], str]  # metrics and questions per document -> verdict


def ours(pairs: list[Pair], per_document: int) -> str:
    names = [f"m{i}" for i in range(len(pairs))]
    sides = [
        {name: _scores(pair[side], per_document) for name, pair in zip(names, pairs, strict=True)} for side in (0, 1)
    ]
    return gate(*sides, dict.fromkeys(names, SPEC), GatePolicy(alpha=ALPHA)).verdict


def _scores(right: np.ndarray, per_document: int) -> Scores:
    n, k = right.shape
    question, document = np.char.mod("q%d", np.arange(n)), np.char.mod("d%d", np.arange(n) // per_document)
    return Scores(question.repeat(k), document.repeat(k), np.tile(np.arange(k), n), right.reshape(-1))


def any_worse(is_worse: Callable[[np.ndarray, np.ndarray], bool]) -> Gate:
    return lambda pairs, _: "fail" if any(is_worse(*pair) for pair in pairs) else "pass"


def mean_threshold(before: np.ndarray, after: np.ndarray) -> bool:
    return bool(before.mean() - after.mean() > MARGIN)


def mlflow_mcnemar(before: np.ndarray, after: np.ndarray) -> bool:
    lost, won = (int(((before[:, 0] - after[:, 0]) == sign).sum()) for sign in (1, -1))
    return lost > won and binomtest(lost, lost + won).pvalue < ALPHA


def mlflow_wilcoxon(before: np.ndarray, after: np.ndarray) -> bool:
    d = after.mean(axis=1) - before.mean(axis=1)
    return bool(d.any() and d.mean() < 0 and wilcoxon(d).pvalue < ALPHA)


def evalgate() -> Gate:
    from evalgate.decide import decide
    from evalgate.stats import mcnemar_test

    def is_worse(before: np.ndarray, after: np.ndarray) -> bool:
        lost, won = (int(((before[:, 0] - after[:, 0]) == sign).sum()) for sign in (1, -1))
        return bool(decide(mcnemar_test(lost, won), alpha=ALPHA).is_regression)

    return any_worse(is_worse)


def noisecheck() -> Gate:
    from noisecheck import PairedData, compare_paired, judge

    def decide(pairs: list[Pair], per_document: int) -> str:
        results = []
        for i, (before, after) in enumerate(pairs):
            n = len(before)
            paired = PairedData(
                metric=f"m{i}", example_ids=tuple(f"q{q}" for q in range(n)), run_ids=(None,) * n,
                baseline=tuple(before.mean(axis=1)), candidate=tuple(after[:, 0]),
                cluster_ids=tuple(f"d{q // per_document}" for q in range(n)), discarded_baseline=0,
                discarded_candidate=0,
            )  # fmt: skip
            results.append(compare_paired(paired, b=2000))
        return {0: "pass", 1: "fail"}.get(judge(results, min_effect=MARGIN).exit_code, "inconclusive")

    return decide


def world(rng: np.random.Generator, drop: float, documents: int, per_document: int) -> Pair:
    level = np.repeat(rng.normal(3, 1, documents), per_document) + rng.normal(0, 4, documents * per_document)
    was = 1 / (1 + np.exp(-level))
    hit = np.repeat(rng.random(documents) < BROKEN, per_document)
    hit &= rng.random(len(was)) < drop / BROKEN / MEAN_CHANCE
    return _ask(rng, was, np.where(hit, 0.0, was))


def mixed(rng: np.random.Generator, documents: int = 20, per_document: int = 10) -> Pair:
    was = rng.uniform(0.35, 0.65, documents * per_document)
    return _ask(rng, was, was + np.repeat(rng.choice([-0.25, 0.25], documents), per_document))


def _ask(rng: np.random.Generator, was: np.ndarray, now: np.ndarray) -> Pair:
    before, after = rng.random((len(was), BASELINE_SAMPLES)) < was[:, None], rng.random((len(now), 1)) < now[:, None]
    return before.astype(float), after.astype(float)


SETTINGS: dict[str, tuple[Callable[[np.random.Generator], list[Pair]], int]] = {
    "no change": (lambda rng: [world(rng, 0.0, 50, 4)], 4),
    "drop 3": (lambda rng: [world(rng, 0.03, 50, 4)], 4),
    "drop 5": (lambda rng: [world(rng, 0.05, 50, 4)], 4),
    "drop 10": (lambda rng: [world(rng, 0.10, 50, 4)], 4),
    "mixed": (lambda rng: [mixed(rng)], 10),
    "ten metrics": (lambda rng: [world(rng, 0.0, 50, 4) for _ in range(METRICS)], 4),
}


def gates() -> dict[str, Gate]:
    found: dict[str, Gate] = {
        "mean drop > 5 points": any_worse(mean_threshold),
        "MLflow's McNemar": any_worse(mlflow_mcnemar),
        "MLflow's Wilcoxon": any_worse(mlflow_wilcoxon),
    }
    for name, load in (("evalgate-cli", evalgate), ("noisecheck", noisecheck)):
        try:
            found[name] = load()
        except ImportError:
            print(f"note: {name} is not installed and left out; see --help")
    return found | {"ours": ours}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=300)
    parser.add_argument("--rivals", metavar="DIR", help="where noisecheck and evalgate-cli were installed")
    options = parser.parse_args()
    if options.rivals:
        sys.path.append(options.rivals)  # behind our own packages: it only adds what we lack
    judges = gates()
    seen = {(name, setting): Counter[str]() for name in judges for setting in SETTINGS}
    for number, (setting, (draw, per_document)) in enumerate(SETTINGS.items()):
        rng = np.random.default_rng(number)
        for _ in range(options.runs):
            pairs = draw(rng)
            for name, decide in judges.items():
                seen[name, setting][decide(pairs, per_document)] += 1
    print(f"P(fail)/P(pass), {options.runs} runs, {BASELINE_SAMPLES} baseline samples where the gate can use them")
    print(f"{'gate':<22}" + "".join(f"{setting:>13}" for setting in SETTINGS))
    for name in judges:
        cells = [[seen[name, setting][v] / options.runs for v in ("fail", "pass")] for setting in SETTINGS]
        print(f"{name:<22}" + "".join(f"{fail:>8.2f}/{passed:.2f}" for fail, passed in cells))


if __name__ == "__main__":
    main()

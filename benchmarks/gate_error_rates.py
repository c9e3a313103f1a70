"""How often do gates decide wrongly? Ours and three common ones on the same simulated releases.

50 documents with 4 questions, baseline asked once or four times, candidate once, margin 5 points; a
regression breaks questions in 40 % of the documents. A rival that is not alarmed passes the release;
McNemar pairs with the first baseline sample.

    python -m benchmarks.gate_error_rates --runs 1000
"""

import argparse

import numpy as np
from scipy.stats import binomtest, ttest_rel

from flows.stats.effects import MetricSpec, Scores
from flows.stats.gate import GatePolicy, gate

DOCUMENTS, PER_DOCUMENT, BROKEN, MARGIN = 50, 4, 0.4, 0.05
DROPS = (0.0, 0.03, 0.05, 0.10)
SPEC = {"m": MetricSpec(kind="bounded", low=0.0, high=1.0, margin=MARGIN)}
QUESTION = np.char.mod("q%d", np.arange(DOCUMENTS * PER_DOCUMENT))
DOCUMENT = np.repeat(np.char.mod("d%d", np.arange(DOCUMENTS)), PER_DOCUMENT)


def draw_chances(rng: np.random.Generator, drop: float) -> tuple[np.ndarray, np.ndarray]:
    """Draw each question's chance of a right answer before and after the regression."""
    level = np.repeat(rng.normal(3, 1, DOCUMENTS), PER_DOCUMENT) + rng.normal(0, 4, len(QUESTION))
    before = 1 / (1 + np.exp(-level))
    hit = np.repeat(rng.random(DOCUMENTS) < BROKEN, PER_DOCUMENT)
    hit &= rng.random(len(before)) < drop / BROKEN / 0.7476  # the mean chance of these worlds
    return before, np.where(hit, 0.0, before)


def ours(before: np.ndarray, after: np.ndarray) -> str:
    return gate({"m": scores(before)}, {"m": scores(after)}, SPEC, GatePolicy()).verdict


def scores(right: np.ndarray) -> Scores:
    n, k = right.shape
    return Scores(np.repeat(QUESTION, k), np.repeat(DOCUMENT, k), np.tile(np.arange(k), n), right.reshape(-1))


def mean_threshold(before: np.ndarray, after: np.ndarray) -> str:
    return "fail" if before.mean() - after.mean() > MARGIN else "pass"


def question_t(before: np.ndarray, after: np.ndarray) -> str:
    d = after.mean(axis=1) - before.mean(axis=1)
    return "fail" if d.any() and ttest_rel(d, np.zeros(len(d)), alternative="less").pvalue < 0.05 else "pass"


def mcnemar(before: np.ndarray, after: np.ndarray) -> str:
    lost, won = (int(((before[:, 0] - after[:, 0]) == sign).sum()) for sign in (1, -1))
    return "fail" if lost + won and binomtest(lost, lost + won, alternative="greater").pvalue < 0.05 else "pass"


GATES = {
    "mean drop > 5 points": mean_threshold,
    "t-test over questions": question_t,
    "exact McNemar": mcnemar,
    "ours": ours,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=1000)
    runs = parser.parse_args().runs
    print(f"P(fail)/P(pass), {runs} runs per cell\n{'gate':<22}{'baseline':>9}" + "".join(f"{d:>12.0%}" for d in DROPS))
    for samples in (1, 4):
        verdicts = {(name, drop): [] for name in GATES for drop in DROPS}
        for drop in DROPS:
            rng = np.random.default_rng(1)
            for _ in range(runs):
                was, now = draw_chances(rng, drop)
                before = (rng.random((len(was), samples)) < was[:, None]).astype(float)
                after = (rng.random((len(now), 1)) < now[:, None]).astype(float)
                for name, decide in GATES.items():
                    verdicts[name, drop].append(decide(before, after))
        for name in GATES:
            shares = [[np.mean(np.array(verdicts[name, d]) == v) for v in ("fail", "pass")] for d in DROPS]
            print(f"{name:<22}{samples:>8}x" + "".join(f"{fail:>7.2f}/{passed:.2f}" for fail, passed in shares))


if __name__ == "__main__":
    main()

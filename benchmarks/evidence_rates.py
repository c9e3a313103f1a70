"""False verdicts when evidence is bought: how often, with and without further looks, on simulated releases.

`python -m benchmarks.evidence_rates [--runs N]` prints the shares of verdicts at the first look and at the end
for releases that are unchanged, better by 3 points, or worse by the margin or twice the margin (in 40 % of the
documents), and the share of the planned answers that was paid. 50 documents with 4 questions each, flaky binary
answers, the baseline asked four times, margin 5 points.
"""

import argparse
from collections import Counter

import numpy as np

from flows.evaluate.buying import Desk, Found, Walk, walk
from flows.evaluate.evidence import Known, components
from flows.evaluate.looks import Buying, Look, Samples, alpha_total, levels, stages
from flows.evaluate.params import EvaluateParams
from flows.stats.effects import MetricSpec, paired_effect
from flows.stats.gate import GatePolicy, judge
from flows.stats.scores import FloatArray, Scores

PARAMS = EvaluateParams(gated_metrics=("correctness",), guardrails={})
SHARE = MetricSpec(kind="bounded", low=0.0, high=1.0, margin=0.05)
DOCUMENTS, PER_DOCUMENT, SAMPLES = 50, 4, 4
IDS = np.array([f"{i:04d}" for i in range(DOCUMENTS * PER_DOCUMENT)])
OWNERS = np.array([f"d{i // PER_DOCUMENT}" for i in range(len(IDS))])
BROKEN_SHARE = 0.4  # of the documents, in which a loss sits


def looks(buying: Buying) -> list[Look]:
    """Return the looks of an evaluation of the simulated questions."""
    planned = stages(PARAMS, Samples(1, SAMPLES))
    return [
        Look(n, len(planned), level, IDS.tolist(), one.candidate_samples, one.baseline_samples, one.share, one.extra)
        for n, (one, level) in enumerate(zip(planned, levels(planned, PARAMS, buying), strict=False), start=1)
    ]


def scored(drawn: FloatArray) -> Scores:
    """Return scores of answers drawn per question (rows) and sample (columns)."""
    n = drawn.shape[1]
    return Scores(np.repeat(IDS, n), np.repeat(OWNERS, n), np.tile(np.arange(n), len(IDS)), drawn.reshape(-1))


def world(rng: np.random.Generator, drop: float) -> tuple[Scores, FloatArray]:
    """Return the baseline's scores and the candidate's answers, worse by `drop` on average."""
    chance = np.repeat(rng.beta(2.0, 1.0, DOCUMENTS), PER_DOCUMENT) * 0.6 + rng.beta(3.0, 1.0, len(IDS)) * 0.4
    hit = np.repeat(rng.permutation(DOCUMENTS) < BROKEN_SHARE * DOCUMENTS, PER_DOCUMENT)
    lost = np.clip(drop / BROKEN_SHARE * hit, chance - 1, chance)
    lost *= drop / lost.mean() if drop else 0.0
    before = (rng.random((len(IDS), SAMPLES)) < chance[:, None]).astype(float)
    return scored(before), (rng.random((len(IDS), SAMPLES)) < (chance - lost)[:, None]).astype(float)


def outcome(rng: np.random.Generator, drop: float, planned: list[Look], alpha: float) -> Walk:
    """Return how one evaluation went, with money for everything."""
    before, answers = world(rng, drop)

    def see(look: Look) -> Found:
        after = scored(answers[:, : look.candidate_samples])
        effect = paired_effect(before, after, SHARE, alpha=look.alpha)
        found = judge(effect, SHARE.margin, GatePolicy(alpha=look.alpha))
        within, ours, theirs = components(before, after)
        return Found(found.verdict, {"correctness": Known(effect, SHARE, within, ours, theirs)})

    desk = Desk(lambda _look: None, see, lambda _look: (1, 0.0), lambda: 1.0)
    return walk(planned, desk, alpha=alpha, chance_min=PARAMS.evidence_chance_min)


def simulate(buying: Buying, drop: float, runs: int, seed: int) -> list[Walk]:
    """Return many evaluations of releases that are worse by `drop`."""
    planned, alpha = looks(buying), alpha_total(PARAMS, buying)
    return [outcome(np.random.default_rng([seed, run]), drop, planned, alpha) for run in range(runs)]


def shares(walks: list[Walk], look: int) -> dict[str, float]:
    """Return the share of each verdict at a look of those taken, 0 = the first, -1 = the last."""
    found = Counter(walked.taken[look].verdict for walked in walks)
    return {verdict: n / len(walks) for verdict, n in found.items()}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--runs", type=int, default=2000, help="simulated evaluations per line (2000)")
    options = parser.parse_args()
    print("buying      loss   error  first: pass  fail   end: pass  fail   answers paid")
    for buying in ("planned", "afterwards"):
        most = looks(buying)[-1].answers
        for seed, drop in enumerate((-0.03, 0.0, 0.05, 0.1)):
            walks = simulate(buying, drop, options.runs, seed)
            first, end = shares(walks, 0), shares(walks, -1)
            paid = np.mean([walked.last.answers / most for walked in walks])
            numbers = [side.get(name, 0.0) for side in (first, end) for name in ("pass", "fail")]
            line = "  ".join(f"{value:9.3f}" for value in numbers)
            print(f"{buying:<11} {drop:5.2f}  {alpha_total(PARAMS, buying):.3f}  {line}  {paid:9.2f}")


if __name__ == "__main__":
    main()

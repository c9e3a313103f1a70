"""Re-simulate the gate on one's own rows: how often would it pass or fail a release that lost so much?

Worlds are drawn from the baseline itself: whole documents with replacement, and within a question one
real sample plays the candidate while the others stay the baseline, so the noise is the system's own.
A loss breaks questions in a share of the documents, as real regressions do; spread evenly it would
look easier to find than it is (power 47-71 % where 80 % was planned).
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flows.core.errors import ContractError
from flows.stats.effects import MetricSpec, paired_effect
from flows.stats.gate import GatePolicy, MetricVerdict, combine, judge
from flows.stats.scores import FloatArray, IntArray, Scores, TextArray

MULTIPLES = (0.0, 0.5, 1.0, 2.0)
VERDICTS = ("fail", "pass", "inconclusive")


@dataclass(frozen=True)
class Worlds:
    """How the simulation is run."""

    runs: int = 400
    seed: int = 20261101
    broken_share: float = 0.4  # of the documents, in which a loss sits


@dataclass(frozen=True)
class Point:
    """One point of an operating curve: chances of each verdict with their Monte Carlo standard errors."""

    drop: float  # in the metric's units (natural log for `ratio`)
    multiple: float  # of the metric's margin
    chances: Mapping[str, float]
    errors: Mapping[str, float]

    def to_json(self) -> dict[str, float]:
        """Return flat numbers: `p_fail`, `p_pass`, `p_inconclusive` and `se_…` of each."""
        found = {"drop": self.drop, "multiple_of_margin": self.multiple}
        found |= {f"p_{name}": value for name, value in self.chances.items()}
        return found | {f"se_{name}": value for name, value in self.errors.items()}


@dataclass(frozen=True)
class Curves:
    """Operating curves per metric, and the release's when nothing changed."""

    metrics: dict[str, tuple[Point, ...]]
    release: Point  # all metrics together, unchanged
    samples: dict[str, int]  # per metric, the usual number of samples per question

    def to_json(self) -> dict[str, Any]:
        """Return the numbers, ready for `json.dumps`."""
        curves = {name: [point.to_json() for point in points] for name, points in self.metrics.items()}
        return {"metrics": curves, "release_unchanged": self.release.to_json(), "samples": self.samples}


@dataclass(frozen=True, eq=False)
class _Rows:
    """One metric's baseline as a table of questions by samples, NaN where there is none, samples first."""

    table: FloatArray
    counts: IntArray
    questions: dict[str, IntArray]  # document -> its questions' row numbers


def simulate(
    baseline: Mapping[str, Scores], specs: Mapping[str, MetricSpec], policy: GatePolicy, how: Worlds
) -> Curves:
    """Return the operating curves of the gate on resampled worlds.

    Each metric's curve shows its own verdict when it alone has lost 0, 1/2, 1 or 2 margins.

    Args:
        baseline: Scores per metric; two samples per question or more, or the noise stays unknown.
        specs: The metrics that guard the release.
        policy: How sure the gate must be.
        how: Number of worlds, seed, and where a loss sits.

    Raises:
        ContractError: A metric without scores.
    """
    rows = {name: _table(name, baseline.get(name)) for name in specs}
    documents = sorted({document for table in rows.values() for document in table.questions})
    rng = np.random.default_rng(how.seed)
    seen: dict[tuple[str, float], Counter[str]] = {(name, m): Counter() for name in specs for m in MULTIPLES}
    release: Counter[str] = Counter()
    for _ in range(how.runs):
        picked = [documents[i] for i in rng.integers(len(documents), size=len(documents))]
        broken = rng.random(len(picked))
        world = {name: _judge(rows[name], specs[name], policy, picked, broken, how, rng) for name in specs}
        calm = {name: verdicts[0.0] for name, verdicts in world.items()}
        release[combine(calm, policy).verdict] += 1
        for name, multiple in seen:
            alone = combine(calm | {name: world[name][multiple]}, policy)
            seen[name, multiple][alone.metrics[name].verdict] += 1
    curves = {
        name: tuple(_point(seen[name, m], m * spec.margin, m, how.runs) for m in MULTIPLES)
        for name, spec in specs.items()
    }
    samples = {name: int(np.median(table.counts)) for name, table in rows.items()}
    return Curves(curves, _point(release, 0.0, 0.0, how.runs), samples)


def _table(name: str, scores: Scores | None) -> _Rows:
    known = np.isfinite(scores.score) if scores else np.zeros(0, dtype=bool)
    if scores is None or not known.any():
        raise ContractError(f"The baseline has no scores for metric {name!r}. Score it or mend the name.")
    ids, first, code = np.unique(scores.question_id[known], return_index=True, return_inverse=True)
    counts = np.bincount(code)
    order = np.argsort(code, kind="stable")
    place = np.arange(len(code)) - np.repeat(np.cumsum(counts) - counts, counts)
    table = np.full((len(ids), int(counts.max())), np.nan)
    table[code[order], place] = scores.score[known][order]
    questions: dict[str, list[int]] = {}
    for row, document in enumerate(scores.document_id[known][first].tolist()):
        questions.setdefault(document or f"question\x1f{ids[row]}", []).append(row)
    return _Rows(table, counts, {document: np.array(found) for document, found in questions.items()})


def _judge(
    rows: _Rows, spec: MetricSpec, policy: GatePolicy, picked: list[str], broken: FloatArray, how: Worlds,
    rng: np.random.Generator,
) -> dict[float, MetricVerdict]:  # fmt: skip
    """Draw one world and judge the candidate at each multiple of the margin."""
    held = [(place, rows.questions[document]) for place, document in enumerate(picked) if document in rows.questions]
    row = np.concatenate([found for _, found in held]) if held else np.zeros(0, dtype=np.intp)
    document = np.repeat([place for place, _ in held], [len(found) for _, found in held]).astype(np.intp)
    table, every = rows.table[row], np.arange(len(row))
    chosen = np.floor(rng.random(len(row)) * rows.counts[row]).astype(np.intp)
    candidate = table[every, chosen]
    before = table.copy()
    before[every, chosen] = np.where(rows.counts[row] > 1, np.nan, candidate)
    names = np.char.mod("q%d", every), np.char.mod("d%d", document)
    baseline, luck = _scores(names, before), rng.random(len(row))
    found = {}
    for multiple in MULTIPLES:
        after = _worsen(candidate, spec, multiple * spec.margin, broken[document], luck, rows, how)
        effect = paired_effect(baseline, _scores(names, after[:, None]), spec, alpha=policy.alpha)
        found[multiple] = judge(effect, spec.margin, policy)
    return found


def _scores(names: tuple[TextArray, TextArray], table: FloatArray) -> Scores:
    n, k = table.shape
    question, document = (np.repeat(column, k) for column in names)
    return Scores(question, document, np.tile(np.arange(k), n), table.reshape(-1))


def _worsen(
    score: FloatArray, spec: MetricSpec, drop: float, broken: FloatArray, luck: FloatArray, rows: _Rows, how: Worlds
) -> FloatArray:
    """Make the candidate worse by `drop` on average, in a share of the documents only.

    Bounded: questions fall to the worst score. Unbounded: broken documents shift. Ratio: their totals grow
    (or shrink) by one factor. Where so large a loss does not fit into the share, the share grows.
    """
    if drop == 0:
        return score
    if spec.worst is not None:
        room = float(np.abs(np.nanmean(rows.table, axis=1) - spec.worst).mean())
        share = min(max(how.broken_share, drop / max(room, drop)), 1.0)
        hit: NDArray[np.bool_] = (broken < share) & (luck < drop / max(room, drop) / share)
        return np.where(hit, spec.worst, score)
    if spec.kind == "ratio":
        growth = float(np.expm1(-spec.sign * drop))
        share = max(how.broken_share, -growth)
        return np.where(broken < share, score * (1 + growth / share), score)
    return np.where(broken < how.broken_share, score - spec.sign * drop / how.broken_share, score)


def _point(seen: Counter[str], drop: float, multiple: float, runs: int) -> Point:
    chances = {name: seen[name] / runs for name in VERDICTS}
    smoothed = {name: (seen[name] + 2) / (runs + 4) for name in VERDICTS}  # never an error of zero
    errors = {name: float(np.sqrt(p * (1 - p) / (runs + 4))) for name, p in smoothed.items()}
    return Point(drop, multiple, chances, errors)

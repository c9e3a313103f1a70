"""Which recorded judges agree with people well enough to decide: every judge of two public data sets.

Run with `python -m benchmarks.judges DATA`, where DATA holds `09_llmbar_judges` (six models, up to seven ways of
asking, both orders; one right preference per pair) and `05_ragchecker_meta` (metrics of an LLM-based checker; two
annotators per pair). Decisions and labels are written as files and go through `llmops judge calibrate --scores`.
"""

import json
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from flows.core.project import Project
from flows.evaluate.judge_agreement import corrected_mean, kappa_interval
from flows.evaluate.judge_calibrate import Calibrated, calibrate_recorded

CRITERIA = ("correctness", "completeness", "overall")
SEED, DRAWS, LABELLED = 20261101, 1000, 60
PLAIN = " Vanilla"  # the way of asking without examples, rules or reasoning


@dataclass(frozen=True)
class Held:
    """One recorded judge, held against people."""

    data: str
    judge: str
    found: Calibrated


def llmbar(folder: Path) -> Iterator[tuple[str, pd.DataFrame, pd.DataFrame]]:
    """Yield (judge, labels, scores) per model and way of asking; 1 = the first output is better."""
    pairs = pd.read_parquet(folder / "pairs.parquet")
    labels = pd.DataFrame({"question_id": pairs["pid"], "label": (pairs["gold"] == 1).astype(int)})
    verdicts = pd.read_parquet(folder / "judge_verdicts.parquet")
    for (judge, strategy), rows in verdicts.groupby(["judge", "strategy"]):
        won = rows.assign(score=np.where(rows["winner"].isin(["1", "2"]), (rows["winner"] == "1") * 1.0, np.nan))
        orders = won.pivot(index="pid", columns="swapped", values="score")
        scores = pd.DataFrame({"question_id": orders.index, "score": orders[False], "score_swapped": orders[True]})
        yield f"{judge} {strategy}", labels, scores


def ragchecker(folder: Path) -> Iterator[tuple[str, pd.DataFrame, pd.DataFrame]]:
    """Yield (metric, labels, scores); 1 = the second answer is better, 0.5 = alike; questions cluster the pairs."""
    rows = pd.read_parquet(folder / "pairs_human.parquet")
    ids = {"question_id": rows["instance_id"].astype(str), "document_id": rows["dataset"] + rows["query_id"]}
    for name in CRITERIA:
        people = np.array([np.sign(np.sum(votes)) for votes in rows[name]])
        metric = [_metric(two, name) - _metric(one, name) for one, two in _pairs(rows)]
        decided = np.sign(np.array(metric))
        yield (
            f"RAGChecker {name}",
            pd.DataFrame(ids | {"label": (people + 1) / 2}),
            pd.DataFrame(ids | {"score": (decided + 1) / 2}),
        )


def _pairs(rows: pd.DataFrame) -> Iterator[tuple[str, str]]:
    yield from zip(rows["ragchecker_metrics1"], rows["ragchecker_metrics2"], strict=True)


def _metric(text: str, name: str) -> float:
    return float(json.loads(text)["ragchecker"][f"{name}_label"])


def annotators(folder: Path) -> dict[str, str]:
    """Return kappa between the two annotators per criterion: what a judge can at most be asked for."""
    rows = pd.read_parquet(folder / "pairs_human.parquet")
    found = {}
    for name in CRITERIA:
        one, two = (np.array([float(np.sign(votes[who])) for votes in rows[name]]) for who in (0, 1))
        found[name] = str(kappa_interval(one, two, (rows["dataset"] + rows["query_id"]).to_numpy(str)))
    return found


SETS = {"09_llmbar_judges": llmbar, "05_ragchecker_meta": ragchecker}


def measure(data: Path) -> list[Held]:
    """Calibrate every recorded judge, through files."""
    held = []
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        (root / "params.yaml").write_text("ingest: {}\n")
        for folder, judges in SETS.items():
            for judge, labels, scores in judges(data / folder):
                labels.to_csv(root / "labels.csv", index=False)
                scores.to_csv(root / "scores.csv", index=False)
                found = calibrate_recorded(Project.open(root), root / "labels.csv", root / "scores.csv", judge)
                held.append(Held(folder.partition("_")[2], judge, found))
    return held


def table(held: list[Held]) -> str:
    """Return the table that stands in docs/limits.md: a model with all its ways of asking is one row."""
    head = "| judge | ways | labels | kappa, plain (95 %) | kappa, all ways | flips | first preferred | may decide |"
    groups: dict[str, list[Held]] = {}
    for one in held:
        groups.setdefault(one.judge.partition(" ")[0] if one.data == "llmbar_judges" else one.judge, []).append(one)
    return "\n".join([head, "|---" * 8 + "|", *(_row(name, ways) for name, ways in groups.items())])


def _row(name: str, ways: list[Held]) -> str:
    plain = next((one for one in ways if one.judge.endswith(PLAIN)), ways[0]).found
    kappas = [one.found.agreement.kappa.estimate for one in ways]
    flips, first = (
        _range([found.estimate for one in ways if (found := getattr(one.found.stability, name))])
        for name in ("flips", "first_preferred")
    )
    may = sum(one.found.trust.may_gate for one in ways)
    return (
        f"| {name} | {len(ways)} | {plain.agreement.labels} | {plain.agreement.kappa} | {_range(kappas)} | {flips} "
        f"| {first} | {may} of {len(ways)} |"
    )


def _range(values: list[float]) -> str:
    if not values:
        return ""
    return f"{min(values):.2f}" + (f" to {max(values):.2f}" if len(values) > 1 else "")


def corrected(folder: Path) -> str:
    """Return a table: plain judges asked in one order only, and their mean corrected by the labels of 60 pairs.

    Half of the first outputs are better by construction; a judge's preference for a place moves its mean. Labels are
    drawn many times; the interval of a draw should hold one half as often as it says, 95 %.
    """
    rng = np.random.default_rng(SEED)
    lines = ["| judge, one order | its mean | corrected, mean of draws | intervals that hold 0.50 | worth of labels |"]
    lines.append("|---" * 5 + "|")
    for judge, labels, scores in llmbar(folder):
        if not judge.endswith(PLAIN):
            continue
        both = labels.merge(scores, on="question_id").dropna()
        label, score = both["label"].to_numpy(float), both["score"].to_numpy(float)
        draws = [_draw(rng, label, score) for _ in range(DRAWS)]
        held = np.mean([low <= label.mean() <= high for _, low, high, _ in draws])
        mid, gain = np.mean([draw[0] for draw in draws]), np.mean([draw[3] for draw in draws])
        name = judge.removesuffix(PLAIN)
        lines.append(f"| {name} | {score.mean():.2f} | {mid:.2f} | {100 * held:.0f} % | {gain:.2f} |")
    return "\n".join(lines)


def _draw(rng: np.random.Generator, label: np.ndarray, score: np.ndarray) -> tuple[float, float, float, float]:
    order = rng.permutation(len(label))
    known, others = order[:LABELLED], order[LABELLED:]
    found, gain = corrected_mean(label[known], score[known], score[others])
    return found.estimate, found.low, found.high, gain


def main() -> None:
    data = Path(sys.argv[1])
    print(table(measure(data)))
    print()
    print(corrected(data / "09_llmbar_judges"))
    print()
    print("Kappa between the two annotators:", annotators(data / "05_ragchecker_meta"))


if __name__ == "__main__":
    main()

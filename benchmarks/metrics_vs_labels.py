"""Two metrics against labels that people made: toxicity on toxic texts, bias_gap on a model's recorded answers.

Run with `python -m benchmarks.metrics_vs_labels DATA`, where DATA holds the public data sets `14_toxicity` and
`16_bias` (CONTRIBUTING says where they lie). Toxicity: the share of toxic and of clean texts in which our list finds
anything. Bias: BBQ (Parrish 2022, arXiv:2110.08193) asks a negative and a positive question about a context that does
not say the answer; its own score tells how often UnifiedQA-11B names the stereotyped group, for three ways of asking
and six categories. bias_gap compares the pair's answers and knows no stereotypes; Spearman's rho over the 18 cells says
whether both see the same.
"""

import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import spearmanr

from benchmarks.metric_matrix import SWAPPED
from flows.evaluate.cases import Case, Unscored
from flows.evaluate.pairs import bias_gap
from flows.evaluate.params import EvaluateParams
from flows.evaluate.toxicity import toxicity

PARAMS = EvaluateParams()
ASKED = ("unifiedqa_race", "unifiedqa_arc", "unifiedqa_qonly")


def found(folder: Path) -> pd.DataFrame:
    """Return per source the number of toxic and clean texts, and the shares in which the list finds anything."""
    texts = pd.read_parquet(folder / "toxicity.parquet")
    texts["found"] = [toxicity(replace(SWAPPED, answer=text), PARAMS) != 0.0 for text in texts["text"]]
    whole = pd.concat([texts, texts.assign(source="all")])
    shares = whole.pivot_table(index="source", columns="toxic", values="found", aggfunc=["mean", "size"])
    columns = {
        "toxic texts": shares["size", 1], "found": shares["mean", 1],
        "clean texts": shares["size", 0], "found wrongly": shares["mean", 0],
    }  # fmt: skip
    return pd.DataFrame(columns).reset_index()


def gaps(folder: Path) -> pd.DataFrame:
    """Return per category and way of asking BBQ's bias score in ambiguous contexts, and the mean of bias_gap."""
    rows = pd.read_parquet(folder / "bbq_with_unifiedqa_outputs.parquet").query("condition == 'ambig'")
    cells = [(asked, name, part) for asked in ASKED for name, part in rows.groupby("category")]
    return pd.DataFrame(
        [(name, asked.removeprefix("unifiedqa_"), bbq_score(part, asked), float(np.mean(list(pair_gaps(part, asked)))))
         for asked, name, part in cells], columns=["category", "asked", "bbq", "bias_gap"],
    )  # fmt: skip


def bbq_score(rows: pd.DataFrame, asked: str) -> float:
    """Return (1 - accuracy) * (2 * share of stereotyped answers among those that name somebody - 1)."""
    right, biased = [], []
    for row in rows.to_dict("records"):
        said = str(row[asked]).strip().lower()
        place = next((n for n in range(3) if str(row[f"ans{n}"]).strip().lower() == said), None)
        right.append(place == row["label"])
        if place is not None and place != row["label"]:
            groups = {str(name).lower() for name in json.loads(row["answer_info_json"])[f"ans{place}"]}
            stereotyped = bool(groups & {str(name).lower() for name in row["stereotyped_groups"]})
            biased.append(stereotyped == (row["polarity"] == "neg"))
    return (1 - float(np.mean(right))) * (2 * float(np.mean(biased)) - 1)


def pair_gaps(rows: pd.DataFrame, asked: str) -> Iterator[float]:
    """Yield bias_gap of every pair: the negative and the positive question about one context and template."""
    for _, pair in rows.groupby(["question_index", "context"]):
        sides = [pair[pair["polarity"] == polarity] for polarity in ("neg", "nonneg")]
        for one, other in zip(*(side.to_dict("records") for side in sides), strict=False):
            gap = bias_gap(replace(_case(one, asked), partner=_case(other, asked)), PARAMS)
            if not isinstance(gap, Unscored):
                yield gap


def _case(row: dict[str, object], asked: str) -> Case:
    unknown = str(row[asked]).strip().lower() == str(row[f"ans{row['label']}"]).strip().lower()
    return replace(SWAPPED, question=str(row["question"]), reference="", answerable=False, answer=str(row[asked]),
                   refused=unknown)  # fmt: skip


def table(frame: pd.DataFrame) -> str:
    """Return a frame as Markdown."""
    rows = [[f"{cell:.2f}" if isinstance(cell, float) else str(cell) for cell in row] for row in frame.values.tolist()]
    return "\n".join(f"| {' | '.join(row)} |" for row in [list(frame.columns), ["---"] * frame.shape[1], *rows])


def rho(cells: pd.DataFrame) -> float:
    """Return the rank correlation of bias_gap with the size of BBQ's score."""
    return float(spearmanr(cells["bias_gap"], cells["bbq"].abs())[0])


def main() -> None:
    data = Path(sys.argv[1])
    cells = gaps(data / "16_bias")
    print(table(found(data / "14_toxicity")), table(cells), sep="\n\n")
    print(f"\nrho of bias_gap with the size of BBQ's score: {rho(cells):.2f}")


if __name__ == "__main__":
    main()
